"""A long table, one row a visit, columns named by the vocabulary: the table form of a patient's record.

The rows of a patient become the same JSON shape that a clinic system sends, and go through the same parser; a
problem is told with its row and column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from features.consistency import MOST_YEARS_APART
from features.identifier import REMEDY, IdentifierError, identifier
from features.measurement import not_a_limit, parse_measurement
from features.parse import parse_record
from features.problem import Problem, Rejected, shown
from features.record import Measurement, PatientRecord
from features.stated import statement_of, unstated
from features.units import DAYS_PER_MONTH, plain, to_canonical
from features.vocabulary import Quantity, vocabulary

PATIENT, SITE, DEATH = "patient_id", "site", "death_month"
TIME, DATE, ONSET = "months_since_onset", "visit_date", "onset_date"  # a table has the first, or the other two
BIRTH = "birth_date"  # in place of the age, where visits have dates
AGE, DELAY = "age_years", "diagnostic_delay_months"
COMPARATOR = "_comparator"
OTHER_COLUMNS = (PATIENT, SITE, DATE, ONSET, BIRTH, DEATH)
CENSORED = re.compile(r"\s*([<>])\s*([0-9.eE+-]+)\s*")
_DECIMAL_COMMA = re.compile(r'" *[<>]? *[-+]?[0-9.]*,[0-9]+ *"')
_PLACE = re.compile(r"row (\d+)(?:: (.*))?")
_STAMP = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T][0-9:.]+(?:Z|[+-][0-9:]+)?")

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class TablePatient:
    """The rows of one patient: where they stand in the table, and the record they make or its problems."""

    patient_id: str
    rows: tuple[int, ...]  # positions in the table, in time order
    record: PatientRecord | None
    problems: tuple[Problem, ...]


def known_columns() -> dict[str, str]:
    """Every column that a table may have, with the name of its quantity or category.

    >>> known_columns()["crp_mg_l"], known_columns()["sex"]
    ('crp', 'sex')
    """
    words = vocabulary()
    found = {quantity.column: quantity.name for quantity in words.quantities.values()}
    found.update({name: name for name in words.categories})
    found.update({column + COMPARATOR: column for column in list(found) if column in words.by_column})
    for quantity in words.quantities.values():
        for qualifier in quantity.qualifiers:
            found.setdefault(qualifier.name, quantity.name)
    found.update({column: column for column in OTHER_COLUMNS})
    return found


def patients(
    rows: Sequence[Row],
    units: Mapping[str, str] | None = None,
    *,
    numbers: Sequence[int] | None = None,
    today: date = date.max,
) -> list[TablePatient]:
    """The patients of a table, in order of first appearance; rows of a patient need not be contiguous.

    A row without ``patient_id`` is a patient of its own; so is one whose ``patient_id`` is no identifier, which is
    a problem.

    Args:
        rows: cells by vocabulary column; None, NaN, NA, NaT and empty text mean not measured. A text such as
            ``<0.3`` in a numeric column, or ``<`` in ``<column>_comparator``, means below that limit.
        units: the unit of a column where it is not the canonical one.
        numbers: what each row is called in a problem; by default they are counted from 1.
        today: the date of the caller's clock; a visit after it is refused.

    >>> rows = [{"patient_id": "a", "months_since_onset": 12.0, "alsfrs_r_total": 40, "sex": "male"},
    ...         {"patient_id": "a", "months_since_onset": 9.0, "alsfrs_r_total": 42, "sex": "male"}]
    >>> [patient] = patients(rows)
    >>> patient.rows, patient.record.visits[0].month
    ((1, 0), 9.0)
    """
    positions: dict[tuple[bool, str], list[int]] = {}
    called = range(1, len(rows) + 1) if numbers is None else numbers
    refused: dict[int, Problem] = {}
    for position, row in enumerate(rows):
        cell = row.get(PATIENT)
        key = (True, f"row {position + 1}")
        if not absent(cell):
            try:
                key = (False, identifier(cell))
            except IdentifierError as error:
                field = f"row {called[position]}: {PATIENT}"
                refused[position] = Problem("bad_identifier", field, shown(cell), str(error), REMEDY)
        positions.setdefault(key, []).append(position)
    found = [_patient(key, where, rows, units or {}, called, today) for (_, key), where in positions.items()]
    return [_refused(patient, refused) for patient in found] if refused else found


def _refused(patient: TablePatient, refused: Mapping[int, Problem]) -> TablePatient:
    """The patient without a record, if it is a row whose identifier is none."""
    own = tuple(refused[row] for row in patient.rows if row in refused)
    return replace(patient, record=None, problems=own + patient.problems) if own else patient


def absent(cell: object) -> bool:
    """Whether a cell says that nothing was measured.

    >>> absent(None), absent(float("nan")), absent(" "), absent(0)
    (True, True, True, False)
    """
    if cell is None or isinstance(cell, str):
        return cell is None or not cell.strip()
    try:
        return bool(cell != cell)  # noqa: PLR0124 - NaN of any float type, and pandas' NaT
    except TypeError:  # pandas' NA, of which not even this is known
        return True


def _patient(
    patient_id: str,
    where: list[int],
    rows: Sequence[Row],
    units: Mapping[str, str],
    numbers: Sequence[int],
    today: date,
) -> TablePatient:
    ordered = sorted(where, key=lambda position: _time(rows[position], units))
    found: list[Problem] = []
    body: dict[str, object] = {"visits": [_visit(rows[position], units) for position in ordered]}
    _constants([rows[position] for position in ordered], units, body, found)
    record: PatientRecord | None = None
    try:
        record = parse_record(body, today=today, afterwards=True)
    except Rejected as rejected:
        found += rejected.every
    named = tuple(_in_table(problem, [numbers[position] for position in ordered]) for problem in found)
    return TablePatient(patient_id, tuple(ordered), None if named else record, named)


def _time(row: Row, units: Mapping[str, str]) -> float:
    """Months, for the order of rows and the time between them; infinite where the row does not say."""
    months = canonical(TIME, number(row.get(TIME)), units)
    if months is not None:
        return months
    try:
        return date.fromisoformat(day_of(row.get(DATE))).toordinal() / DAYS_PER_MONTH
    except ValueError:
        return math.inf


def day_of(cell: object) -> str:
    """The day of a date, a time stamp or their text, as YYYY-MM-DD; any other text as it is, for the parser.

    A year alone may be a number.

    >>> day_of(date(2025, 9, 1)), day_of("2025-09-01 00:00:00"), day_of("2025-09-011"), day_of("1.9.2025")
    ('2025-09-01', '2025-09-01', '2025-09-011', '1.9.2025')
    >>> day_of("2025-09"), day_of(2025), day_of(2025.0)
    ('2025-09', '2025', '2025')
    """
    text = str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell).strip()
    stamp = _STAMP.fullmatch(text)
    return stamp[1] if stamp is not None else text


def canonical(column: str, value: object, units: Mapping[str, str]) -> float | None:
    """A cell's number in the canonical unit of its column; nothing for what the parser will refuse."""
    quantity = vocabulary().by_column[column]
    unit = units.get(column, quantity.unit)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or unit not in quantity.units:
        return None
    found = to_canonical(quantity, value, unit)
    return found if math.isfinite(found) else None


def _visit(row: Row, units: Mapping[str, str]) -> dict[str, object]:
    words = vocabulary()
    measurements: dict[str, object] = {}
    for column, quantity in words.by_column.items():
        cell = row.get(column)
        if quantity.level == "patient" or absent(cell):
            continue
        measurements[quantity.name] = measurement(row, quantity, cell, units)
    visit: dict[str, object] = {"measurements": measurements}
    time = row.get(TIME)
    if not absent(time):
        visit[TIME] = {"value": number(time), "unit": units.get(TIME, "mo")}
    day = row.get(DATE)
    if not absent(day):
        visit["date"] = day_of(day)
    riluzole = row.get("riluzole")
    if not absent(riluzole):
        visit["riluzole"] = riluzole
    return visit


def measurement(row: Row, quantity: Quantity, cell: object, units: Mapping[str, str]) -> dict[str, object]:
    """The cell of a quantity in the shape of a record: value, unit, comparator, qualifiers; nothing is checked yet.

    >>> measurement({"crp_mg_l": "<0.3"}, vocabulary().by_column["crp_mg_l"], "<0.3", {})
    {'value': 0.3, 'unit': 'mg/L', 'comparator': '<'}
    """
    value, comparator = number(cell), row.get(quantity.column + COMPARATOR)
    censored = CENSORED.fullmatch(cell) if isinstance(cell, str) else None
    if censored is not None:
        value = number(censored[2])
        contradicted = not absent(comparator) and comparator != censored[1]
        comparator = (
            f"{censored[1]} and {comparator}" if contradicted else censored[1]
        )  # the first is none: refused
    measured: dict[str, object] = {"value": value, "unit": units.get(quantity.column, quantity.unit)}
    if not absent(comparator):
        measured["comparator"] = comparator
    for qualifier in quantity.qualifiers:
        said = row.get(qualifier.name)
        if not absent(said):
            measured[qualifier.name] = said
    return measured


def number(cell: object) -> object:
    """A cell as a JSON number if it is one, else as it is (the parser will say what is wrong with it).

    >>> number("12.5"), number("twelve"), number(3), number(Decimal("4.20"))
    (12.5, 'twelve', 3, 4.2)
    """
    if isinstance(cell, str):
        try:
            return float(cell) if "_" not in cell else cell
        except ValueError:
            return cell
    if isinstance(cell, Decimal):
        return float(cell)
    if not isinstance(cell, (int, float)) and hasattr(cell, "item"):
        plain: object = cell.item()
        return plain
    return cell


def _constants(rows: list[Row], units: Mapping[str, str], body: dict[str, object], problems: list[Problem]) -> None:
    """What is true of the patient on every row; rows that contradict each other are a problem."""
    dated = not all(absent(row.get(DATE)) for row in rows)
    for column in (ONSET, BIRTH):
        days = _constant(rows, column, day_of, problems) if dated or column == BIRTH else None
        if days is not None:
            body[column] = days
    for name in vocabulary().categories:
        value = None if name == "riluzole" else _constant(rows, name, lambda cell: cell, problems)
        if value is not None:
            body[name] = value
    delay = _constant(rows, DELAY, number, problems)
    if delay is not None:
        body["diagnostic_delay"] = {"value": delay, "unit": units.get(DELAY, "mo")}
    _age(rows, units, body, problems)
    for column in (TIME, AGE, DELAY):
        problems += [
            not_a_limit(
                f"visits[{at}].{column}{COMPARATOR}", vocabulary().by_column[column], row[column + COMPARATOR]
            )
            for at, row in enumerate(rows)
            if not absent(row.get(column + COMPARATOR)) and not absent(row.get(column))
        ]


def _constant(
    rows: list[Row], column: str, read: Callable[[object], object], problems: list[Problem]
) -> object | None:
    """The one value of a column, None if no row has it; the first row that has another is a problem."""
    found = [(at, read(row[column])) for at, row in enumerate(rows) if not absent(row.get(column))]
    others = [(at, value) for at, value in found if value != found[0][1]]
    if others:
        at, value = others[0]
        rule, remedy = "contradicts another row of the patient", "correct the rows, or split the patient"
        both = f"{shown(value)} and {shown(found[0][1])}"
        problems.append(Problem("contradiction", f"visits[{at}].{column}", both, rule, remedy))
    return found[0][1] if found else None


def _age(rows: list[Row], units: Mapping[str, str], body: dict[str, object], problems: list[Problem]) -> None:
    """The age at the last row, from the first row that has one and the time between (ages are often rounded).

    An age is that at the visit of its row, so ages that do not follow the time contradict each other; one age on
    all rows is that at the first of them.
    """
    quantity, unit = vocabulary().quantities["age"], units.get(AGE, "a")
    known: list[tuple[int, float, float]] = []  # row, years, the time of the row in months
    for at, row in enumerate(rows):
        if absent(row.get(AGE)):
            continue
        sent = {"value": number(row[AGE]), "unit": unit}
        found = parse_measurement(f"visits[{at}].age", quantity, sent, exact=True)
        if not isinstance(found, Measurement):
            problems += [each for each in found if all(not _alike(each, other) for other in problems)]
        elif math.isfinite(_time(row, units)):
            known.append((at, found.value, _time(row, units)))
    if not known:
        return
    (_, first, start), end = known[0], _time(rows[-1], units)
    body["age"] = {"value": first + (end - start) / 12.0 if math.isfinite(end) else first, "unit": quantity.unit}
    if all(years == first for _, years, _ in known):
        return
    for at, years, month in known:
        expected = first + (month - start) / 12.0
        if abs(years - expected) > MOST_YEARS_APART:
            both = f"{plain(years)} a, and {expected:.1f} a by an earlier row"
            rule = f"contradicts the age of another row and the time between (allowed {MOST_YEARS_APART} a apart)"
            remedy = "send the age at the visit of each row, or birth_date in its place"
            problems.append(Problem("contradiction", f"visits[{at}].age", both, rule, remedy))
            return


def _alike(problem: Problem, other: Problem) -> bool:
    """Whether it says the same of another row: a wrong unit is wrong in all of them."""
    return (problem.code, problem.value, problem.rule) == (other.code, other.value, other.rule)


def row_and_column(field: str) -> tuple[int | None, str]:
    """The place that the field of a table's problem names: the data row (1 is the first) and the column, if any.

    >>> row_and_column("row 3: crp_mg_l"), row_and_column("row 3"), row_and_column("sex")
    ((3, 'crp_mg_l'), (3, ''), (None, 'sex'))
    """
    found = _PLACE.fullmatch(field)
    return (None, field) if found is None else (int(found[1]), found[2] or "")


def _in_table(problem: Problem, called: Sequence[int]) -> Problem:
    """The problem with its row and column, where the parser told the place in the record."""
    if problem.rule == "is not a number":
        comma = _DECIMAL_COMMA.fullmatch(problem.value or "") is not None
        remedy = (
            "write a point, not a comma, and nothing between thousands" if comma else "write a number, or nothing"
        )
        problem = replace(problem, remedy=remedy)
    name, _, key = problem.field.rpartition(".")
    if problem.code == "missing_key" and key in vocabulary().qualifiers:
        quantity = vocabulary().quantities[name.rpartition(".")[2]]
        problem = replace(problem, rule=unstated(quantity), remedy=statement_of(vocabulary().qualifiers[key]))
    found = re.match(r"visits\[(\d+)\]\.?", problem.field)
    if found is None:
        return replace(problem, field=_in_column(problem.field))
    field = _in_column(problem.field[found.end() :].removeprefix("measurements."))
    row = called[int(found[1])]
    return replace(problem, field=f"row {row}: {field}" if field else f"row {row}")


def _in_column(field: str) -> str:
    """The column that a field of the record comes from; a unit comes from the mapping, and is told with its column.

    >>> _in_column("crp.value"), _in_column("crp.comparator"), _in_column("crp.unit"), _in_column("date")
    ('crp_mg_l', 'crp_mg_l_comparator', 'crp_mg_l.unit', 'visit_date')
    """
    name, _, key = field.partition(".")
    quantity = vocabulary().quantities.get(name)
    if quantity is None:
        return DATE if field == "date" else field
    if key in vocabulary().qualifiers:
        return key
    endings = {"comparator": COMPARATOR, "unit": ".unit"}
    return quantity.column + endings.get(key, "")
