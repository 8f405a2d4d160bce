"""What stands in a record and did not enter its answer, with why; `model.cautions` lists the rules."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from features.change import weight
from features.consistency import COMPLETED_FROM
from features.derive import CHANGE
from features.matrix import DesignMatrix
from features.units import DAYS_PER_MONTH
from features.vocabulary import Quantity, vocabulary
from model.answer import Caution

if TYPE_CHECKING:
    from model.cautions import Case

LEAST_WEIGHT = 0.1  # of a change in its own column: below it, what was measured is next to not used (assumption)
PATIENT = ("age_years", "diagnostic_delay_months")
RILUZOLE = "riluzole"


@lru_cache(16)
def taken(matrix: DesignMatrix) -> frozenset[str]:
    """The quantities that can change an answer: those of the features, and the parts that complete them."""
    names = set(matrix.quantities)
    return frozenset(names | {part for name in names for part in parts_of(name)})


@lru_cache(16)
def only_parts(matrix: DesignMatrix) -> Mapping[str, tuple[str, ...]]:
    """Quantities that are no inputs themselves, and the inputs that they are a part of.

    >>> only_parts(DesignMatrix(("nlr", "neutrophils_10e9_l")))
    {'lymphocytes': ('nlr',)}
    """
    found: dict[str, tuple[str, ...]] = {}
    for whole in matrix.quantities:
        for part in parts_of(whole):
            if part not in matrix.quantities:
                found[part] = (*found.get(part, ()), whole)
    return found


def parts_of(name: str) -> tuple[str, ...]:
    """The parts that a quantity is completed from."""
    return COMPLETED_FROM.get(name, ())


@lru_cache(16)
def without_change(matrix: DesignMatrix) -> Mapping[str, tuple[str, ...]]:
    """Inputs of which the model takes the last value and no change, and the inputs with a change they are part of.

    >>> without_change(DesignMatrix(("weight_kg", "bmi_kg_m2", "bmi_kg_m2_change_per_month", "crp_mg_l")))
    {'crp': (), 'weight': ('bmi',)}
    """
    own = changing(matrix)
    return {
        name: tuple(whole for whole in own if name in parts_of(whole))
        for name in matrix.quantities
        if name not in own
    }


@lru_cache(16)
def changing(matrix: DesignMatrix) -> Mapping[str, Quantity]:
    """The inputs whose change per month is a column."""
    known = frozenset(matrix.columns)
    return {name: quantity for name, quantity in matrix.quantities.items() if quantity.column + CHANGE in known}


@lru_cache(16)
def unknown_values(matrix: DesignMatrix) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Categories and values that a model does not know, and the columns that it would need for each.

    >>> found = unknown_values(DesignMatrix(("onset_bulbar", "sex_female", "riluzole_yes", "nlr")))
    >>> found[("onset_site", "respiratory")], found[("c9orf72", "normal")], len(found)
    (('onset_respiratory',), ('c9orf72_expanded',), 3)
    """
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for name, category in vocabulary().categories.items():
        known = [column for column in category.columns if column in matrix.columns]
        for value in category.values:
            own = tuple(column for column, said in category.columns.items() if said == value)
            if not known or any(column not in known for column in own):
                found[(name, value)] = own or tuple(category.columns)
    return found


@lru_cache(16)
def unknown_of_patient(matrix: DesignMatrix) -> tuple[str, ...]:
    """Age and diagnostic delay, where they are no columns."""
    return tuple(column for column in PATIENT if column not in matrix.columns)


def not_an_input(case: Case) -> list[Caution]:
    """What the model has no column for, and parts of values that were not computed from them."""
    unknown, labels = _unknown(case)
    idle, parts = _idle_parts(case)
    said = [f"Sent, but not known to this model and not used: {'; '.join(labels)}."] if labels else []
    if parts:
        said.append(
            "Known to this model only as a part of another value, which was sent itself or does not follow from "
            f"what was sent, and not used: {'; '.join(parts)}."
        )
    return [Caution("not_an_input", (*unknown, *idle), " ".join(said))] if said else []


def diagnosis_after_visit(case: Case) -> list[Caution]:
    """A delay that ends after the index visit: nobody knew of the diagnosis then, and no model learns from it."""
    record = case.record
    no_delay = record.diagnostic_delay_months is None
    if no_delay or record.knows_diagnosis or PATIENT[1] in unknown_of_patient(case.matrix):
        return []
    words = "The diagnosis came after the index visit, so the diagnostic delay was not used; check both times."
    return [Caution("diagnosis_after_visit", (PATIENT[1],), words)]


def earlier_not_used(case: Case) -> list[Caution]:
    """Earlier values that differ from the last, of inputs whose change the model does not take."""
    if len(case.record.visits) < 2:
        return []
    matrix = case.matrix
    found: set[str] = set()
    for name, wholes in without_change(matrix).items():
        readings = case.readings.get(name, ())
        if len(readings) < 2:
            continue
        last = (readings[-1][1].value, readings[-1][1].comparator is None)
        through = {month for whole in wholes for month, _ in case.readings.get(whole, ())}
        if any((item.value, item.comparator is None) != last for month, item in readings if month not in through):
            found.add(name)
    columns, labels = _listed(found)
    category = vocabulary().categories[RILUZOLE]
    if len({visit.riluzole for visit in case.record.visits} - {None}) > 1:
        known = [column for column in category.columns if column in matrix.columns]
        columns += known
        labels += [category.label] if known else []
    if not labels:
        return []
    words = (
        f"Of these the last value was used and no earlier one, as this model takes no change: {'; '.join(labels)}."
    )
    return [Caution("earlier_not_used", tuple(columns), words)]


def limit_not_in_change(case: Case) -> list[Caution]:
    """Readings beyond a limit: of where the value lay they say too little for a change."""
    columns, said = [], []
    for quantity in _changing(case):
        readings = case.readings[quantity.name]
        limits = sum(item.comparator is not None for _, item in readings)
        if limits:
            left = "" if len(readings) - limits >= 2 else ", so no change is known"
            columns.append(quantity.column + CHANGE)
            said.append(f"{quantity.label} ({limits} of {len(readings)} readings{left})")
    if not said:
        return []
    words = f"Readings beyond a limit do not enter the change per month: {'; '.join(said)}."
    return [Caution("limit_not_in_change", tuple(columns), words)]


def change_over_short_span(case: Case) -> list[Caution]:
    """Changes that rest on what is usual, because the readings span too little to say much."""
    columns: list[str] = []
    spans: dict[str, list[str]] = {}
    for quantity in _changing(case):
        exact = [(month, item.value) for month, item in case.readings[quantity.name] if item.comparator is None]
        if len(exact) >= 2 and (share := weight(exact)) < LEAST_WEIGHT:
            days = round((exact[-1][0] - exact[0][0]) * DAYS_PER_MONTH)
            columns.append(quantity.column + CHANGE)
            spans.setdefault(f"over {days} day{'' if days == 1 else 's'} (weighs {share:.1%})", []).append(
                quantity.label
            )
    if not spans:
        return []
    said = "; ".join(f"{', '.join(labels)} {span}" for span, labels in spans.items())
    words = (
        f"Readings so near in time say little of a change per month: {said}. The rest of it is what was expected "
        "without them: for a functional score its course so far, for anything else no change."
    )
    return [Caution("change_over_short_span", tuple(columns), words)]


def _changing(case: Case) -> Iterator[Quantity]:
    """Those with two readings or more whose change is a column."""
    if len(case.record.visits) < 2:
        return
    for name, quantity in changing(case.matrix).items():
        if len(case.readings.get(name, ())) >= 2:
            yield quantity


def _unknown(case: Case) -> tuple[list[str], list[str]]:
    """Columns and labels of what was sent and the model does not know: quantities, categories, age, delay."""
    words = vocabulary()
    sent = {name for visit in case.record.visits for name in visit.measurements} - taken(case.matrix)
    columns, labels = _listed(sent)
    said = dict(case.record.categories)
    for visit in case.record.visits:
        if visit.riluzole is not None:
            said[RILUZOLE] = visit.riluzole
    for (name, value), missing in unknown_values(case.matrix).items():
        if said.get(name) == value:
            columns += missing
            labels.append(f"{words.categories[name].label} ({value})")
    given = dict(zip(PATIENT, (case.record.age_years, case.record.diagnostic_delay_months), strict=True))
    for column in unknown_of_patient(case.matrix):
        if given[column] is not None:
            columns.append(column)
            labels.append(words.by_column[column].label)
    return columns, labels


def _idle_parts(case: Case) -> tuple[list[str], list[str]]:
    """Columns and labels of what was sent, is an input only as a part of another quantity, and was not used so."""
    sent = {name for visit in case.record.visits for name in visit.measurements}
    parts = only_parts(case.matrix)
    return _listed({name for name in sent if name in parts and not _computed(case, parts[name])})


def _computed(case: Case, wholes: tuple[str, ...]) -> bool:
    """Whether any of these quantities was computed from its parts at any visit."""
    sent = {visit.month: visit.measurements for visit in case.record.visits}
    return any(
        item is not sent[month].get(whole) for whole in wholes for month, item in case.readings.get(whole, ())
    )


def _listed(names: Collection[str]) -> tuple[list[str], list[str]]:
    """Columns and labels of quantities, in the order of the vocabulary."""
    if not names:
        return [], []
    found = [quantity for name, quantity in vocabulary().quantities.items() if name in names]
    return [each.column for each in found], [each.label for each in found]
