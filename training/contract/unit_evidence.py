"""Evidence that a column, a site, some rows or one value stand in another unit than the one that is stated.

Nothing is converted: a unit is never guessed. What speaks for another unit is told, with the numbers, for a person
to decide. The limits below are assumptions, chosen so that known good data raise no alarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import numpy as np

from features.units import amount, outside, plain
from features.vocabulary import Quantity
from training.contract.contract_finding import Finding, Material, Severity
from training.contract.contract_readings import Floats, Readings
from training.contract.mixed_units import apart, odd_within_patients, two_groups
from training.contract.typical_range import TypicalRange, typical_range

FEWEST_VALUES = 8
"""Assumption: the median of fewer patients says little of a unit."""
FAR = 2.0
"""Assumption: a median this many times outside its typical range is worth a note, even if no unit explains it."""


def unit_of_column(material: Material) -> Iterator[Finding]:
    """The median of a column lies outside its typical range, and would lie inside in another unit."""
    for column, found in material.readings.items():
        typical = typical_range(column)
        medians = _by_patient(found, material)
        if typical is None or len(medians) < FEWEST_VALUES:
            continue
        middle = median(medians.tolist())
        side = "above" if middle > typical.high else "below" if middle < typical.low else None
        if side is None:
            continue
        others = {unit: middle * found.factor(unit) for unit in found.other_units}
        fits = {unit: value for unit, value in others.items() if typical.low <= value <= typical.high}
        if fits:
            yield _another_unit(column, found, middle, side, typical, fits)
        elif not typical.low / FAR <= middle <= typical.high * FAR:
            yield _unexplained(column, found.quantity, middle, side, typical)


def unit_of_site(material: Material) -> Iterator[Finding]:
    """One site's values lie a known factor of two units away from those of all others."""
    for column, found in material.readings.items():
        for site, (here, elsewhere), unit, factor in _sites_apart(found, material):
            yield _site(column, found, site, (here, elsewhere), (unit, factor))


def unit_of_rows(material: Material) -> Iterator[Finding]:
    """Values of a column fall into two groups, a known factor of two units apart: the rows of the smaller one."""
    for found in _measured(material):
        for unit, factor in _factors(found):
            higher = two_groups(found.values, factor)
            if higher is None or _sites_apart(found, material):
                continue  # two sites are two groups, told by `unit_of_site`
            low, high = (float(np.median(found.values[part])) for part in (~higher, higher))
            rule = (
                f"is of the smaller of two groups of values, around {_number(found.quantity, low)} and "
                f"{_number(found.quantity, high)}; {found.unit} and {unit} are {plain(factor)} times apart"
            )
            smaller = higher if higher.sum() * 2 <= len(higher) else ~higher
            yield from (_row(material, found, int(at), rule, unit) for at in np.flatnonzero(smaller))


def unit_of_visit(material: Material) -> Iterator[Finding]:
    """A value lies a known factor of two units away from the patient's others."""
    for found in _measured(material):
        for unit, factor in _factors(found):
            if two_groups(found.values, factor) is not None:
                continue  # told by `unit_of_rows`
            for at, usual in odd_within_patients(found.values, _patients(found, material), factor):
                rule = (
                    f"is {found.values[at] / usual:.3g} times the patient's other values, around "
                    f"{_number(found.quantity, usual)}; {found.unit} and {unit} are {plain(factor)} times apart"
                )
                yield _row(material, found, at, rule, unit)


def _measured(material: Material) -> list[Readings]:
    """Measured values of visits, no limits. Months and ages run through all sizes of their own."""
    return [found.exact for found in material.readings.values() if found.quantity.level == "visit"]


def _sites_apart(found: Readings, material: Material) -> list[tuple[str, tuple[Floats, Floats], str, float]]:
    """Sites whose values lie apart: site, medians of its patients and of the others', unit, factor."""
    apart_from: list[tuple[str, tuple[Floats, Floats], str, float]] = []
    if not found.other_units:
        return apart_from
    for site, rows in material.sites.items():
        mine = np.isin(found.rows, rows)
        here, elsewhere = (_by_patient(found.only(which), material) for which in (mine, ~mine))
        if min(len(here), len(elsewhere)) < FEWEST_VALUES:
            continue
        for unit, factor in _factors(found):
            if apart(here, elsewhere, factor):
                apart_from.append((site, (here, elsewhere), unit, factor))
    return apart_from


def _another_unit(
    column: str, found: Readings, middle: float, side: str, typical: TypicalRange, fits: dict[str, float]
) -> Finding:
    quantity = found.quantity
    would = ", ".join(f"in {unit} it would be {_number(quantity, value)}" for unit, value in fits.items())
    unit = next(iter(fits))
    return Finding(
        Severity.WARNING,
        "likely_unit",
        f"lies {side} {_span(quantity, typical)}, {typical.source}; {would}",
        f"ask the laboratory; if it is {unit}, say so in the mapping: "
        f'{column} = {{ header = "...", unit = "{unit}" }}',
        column=column,
        value=f"median {_number(quantity, middle)}",
    )


def _unexplained(column: str, quantity: Quantity, middle: float, side: str, typical: TypicalRange) -> Finding:
    known = "no unit that the vocabulary knows explains it" if len(quantity.units) > 1 else "check the assay"
    refused = outside(quantity, middle) is not None
    return Finding(
        Severity.WARNING if refused else Severity.NOTE,
        "unusual_median",
        f"lies {side} {_span(quantity, typical)}, {typical.source}; {known}",
        "check the unit, the assay and who was measured",
        column=column,
        value=f"median {_number(quantity, middle)}",
    )


def _site(
    column: str, found: Readings, site: str, medians: tuple[Floats, Floats], unit: tuple[str, float]
) -> Finding:
    here, elsewhere = (float(np.median(values)) for values in medians)
    other, factor = unit
    return Finding(
        Severity.WARNING,
        "site_unit",
        f"lies {plain(round(here / elsewhere, 4))} times as high as the median of the other sites, "
        f"{_number(found.quantity, elsewhere)}; {found.unit} and {other} are {plain(factor)} times apart",
        f"ask site {site} for the unit of its {column}, and convert its values before they are put together",
        column=column,
        value=f"site {site}: median {_number(found.quantity, here)}",
    )


def _row(material: Material, found: Readings, at: int, rule: str, unit: str) -> Finding:
    row = int(found.rows[at])
    remedy = f"ask whether it, or those it is compared with, stand in {unit}; convert them before the file is read"
    return Finding(
        Severity.WARNING,
        "mixed_units",
        rule,
        remedy,
        column=found.quantity.column,
        row=row + 1,
        patient_id=material.owners[row],
        value=amount(plain(float(found.raw[at])), found.unit),
    )


def _by_patient(found: Readings, material: Material) -> Floats:
    """One value a patient, the median of theirs, so that who is seen often does not count more."""
    grouped: dict[str, list[float]] = {}
    for patient, value in zip(_patients(found, material), found.values.tolist(), strict=True):
        grouped.setdefault(patient, []).append(value)
    return np.array([median(values) for values in grouped.values()], dtype=np.float64)


def _patients(found: Readings, material: Material) -> list[str]:
    return [material.owners[row] for row in found.rows]


def _factors(found: Readings) -> list[tuple[str, float]]:
    """Other units and how many times (above 1) they are apart from the one that is held."""
    return [(unit, max(found.factor(unit), 1.0 / found.factor(unit))) for unit in found.other_units]


def _number(quantity: Quantity, value: float) -> str:
    return amount(f"{value:.3g}" if abs(value) < 1000 else plain(round(value)), quantity.unit)


def _span(quantity: Quantity, typical: TypicalRange) -> str:
    return amount(f"{typical.low:.3g} to {typical.high:.3g}", quantity.unit)
