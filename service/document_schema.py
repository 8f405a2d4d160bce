"""The JSON schemas of what the service says of itself: the model, the vocabulary, whether it is alive and ready.

These documents may grow within a version of the API, so they are open: a property that is not named here may come.
"""

from __future__ import annotations

from service.answer_schema import NUMBER, PACK, SHARE, TEXT, TEXT_OR_NULL
from service.metrics.codes import SWAP_PROBLEMS

Json = dict[str, object]

FREE: Json = {"type": "object"}
PAIR: Json = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}


def _open(**properties: object) -> Json:
    """An object that has these properties, and may have others."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


MODEL_COLUMN = _open(
    column=TEXT,
    label=TEXT,
    unit=TEXT,
    group=TEXT,
    kind=TEXT,
    quantity=TEXT_OR_NULL,
    importance={**SHARE, "description": "Share of all contributions in training."},
)
MODEL = _open(
    pack=PACK,
    statement=TEXT,
    scale=_open(name=TEXT, label=TEXT),
    unit=TEXT,
    coverage=SHARE,
    quantiles=_list(SHARE),
    bands=_list(TEXT),
    columns=_list(MODEL_COLUMN),
    card={**FREE, "description": "Made from what, how good, its limits."},
)
VOCABULARY = _open(
    groups={"type": "object", "additionalProperties": TEXT},
    quantities=_list(
        _open(
            name=TEXT,
            column=TEXT,
            label=TEXT,
            group=TEXT,
            level={"enum": ["visit", "patient"]},
            unit=TEXT,
            units=_list(_open(unit=TEXT, numerator=NUMBER, denominator=NUMBER, source=TEXT_OR_NULL)),
            plausible=PAIR,
            reference={**PAIR, "type": ["array", "null"]},
            direction={"enum": [-1, 0, 1], "description": "1: a higher value goes with faster decline."},
            direction_source=TEXT_OR_NULL,
            code=_open(system=TEXT, code=TEXT),
            stale_after_months={"type": ["number", "null"]},
            whole={"type": "boolean"},
            sentence=TEXT,
        )
    ),
    categories=_list(
        _open(
            name=TEXT,
            label=TEXT,
            group=TEXT,
            values=_list(TEXT),
            columns={"type": "object", "additionalProperties": TEXT},
            sentence=TEXT,
        )
    ),
)
ALIVE = _open(status={"const": "alive"})
READY: Json = {
    "type": "object",
    "properties": {
        "status": {"const": "ready"},
        "pack": {"type": "string", "description": "The id of the pack that answers."},
        "problem": {
            "enum": list(SWAP_PROBLEMS),
            "description": "Why the pack at the path is not served.",
        },
    },
    "required": ["status", "pack"],
}
HTML: Json = {"type": "string", "description": "A page."}
JSON_SCHEMA: Json = {**FREE, "description": "A JSON schema, draft 2020-12."}
