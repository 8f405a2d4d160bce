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


def _some(schema: Json, *absent: str) -> Json:
    """The same object, of which these properties may be absent."""
    required = schema["required"]
    assert isinstance(required, list)
    return {**schema, "required": [name for name in required if name not in absent]}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


PACK = _object(id={"type": "string", "pattern": "^[0-9a-f]{64}$"}, name=TEXT, made_by=TEXT)

REASON = _object(
    code=TEXT,
    fields={**_list(TEXT), "description": "The keys of the record that it is about."},
    words={"type": "string", "description": "Why, and what to do; no number."},
)
CONTRIBUTION = _object(
    feature=TEXT,
    label=TEXT,
    value={"type": ["number", "null"], "description": "null: not measured"},
    unit=TEXT,
    points_per_month=NUMBER,
    words=TEXT,
)
_EXPLAINED = {  # by ?explain=: all of it, none of it, or the five largest with what the others add up to
    "base_value": {"type": "number", "description": "With all contributions it adds up to progression_rate."},
    "contributions": {**_list(CONTRIBUTION), "description": "The largest first."},
    "other_contributions": {
        **_object(count={"type": "integer", "minimum": 0}, points_per_month=NUMBER),
        "description": "How many contributions are not told, and what they add up to.",
    },
}

PREDICTION: Json = {
    "title": "A prediction, with or without cautions",
    **_some(
        _object(
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
            **_EXPLAINED,
            cautions=_list(_object(code=TEXT, features=_list(TEXT), words=TEXT)),
            pack=PACK,
            statement=TEXT,
        ),
        *_EXPLAINED,
    ),
    "dependentRequired": {
        "base_value": ["contributions"],
        "contributions": ["base_value"],
        "other_contributions": ["contributions"],
    },
}

ABSTENTION: Json = {
    "title": "Understood, and not answered: no number anywhere",
    **_object(
        outcome={"enum": ["abstained"]},
        reference=TEXT_OR_NULL,
        reasons={**_list(REASON), "minItems": 1},
        pack=PACK,
        statement=TEXT,
    ),
}

_ALONE = {"pack", "statement"}  # stand once in a batch


def _in_a_batch(schema: Json) -> Json:
    """The schema of an answer without what stands once beside all of them."""
    properties, required = schema["properties"], schema["required"]
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    return {
        **schema,
        "properties": {k: v for k, v in properties.items() if k not in _ALONE},
        "required": [k for k in required if k not in _ALONE],
    }


def _in_a_stream(schema: Json) -> Json:
    """The schema of an answer with the number of its line."""
    properties, required = schema["properties"], schema["required"]
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    row: Json = {"type": "integer", "minimum": 1, "description": "The number of the line, blank ones not counted."}
    return {**schema, "properties": {"row": row, **properties}, "required": ["row", *required]}


_PROBLEM_ITEM = _object(
    code=TEXT,
    field=TEXT,
    value={"type": ["string", "null"], "description": "What was sent."},
    rule=TEXT,
    remedy=TEXT,
    message=TEXT,
)

COUNTS = _object(
    **{name: {"type": "integer", "minimum": 0} for name in ("prediction", "prediction_with_cautions")},
    **{name: {"type": "integer", "minimum": 0} for name in ("abstained", "rejected")},
)
REJECTION: Json = {
    "title": "A record that is not valid",
    **_object(
        outcome={"const": "rejected"},
        reference=TEXT_OR_NULL,
        problems={**_list(_PROBLEM_ITEM), "minItems": 1},
    ),
}
IN_A_BATCH: dict[str, Json] = {
    "BatchPrediction": _in_a_batch(PREDICTION),
    "BatchAbstention": _in_a_batch(ABSTENTION),
    "BatchRejection": REJECTION,
}
BATCH: Json = {
    "title": "An answer for each record, in the order in which they were sent",
    **_object(pack=PACK, statement=TEXT, counts=COUNTS, answers=_list({"oneOf": list(IN_A_BATCH.values())})),
}

_POINT: Json = {
    "type": "object",
    "required": ["value", "outcome"],
    "properties": {
        "value": NUMBER,
        "outcome": {"enum": ["prediction", "prediction_with_cautions", "abstained", "rejected"]},
        "progression_rate": NUMBER,
        "prediction_interval": _object(coverage=SHARE, lower=NUMBER, upper=NUMBER),
        "band_probabilities": _object(slow=SHARE, intermediate=SHARE, fast=SHARE),
        "cautions": _list(_object(code=TEXT, features=_list(TEXT), words=TEXT)),
        "reasons": _list(REASON),
        "problems": _list(_PROBLEM_ITEM),
    },
    "additionalProperties": False,
}

WHATIF: Json = {
    "title": "What the model says of other values: associations in the training cohort, not effects of treatment",
    **_object(
        label=TEXT,
        as_it_is={"oneOf": [PREDICTION, ABSTENTION]},
        curves=_list(
            _object(
                quantity=TEXT,
                label=TEXT,
                unit=TEXT,
                direction={"enum": ["never slower as it rises", "never faster as it rises", "free"]},
                known_to_the_model={"type": "boolean"},
                points=_list(_POINT),
            )
        ),
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
        problems=_list(_PROBLEM_ITEM),
    ),
}

IN_A_STREAM: dict[str, Json] = {
    "StreamPrediction": _in_a_stream(PREDICTION),
    "StreamAbstention": _in_a_stream(ABSTENTION),
    "StreamRejection": _in_a_stream(REJECTION),
    "StreamEnd": {
        "title": "The last line of a stream; where it is missing, the stream was cut off",
        **_object(
            outcome={"const": "end"},
            complete={"type": "boolean", "description": "Whether every line that was sent is answered."},
            rows={"type": "integer", "minimum": 0, "description": "How many lines are answered."},
            counts=COUNTS,
            pack=PACK,
            problem={"oneOf": [PROBLEM, {"type": "null"}]},
        ),
    },
}
STREAM_LINE: Json = {"oneOf": list(IN_A_STREAM.values())}
