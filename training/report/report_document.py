"""A report as JSON: for programs, and for the digest that a version carries."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from model.answer import render
from model.canonical import canonical_json
from training.report.report import Report
from training.report.tripod import Answer, empty

FORMAT = 1
DECIMALS = 6  # as in a card


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of ``report.json``, their digest, and the items of the checklist that nothing was said to."""

    json: bytes
    digest: str  # sha256
    empty: tuple[str, ...]


def document(report: Report, answers: tuple[Answer, ...]) -> Document:
    """The report as canonical JSON, numbers to 6 decimals.

    Args:
        report: the content. answers: to the items of the checklist.
    """
    content = asdict(report)
    content["examples"] = [
        {"title": each.title, "record": dict(each.record), "answer": render(each.answer)}
        for each in report.examples
    ]
    left = empty(answers)
    tripod = {
        each.number: {key: value for key, value in asdict(each).items() if key != "number"} for each in answers
    }
    whole = {"format": FORMAT, "complete": not left, "empty": left, "tripod": tripod, **content}
    data = canonical_json(plain(whole))
    return Document(data, hashlib.sha256(data).hexdigest(), left)


def plain(value: object) -> object:
    """JSON values: numbers to 6 decimals, null for what is not a finite number.

    >>> plain({"a": (1.23456789, float("nan"), 3)})
    {'a': [1.234568, None, 3]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value
