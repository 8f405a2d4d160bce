"""What a record holds that an answer does not rest on, worked out anew; a part of the evaluator."""

from __future__ import annotations

from tests.proof.patient_facts import CATEGORIES, FOLLOWS, QUANTITIES, Facts

LEAST_SHARE = 0.1  # docs/decisions/0015-changes-over-short-spans.md
CHANGE, DELAY = "_change_per_month", "diagnostic_delay_months"


def unused(facts: Facts, inputs: list[str], columns: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Codes and columns of the cautions, for a model of these quantities and columns."""
    changing = [name for name in inputs if QUANTITIES[name]["column"] + CHANGE in columns]
    histories = [name for name in changing if len(facts.readings.get(name, [])) > 1]
    limits = [name for name in histories if any(limit for _, _, limit in facts.readings[name])]
    short = [name for name in histories if facts.share_of_readings.get(name, 1.0) < LEAST_SHARE]
    named = {
        "not_an_input": [*_unknown(facts, inputs, columns), *_idle(facts, inputs)],
        "diagnosis_after_visit": [DELAY] if facts.late_diagnosis and DELAY in columns else [],
        "earlier_not_used": _superseded(facts, inputs, columns, changing),
        "limit_not_in_change": [QUANTITIES[name]["column"] + CHANGE for name in limits],
        "change_over_short_span": [QUANTITIES[name]["column"] + CHANGE for name in short],
    }
    return [(code, tuple(about)) for code, about in named.items() if about]


def parts_of(names: list[str] | set[str]) -> set[str]:
    """What these quantities follow from, where they were not measured."""
    return {part for name in names for part in FOLLOWS.get(name, ((),))[0]}


def _unknown(facts: Facts, inputs: list[str], columns: list[str]) -> list[str]:
    names = facts.sent - {*inputs, *parts_of(inputs)}
    found = [QUANTITIES[name]["column"] for name in QUANTITIES if name in names]
    for name, value in ((name, facts.said[name]) for name in CATEGORIES if name in facts.said):
        own = [column for column, one in CATEGORIES[name]["columns"].items() if one == value]
        if not set(CATEGORIES[name]["columns"]) & set(columns) or set(own) - set(columns):
            found += own or list(CATEGORIES[name]["columns"])
    given = {"age_years": facts.columns.get("age_years"), DELAY: facts.delay}
    return found + [column for column, value in given.items() if value is not None and column not in columns]


def _idle(facts: Facts, inputs: list[str]) -> list[str]:
    """Parts of inputs, and no inputs themselves, that were sent where nothing was computed from them."""
    used = {*inputs, *parts_of(facts.computed & set(inputs))}
    return [QUANTITIES[name]["column"] for name in QUANTITIES if name in (facts.sent & parts_of(inputs)) - used]


def _superseded(facts: Facts, inputs: list[str], columns: list[str], changing: list[str]) -> list[str]:
    """Earlier values other than the last, of what has no change in the model, and is in the change of no whole."""
    found = []
    for name in inputs:
        readings = facts.readings.get(name, [])
        if name in changing or not readings:
            continue
        wholes = [whole for whole in changing if name in parts_of([whole])]
        held = {month for whole in wholes for month, _, _ in facts.readings.get(whole, [])}
        _, value, limit = readings[-1]
        if any((v, bool(b)) != (value, bool(limit)) for month, v, b in readings if month not in held):
            found.append(str(QUANTITIES[name]["column"]))
    if len(facts.riluzole) > 1 and "riluzole_yes" in columns:
        found.append("riluzole_yes")
    return found
