"""An answer as a person reads it in a terminal: rate, interval, bands, the largest contributions as bars."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill

from model.predictor import BAND_LIMITS, BANDS

BAR = 24  # characters for the largest contribution
SHOWN = 8


def as_text(answer: Mapping[str, object]) -> str:
    """The text of a rendered answer (`model.answer.render`, or the service's JSON).

    >>> pack = {"id": "0db4393d5a58", "name": "als-progression", "made_by": "tregcast 0.1.0"}
    >>> print(as_text({"outcome": "abstained", "statement": "Simulated.", "pack": pack,
    ...                "reasons": [{"code": "no_functional_score", "fields": [], "words": "There is no score."}]}))
    No prediction:
      - There is no score.
    <BLANKLINE>
    Simulated. Pack 0db4393d5a58 of als-progression, made by tregcast 0.1.0.
    """
    if answer["outcome"] == "abstained":
        lines = ["No prediction:", *(f"  - {reason['words']}" for reason in _objects(answer, "reasons"))]
    else:
        lines = [*_rate(answer), "", *_bands(answer), "", *_contributions(answer), *_cautions(answer)]
    pack = _object(answer, "pack")
    made_by = f"Pack {str(pack['id'])[:12]} of {pack['name']}, made by {pack['made_by']}."
    return "\n".join([*lines, "", fill(f"{answer['statement']} {made_by}", 100, break_on_hyphens=False)])


def _rate(answer: Mapping[str, object]) -> list[str]:
    interval = _object(answer, "prediction_interval")
    lower, upper, coverage = (_number(interval, key) for key in ("lower", "upper", "coverage"))
    return [
        f"Progression rate   {_number(answer, 'progression_rate'):.2f} {answer['unit']} (positive = decline)",
        f"{coverage:.0%} interval       {lower:.2f} to {upper:.2f}",
    ]


def _bands(answer: Mapping[str, object]) -> list[str]:
    limits = dict(zip(BANDS, BAND_LIMITS, strict=True))
    probabilities = _object(answer, "band_probabilities")
    return [
        f"  {band:<13}{limits[band]:<8} {_number(probabilities, band):4.0%} "
        f"{_bar(_number(probabilities, band), 1.0)}".rstrip()
        for band in limits
    ]


def _contributions(answer: Mapping[str, object]) -> list[str]:
    found = _objects(answer, "contributions")
    largest = max((abs(_number(item, "points_per_month")) for item in found), default=1.0)
    rest = sum(_number(item, "points_per_month") for item in found[SHOWN:])
    lines = [f"Why (base value {_number(answer, 'base_value'):.2f}; + is faster, - is slower, in points/month):"]
    for item in found[:SHOWN]:
        share = _number(item, "points_per_month")
        lines.append(f"  {share:+.2f} {_bar(share, largest):<{BAR}} {str(item['words']).rpartition(':')[0]}")
    if len(found) > SHOWN:
        lines.append(f"  {rest:+.2f} {'':<{BAR}} {len(found) - SHOWN} smaller ones together")
    return lines


def _cautions(answer: Mapping[str, object]) -> list[str]:
    found = _objects(answer, "cautions")
    return ["", "Cautions:", *(f"  - {caution['words']}" for caution in found)] if found else []


def _bar(value: float, largest: float) -> str:
    length = round(BAR * abs(value) / largest) if largest > 0 else 0
    return ("█" if value >= 0 else "░") * length


def _object(value: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = value[key]
    if not isinstance(found, Mapping):
        raise TypeError(f"{key}: not an object")
    return found


def _objects(value: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    found = value[key]
    if not isinstance(found, list):
        raise TypeError(f"{key}: not a list")
    return [item for item in found if isinstance(item, Mapping)]


def _number(value: Mapping[str, object], key: str) -> float:
    found = value[key]
    if not isinstance(found, (int, float)):
        raise TypeError(f"{key}: not a number")
    return float(found)
