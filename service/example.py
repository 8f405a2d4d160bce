"""True examples: records and what the pack answers to them, made when the service starts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from features.parse import parse_record
from features.problem import Rejected
from features.strict_json import loads
from model.answer import render
from model.fitted import overall
from model.pack import Pack
from model.predictor import Predictor
from service.problem import ProblemDocument, rejected

Json = dict[str, object]
FEW = 5  # measurements of the brief example, at most
ABSTAINED = "abstained"
MALFORMED = b'{"visits": [}'


@dataclass(frozen=True, slots=True)
class Example:
    """A record, and its answer as the service sends it."""

    record: Json
    answer: Json

    @property
    def abstained(self) -> bool:
        """Whether it is answered without a number."""
        return self.answer["outcome"] == ABSTAINED


@dataclass(frozen=True, slots=True)
class Examples:
    """What the OpenAPI document and the page show: golden records of the pack, and records made from them."""

    prediction: Example | None  # None for a pack that gives no number for any of its golden records
    abstention: Example
    brief: Example  # of the outcome of the first of the two, and fits on a screen
    rejected_record: Json
    rejection: ProblemDocument
    malformed_body: bytes
    malformation: ProblemDocument


def make_examples(pack: Pack) -> Examples:
    """The examples of a pack, answered by the pack itself."""
    golden = [_answered(pack.predictor, copy.deepcopy(dict(item.record))) for item in pack.golden]
    prediction = next((item for item in golden if not item.abstained), None)
    abstention = next((item for item in golden if item.abstained), None)
    shown = prediction or golden[0]
    brief = _answered(pack.predictor, _index_visit_alone(shown.record, _by_weight(pack.predictor)[:FEW]))
    rejected_record = _without_a_unit(brief.record)
    return Examples(
        prediction=prediction,
        abstention=abstention or _answered(pack.predictor, _index_visit_alone(shown.record, [])),
        brief=shown if brief.abstained else brief,
        rejected_record=rejected_record,
        rejection=_rejection(lambda: parse_record(rejected_record, today=date.max)),
        malformed_body=MALFORMED,
        malformation=_rejection(lambda: loads(MALFORMED)),
    )


def _answered(predictor: Predictor, record: Json) -> Example:
    return Example(record, render(predictor.predict(parse_record(record, today=date.max))))


def _by_weight(predictor: Predictor) -> list[str]:
    """The quantities of the model: the score it counts in, then the others by their share of all contributions."""
    weights: dict[str, float] = {predictor.matrix.scale: 1.0}
    for feature, share in zip(predictor.matrix.features, overall(predictor.importance), strict=True):
        if feature.quantity is not None:
            weights[feature.quantity] = weights.get(feature.quantity, 0.0) + share
    return sorted(weights, key=lambda name: -weights[name])


def _index_visit_alone(record: Json, names: list[str]) -> Json:
    """The record with its last visit alone, and of that no other measurements than these."""
    visits = record["visits"]
    assert isinstance(visits, list)
    measurements = {name: item for name, item in visits[-1]["measurements"].items() if name in names}
    return {**record, "visits": [{**visits[-1], "measurements": measurements}]}


def _without_a_unit(record: Json) -> Json:
    """The record with two mistakes: a measurement without its unit, and a key that there is not."""
    changed = copy.deepcopy(record)
    visits = changed["visits"]
    assert isinstance(visits, list)
    del next(iter(visits[-1]["measurements"].values()))["unit"]
    return {**changed, "treg": 40}


def _rejection(read: Callable[[], object]) -> ProblemDocument:
    try:
        read()
    except Rejected as error:
        return rejected(error)
    raise AssertionError("an example of a rejection was accepted")
