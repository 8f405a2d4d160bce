"""An empty cohort table with every header of the vocabulary, and the dictionary of what each column holds."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from features.derive import qualified
from features.mapping import PROVENANCE
from features.table import AGE, BIRTH, COMPARATOR, DATE, DEATH, DELAY, ONSET, PATIENT, SITE, TIME
from features.units import plain
from features.vocabulary import Category, Qualifier, Quantity, vocabulary
from training.contract.typical_range import typical_range

VISIT, OF_PATIENT = "visit", "patient"
PARTIAL = "YYYY-MM-DD, YYYY-MM or YYYY"
LIMIT = "a cell such as <0.3 is a limit of detection"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the dictionary; every field is text for a person.

    Attributes:
        column: header in the table.
        label: what it is.
        unit: of the numbers in the column.
        other_units: accepted too, if a mapping file names one.
        plausible_range: in ``unit``; a value outside is refused.
        allowed_values: of a text.
        required: "yes", or what it is needed for.
        level: whether it is of the visit, or the same on all rows of a patient.
        example: made up.
    """

    column: str
    label: str
    unit: str
    other_units: str
    plausible_range: str
    allowed_values: str
    required: str
    level: str
    example: str


FIRST = (
    Entry(PATIENT, "Identifier of the patient", "", "", "", "any text", "yes", OF_PATIENT, "P001"),
    Entry(SITE, "Clinic or laboratory", "", "", "", "any text", "no", VISIT, "north"),
    Entry(DATE, "Day of the visit", "", "", "", "YYYY-MM-DD", f"or {TIME}", VISIT, ""),
    Entry(ONSET, "Date of the first symptom", "", "", "", PARTIAL, f"where there is {DATE}", OF_PATIENT, ""),
    Entry(
        BIRTH, "Date of birth", "", "", "", PARTIAL, f"no; in place of {AGE} where there is {DATE}", OF_PATIENT, ""
    ),
)
LAST = (
    Entry(DEATH, "Death, months since onset", "mo", "", "", "", "no", OF_PATIENT, ""),
    Entry(PROVENANCE, "Where the patients come from", "", "", "", "any text", "no", VISIT, "real: clinic, 2026"),
)


def dictionary() -> tuple[Entry, ...]:
    """An entry for each column of the template: who and when, constants, measurements by group, the rest.

    >>> [entry.column for entry in dictionary()][:5]
    ['patient_id', 'site', 'months_since_onset', 'visit_date', 'onset_date']
    >>> next(entry for entry in dictionary() if entry.column == "crp_mg_l").other_units
    'mg/dL, ug/mL, ug/L, ng/mL'
    """
    words = vocabulary()
    of_patient = [words.by_column[column] for column in (AGE, DELAY)]
    measured = [
        quantity
        for group in words.groups
        for quantity in words.quantities.values()
        if quantity.group == group and quantity.level == "visit"
    ]
    return (
        *FIRST[:2],
        _of_quantity(words.by_column[TIME]),
        *FIRST[2:],
        *(_of_category(category) for category in words.categories.values()),
        *(_of_quantity(quantity) for quantity in of_patient),
        *(_of_quantity(quantity) for quantity in measured),
        *(_of_qualifier(qualifier) for qualifier in words.qualifiers.values()),
        *LAST,
    )


def write_template(path: Path) -> None:
    """Write a CSV file with all headers and no row.

    Raises:
        ValueError: another ending than ``.csv``.
        OSError: the file cannot be written.
    """
    if path.suffix != ".csv":
        raise ValueError(f"{path}: not a .csv file")
    _write(path, _as_csv([[entry.column for entry in dictionary()]]))


def write_dictionary(path: Path) -> None:
    """Write the dictionary as ``.csv`` or ``.md``.

    Raises:
        ValueError: another ending.
        OSError: the file cannot be written.
    """
    if path.suffix not in (".csv", ".md"):
        raise ValueError(f"{path}: not a .csv or .md file")
    headings = [field.name for field in fields(Entry)]
    rows = [list(astuple(entry)) for entry in dictionary()]
    if path.suffix == ".csv":
        _write(path, _as_csv([headings, *rows]))
        return
    lines = [
        "# Data dictionary of a Tregcast cohort",
        "",
        "One row a visit. Leave a cell empty where nothing was measured. "
        f"For numbers, {LIMIT}, as is `<` in `COLUMN{COMPARATOR}`. "
        f"Date visits in one way: {TIME}, or {DATE} with {ONSET}. Examples are made up.",
        "",
        *(_line(row) for row in ([name.replace("_", " ") for name in headings], ["---"] * len(headings), *rows)),
    ]
    _write(path, "\n".join(lines) + "\n")


def _of_qualifier(qualifier: Qualifier) -> Entry:
    needed = " and ".join(q.column for q in qualified() if qualifier in q.qualifiers)
    label = f"{qualifier.label[0].upper()}{qualifier.label[1:]} of {needed}"
    values, required = ", ".join(qualifier.values), f"where {needed} have a value" if " and " in needed else ""
    required = required or f"where {needed} has a value"
    return Entry(qualifier.name, label, "", "", "", values, required, VISIT, next(iter(qualifier.values)))


def _of_quantity(quantity: Quantity) -> Entry:
    low, high = (plain(limit) for limit in quantity.plausible)
    return Entry(
        column=quantity.column,
        label="Age at the visit of the row" if quantity.column == AGE else quantity.label,
        unit=quantity.unit,
        other_units=", ".join(unit for unit in quantity.units if unit != quantity.unit),
        plausible_range=f"{low} to {high}",
        allowed_values="whole numbers" if quantity.integer else "",
        required={TIME: f"or {DATE}", "alsfrs_r_total": "this or alsfrs_total, for the outcome"}.get(
            quantity.column, "no"
        ),
        level=VISIT if quantity.level == "visit" or quantity.column == TIME else OF_PATIENT,
        example=_example(quantity),
    )


def _of_category(category: Category) -> Entry:
    level = VISIT if category.name == "riluzole" else OF_PATIENT
    return Entry(
        category.name, category.label, "", "", "", ", ".join(category.values), "no", level, category.values[0]
    )


def _example(quantity: Quantity) -> str:
    """A value from the middle of the typical range, else of the plausible one (on a logarithmic scale)."""
    typical = typical_range(quantity.column)
    low, high = quantity.plausible if typical is None else (typical.low, typical.high)
    if quantity.references:
        low, high = quantity.references[0][1]  # of one way to measure it, the one of the examples
    middle = math.sqrt(low * high) if typical is None and low > 0.0 else (low + high) / 2.0
    return plain(round(middle)) if quantity.integer else f"{middle:.3g}"


def _as_csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
