"""The documents about the service itself: the model that it serves, and the vocabulary that it understands."""

from __future__ import annotations

from features.vocabulary import Category, Quantity, vocabulary
from model.fitted import overall
from model.pack import Pack
from model.predictor import BANDS, COVERAGE, QUANTILES, SCALE_NAMES, Predictor

Json = dict[str, object]


def client_document() -> Json:
    """What ``bentoml.SyncHTTPClient`` reads from ``/schema.json`` before it calls: names, paths, one argument each.

    The argument is sent as it is, as the body; the client checks nothing of it, the service everything.
    """
    calls = (("predict", "/v1/predict"), ("predict_batch", "/v1/predict/batch"), ("whatif", "/v1/whatif"))
    one, answer = {"type": "object", "root_input": True}, {"type": "object"}
    routes = [{"name": name, "route": path, "input": one, "output": answer} for name, path in calls]
    return {"name": "tregcast", "type": "service", "routes": routes}


def model_document(pack: Pack) -> Json:
    """Which pack answers, what it was made from and how good it is, and what it reads."""
    predictor = pack.predictor
    return {
        "pack": predictor.pack.to_json(),
        "statement": predictor.statement,
        "scale": {"name": predictor.matrix.scale, "label": SCALE_NAMES[predictor.matrix.scale]},
        "unit": predictor.unit,
        "coverage": COVERAGE,
        "quantiles": list(QUANTILES),
        "bands": list(BANDS),
        "measured_as": {name: dict(said) for name, said in predictor.matrix.qualified},
        "columns": [
            {
                "column": feature.column,
                "label": feature.label,
                "unit": feature.unit,
                "group": feature.group,
                "kind": feature.kind,
                "quantity": feature.quantity,
                "importance": share,
                "training_range": _range(predictor, at),
            }
            for at, (feature, share) in enumerate(
                zip(predictor.matrix.features, overall(predictor.importance), strict=True)
            )
        ],
        "card": dict(pack.card),
    }


def _range(predictor: Predictor, at: int) -> list[float] | None:
    """From where to where training saw a column; a value outside is cautioned. None: it has none."""
    found = predictor.applicability.range_of.get(at)
    return None if found is None else [found.lowest, found.highest]


def vocabulary_document() -> Json:
    """Every quantity and category, as a record may hold them.

    >>> document = vocabulary_document()
    >>> document["quantities"][0]["name"], document["quantities"][0]["unit"]
    ('treg_count', '/uL')
    """
    words = vocabulary()
    return {
        "groups": dict(words.groups),
        "quantities": [_quantity(quantity) for quantity in words.quantities.values()],
        "categories": [_category(category) for category in words.categories.values()],
    }


def _quantity(quantity: Quantity) -> Json:
    system, code = quantity.code
    return {
        "name": quantity.name,
        "column": quantity.column,
        "label": quantity.label,
        "group": quantity.group,
        "level": quantity.level,
        "unit": quantity.unit,
        "units": [
            {"unit": unit.code, "numerator": unit.numerator, "denominator": unit.denominator, "source": unit.source}
            for unit in quantity.units.values()
        ],
        "plausible": list(quantity.plausible),
        "reference": None if quantity.reference is None else list(quantity.reference),
        "references": [{**dict(said), "range": list(limits)} for said, limits in quantity.references],
        "direction": quantity.direction,
        "direction_source": quantity.direction_source,
        "code": {"system": system, "code": code},
        "stale_after_months": quantity.stale_after_months,
        "whole": quantity.integer,
        "qualifiers": [
            {"name": each.name, "label": each.label, "values": dict(each.values), "sentence": each.sentence}
            for each in quantity.qualifiers
        ],
        "sentence": quantity.sentence,
    }


def _category(category: Category) -> Json:
    return {
        "name": category.name,
        "label": category.label,
        "group": category.group,
        "values": list(category.values),
        "columns": dict(category.columns),
        "sentence": category.sentence,
    }
