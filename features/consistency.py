"""What must hold between the values of one record. A record that contradicts itself is rejected.

The tolerance 0.75-1.33 catches every swap among a Treg count, a CD4 count and a Treg share, and leaves room for
two assays of one blood sample; the same tolerance serves the other products and sums, as an assumption. A share
goes with the count of its own denominator, and with a count of the same gate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from features.identity import HIGHEST_RATIO, LOWEST_RATIO, Identity, Number
from features.problem import Problem
from features.record import MOST_MONTHS_LATE, Measurement
from features.units import amount, plain
from features.vocabulary import vocabulary

MOST_YEARS_APART = 1.5
"""Assumption: two ages, each rounded down to years, may be off by one; half a year more for rounded months."""
ITEMS_SHARED = (
    "alsfrs_speech",
    "alsfrs_salivation",
    "alsfrs_swallowing",
    "alsfrs_handwriting",
    "alsfrs_cutting",
    "alsfrs_dressing",
    "alsfrs_turning",
    "alsfrs_walking",
    "alsfrs_stairs",
)
ITEMS_ALSFRS_R = (*ITEMS_SHARED, "alsfrs_dyspnea", "alsfrs_orthopnea", "alsfrs_ventilation")
ITEMS_ALSFRS = (*ITEMS_SHARED, "alsfrs_breathing")

Values = Mapping[str, float]


def _ratio(above: Number, below: Number) -> Number:
    """Infinite where it is divided by 0, as no measured ratio is."""
    if isinstance(below, float):
        return above / below if below > 0 else float("inf")
    return np.divide(above, below, out=np.full_like(above, np.inf), where=below > 0)


SHARE, DENOMINATOR, GATE = "treg_pct_cd4", "treg_denominator", "treg_gate"

IDENTITIES = (
    Identity(
        "treg_count",
        ("cd4_count", SHARE),
        lambda v: v["cd4_count"] * v["treg_pct_cd4"] / 100.0,
        "CD4 count x Treg share of CD4+",
        given=(SHARE, DENOMINATOR, "cd4"),
        same=GATE,
    ),
    Identity(
        "treg_count",
        ("lymphocytes", SHARE),
        lambda v: v["lymphocytes"] * v["treg_pct_cd4"] * 10.0,
        "lymphocyte count x Treg share of lymphocytes",
        given=(SHARE, DENOMINATOR, "lymphocytes"),
        same=GATE,
        completes=False,
    ),
    Identity(
        "treg_count",
        ("leukocytes", SHARE),
        lambda v: v["leukocytes"] * v["treg_pct_cd4"] * 10.0,
        "leukocyte count x Treg share of leukocytes",
        given=(SHARE, DENOMINATOR, "leukocytes"),
        same=GATE,
        completes=False,
    ),
    Identity(
        "treg_count",
        ("lymphocytes", SHARE),
        lambda v: v["lymphocytes"] * v["treg_pct_cd4"] * 10.0,
        "lymphocyte count x Treg share of CD4+, cells that are a part of the lymphocytes",
        ceiling=True,
        given=(SHARE, DENOMINATOR, "cd4"),
        same=GATE,
    ),
    Identity(
        "treg_count",
        ("cd4_count",),
        lambda v: v["cd4_count"],
        "the CD4 count, of which Tregs are a part",
        ceiling=True,
    ),
    Identity(
        SHARE,
        ("cd4_count", "lymphocytes"),
        lambda v: _ratio(v["cd4_count"], v["lymphocytes"] * 10.0),
        "the share of CD4+ cells among lymphocytes, of which Tregs are a part",
        ceiling=True,
        given=(SHARE, DENOMINATOR, "lymphocytes"),
    ),
    Identity(
        SHARE,
        ("cd4_count", "leukocytes"),
        lambda v: _ratio(v["cd4_count"], v["leukocytes"] * 10.0),
        "the share of CD4+ cells among leukocytes, of which Tregs are a part",
        ceiling=True,
        given=(SHARE, DENOMINATOR, "leukocytes"),
    ),
    Identity(
        "nlr",
        ("neutrophils", "lymphocytes"),
        lambda v: _ratio(v["neutrophils"], v["lymphocytes"]),
        "neutrophils / lymphocytes",
    ),
    Identity(
        "bmi",
        ("weight", "height"),
        lambda v: v["weight"] / ((v["height"] / 100.0) * (v["height"] / 100.0)),
        "weight / height squared",
    ),
    Identity(
        "alsfrs_r_total",
        ITEMS_ALSFRS_R,
        lambda v: sum(v[item] for item in ITEMS_ALSFRS_R),
        "the sum of its 12 items",
        points=True,
    ),
    Identity(
        "alsfrs_total",
        ITEMS_ALSFRS,
        lambda v: sum(v[item] for item in ITEMS_ALSFRS),
        "the sum of its 10 items",
        points=True,
    ),
    Identity(
        "cd4_count",
        ("lymphocytes",),
        lambda v: v["lymphocytes"] * 1000.0,
        "the lymphocyte count, of which CD4+ cells are a part",
        ceiling=True,
    ),
    Identity(
        "neutrophils",
        ("leukocytes",),
        lambda v: v["leukocytes"],
        "the leukocyte count, of which neutrophils are a part",
        ceiling=True,
    ),
    Identity(
        "lymphocytes",
        ("leukocytes",),
        lambda v: v["leukocytes"],
        "the leukocyte count, of which lymphocytes are a part",
        ceiling=True,
    ),
)


COMPLETED = tuple(identity for identity in IDENTITIES if identity.completes and not identity.ceiling)
"""Those that give a value where it was not measured but follows exactly from others."""
COMPLETED_FROM = {identity.name: identity.parts for identity in COMPLETED}


def contradictions(path: str, measured: Mapping[str, Measurement]) -> list[Problem]:
    """A problem for each identity that the uncensored values of one visit break.

    >>> gate = ("treg_gate", "foxp3")
    >>> made = {"treg_count": Measurement(700.0, None, (gate,)), "cd4_count": Measurement(700.0),
    ...         "treg_pct_cd4": Measurement(7.0, None, (("treg_denominator", "cd4"), gate))}
    >>> print(contradictions("visits[0]", made)[0])  # doctest: +NORMALIZE_WHITESPACE
    visits[0].treg_count = 700 /uL contradicts 49 /uL, CD4 count x Treg share of CD4+ (allowed ratio 0.75-1.33);
    check cd4_count, treg_pct_cd4 and treg_count for a swap or a unit
    """
    values = {name: item.value for name, item in measured.items() if item.comparator is None}
    return [
        problem
        for identity in IDENTITIES
        if identity.name in values and all(part in values for part in identity.parts) and identity.applies(measured)
        for problem in _breach(path, identity, values)
    ]


def late_diagnosis(delay: float | None, last_visit: float | None) -> list[Problem]:
    """A problem if the diagnosis came after the last visit: nobody knew of it then, and no model learns from it.

    Args:
        delay: months from onset to diagnosis. last_visit: months from onset to it. None where unknown.

    >>> print(late_diagnosis(30.0, 18.0)[0])  # doctest: +NORMALIZE_WHITESPACE
    diagnostic_delay = 30 mo contradicts the last visit, 18 mo after onset (allowed at most 1 mo later); send a
    visit at or after the diagnosis, leave the delay out, or check its unit
    >>> late_diagnosis(18.7, 18.0)
    []
    """
    if delay is None or last_visit is None or delay <= last_visit + MOST_MONTHS_LATE:
        return []
    rule = f"contradicts the last visit, {_said('months_since_onset', last_visit)} after onset"
    return [
        Problem(
            "contradiction",
            "diagnostic_delay",
            _said("diagnostic_delay", delay),
            f"{rule} (allowed at most {_said('diagnostic_delay', MOST_MONTHS_LATE)} later)",
            "send a visit at or after the diagnosis, leave the delay out, or check its unit",
        )
    ]


def two_ages(age: float | None, by_birth: float, margin: float) -> list[Problem]:
    """A problem if an age that was sent is not the one that follows from the date of birth.

    Args:
        age: in years, None where it was not sent or cannot be read.
        by_birth: years from the birth to the same visit.
        margin: by how many years that may be more or less.

    >>> print(two_ages(70.0, 61.2, 0.5)[0])  # doctest: +NORMALIZE_WHITESPACE
    age = 70 a, and 61.2 a by birth_date contradicts birth_date (allowed 2 a apart); send one of the two, or
    correct it
    """
    most = MOST_YEARS_APART + margin
    if age is None or abs(age - by_birth) <= most:
        return []
    both = f"{_said('age', age)}, and {by_birth:.1f} a by birth_date"
    rule = f"contradicts birth_date (allowed {plain(round(most, 1))} a apart)"
    return [Problem("contradiction", "age", both, rule, "send one of the two, or correct it")]


def _breach(path: str, identity: Identity, values: Values) -> list[Problem]:
    value, expected = values[identity.name], identity.compute(values)
    if identity.allows(value, expected):
        return []
    check = f"check {', '.join(identity.parts)} and {identity.name} for a swap or a unit"
    other = _other_denominator(identity, values)
    if other is not None:
        check = f'if the share is of {other}, send {DENOMINATOR} "{other}"; else {check}'
    return [
        Problem(
            "contradiction",
            f"{path}.{identity.name}",
            _said(identity.name, value),
            f"contradicts {_said(identity.name, expected)}, {identity.says} ({identity.allowed})",
            "check the items and the total" if identity.points else check,
        )
    ]


def _other_denominator(identity: Identity, values: Values) -> str | None:
    """The denominator with which the Treg share gives the Treg count, where that of the identity does not."""
    if identity.name != "treg_count" or identity.given is None:
        return None
    wholes = {"cd4": "cd4_count", "lymphocytes": "lymphocytes", "leukocytes": "leukocytes"}
    found: dict[str, float] = {}
    for denominator, whole in wholes.items():
        if whole in values and denominator != identity.given[2] and values[identity.name] > 0.0:
            cells = values[whole] if whole == "cd4_count" else values[whole] * 1000.0
            expected = cells * values[SHARE] / 100.0
            if LOWEST_RATIO * expected <= values[identity.name] <= HIGHEST_RATIO * expected:
                found[denominator] = abs(math.log(values[identity.name] / expected))
    return min(found, key=found.__getitem__) if found else None


def _said(name: str, value: float) -> str:
    return amount(plain(value), vocabulary().quantities[name].unit)
