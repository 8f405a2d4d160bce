"""The JSON schemas of what the service answers: a prediction, an abstention, a problem document."""

from __future__ import annotations

Json = dict[str, object]

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
SHARE: Json = {"type": "number", "minimum": 0, "maximum": 1}
TEXT_OR_NULL: Json = {"type": ["string", "null"]}


def _object(**properties: object) -> Json:
    """An object that has these properties, all of them and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": list(properties),
    }


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


PACK = _object(id={"type": "string", "pattern": "^[0-9a-f]{64}$"}, name=TEXT, made_by=TEXT)

PREDICTION: Json = {
    "title": "A prediction, with or without cautions",
    **_object(
        outcome={"enum": ["prediction", "prediction_with_cautions"]},
        reference=TEXT_OR_NULL,
        progression_rate={
            "type": "number",
            "description": "Points lost per month over the next 12 months; positive is decline.",
        },
        unit=TEXT,
        prediction_interval=_object(coverage=SHARE, lower=NUMBER, upper=NUMBER),
        quantiles=_list(_object(probability=SHARE, rate=NUMBER)),
        band_probabilities=_object(slow=SHARE, intermediate=SHARE, fast=SHARE),
        base_value={"type": "number", "description": "With all contributions it adds up to progression_rate."},
        contributions=_list(
            _object(
                feature=TEXT,
                label=TEXT,
                value={"type": ["number", "null"], "description": "null: not measured"},
                unit=TEXT,
                points_per_month=NUMBER,
                words=TEXT,
            )
        ),
        cautions=_list(_object(code=TEXT, features=_list(TEXT), words=TEXT)),
        pack=PACK,
        statement=TEXT,
    ),
}

ABSTENTION: Json = {
    "title": "Understood, and not answered: no number anywhere",
    **_object(
        outcome={"enum": ["abstained"]},
        reference=TEXT_OR_NULL,
        reasons={**_list(_object(code=TEXT, words=TEXT)), "minItems": 1},
        pack=PACK,
        statement=TEXT,
    ),
}

PROBLEM: Json = {
    "title": "Why a request was not answered (RFC 9457)",
    **_object(
        type={"type": "string", "description": "urn:tregcast:problem: and a code"},
        title=TEXT,
        status={"type": "integer"},
        detail=TEXT,
        instance={"type": "string", "description": "urn:tregcast:request: and the id in x-request-id"},
        problems=_list(
            _object(
                code=TEXT,
                field=TEXT,
                value={"type": ["string", "null"], "description": "What was sent."},
                rule=TEXT,
                remedy=TEXT,
                message=TEXT,
            )
        ),
    ),
}
