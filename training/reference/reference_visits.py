"""The long table of the reference cohort: what was measured of simulated patients at their visits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from features.consistency import ITEMS_ALSFRS_R
from features.table import COMPARATOR, DEATH, PATIENT, SITE, TIME
from features.vocabulary import vocabulary
from training.reference.disease_course import Booleans, Ends, Floats, Texts, Visits, items, totals
from training.reference.reference_constants import Constants, Variable
from training.reference.reference_people import People, limit, values_at

TOTAL = "alsfrs_r_total"
MEASURED_AS = {"treg_denominator": "cd4", "treg_gate": "cd25_cd127low", "treg_responder_ratio": "1:1"}
"""How Tregs of simulated patients are measured, on every row; an assumption, for the papers gate in many ways."""
Columns = dict[str, Floats | Texts]


@dataclass(frozen=True, slots=True, eq=False)
class _Setting:
    """All that a column is made from."""

    constants: Constants
    people: People
    visits: Visits
    points_lost: Floats  # true points since enrolment, shape (visits,)
    clipped: Counter[str]
    generator: np.random.Generator

    @property
    def rows(self) -> int:
        return len(self.visits.patient)


def visit_table(
    constants: Constants, people: People, end: Ends, visits: Visits, generator: np.random.Generator
) -> tuple[pd.DataFrame, Counter[str]]:
    """The table, shape (visits, columns), and how many values were moved to a limit, by column."""
    at_enrolment = people.disease.score(visits.patient, np.zeros(len(visits.patient)))
    lost = at_enrolment - people.disease.score(visits.patient, visits.month)
    setting = _Setting(constants, people, visits, lost, Counter(people.clipped), generator)
    columns = {**_patient_columns(setting), **_function_columns(setting), **_marker_columns(setting)}
    index, parts = "bmi_kg_m2", ("weight_kg", "height_cm")
    whole = np.all([np.isfinite(np.asarray(columns[part], dtype=np.float64)) for part in parts], axis=0)
    columns[index] = np.where(whole, columns[index], np.nan)
    columns |= {name: np.full(setting.rows, value, dtype=object) for name, value in MEASURED_AS.items()}
    death = np.round(people.disease.months_before + end.death, 2)
    columns[DEATH] = np.where(end.death_known, death, np.nan)[visits.patient]
    series = {name: pd.Series(values, dtype=values.dtype) for name, values in columns.items()}  # text keeps None
    return pd.DataFrame(series), setting.clipped


def patient_ids(patients: int) -> list[str]:
    """The names of simulated patients.

    >>> patient_ids(2)
    ['sim-000001', 'sim-000002']
    """
    return [f"sim-{number:06d}" for number in range(1, patients + 1)]


def _patient_columns(setting: _Setting) -> Columns:
    """What is true of the patient on every row, less what the clinic does not know; age goes with the time."""
    people, patient, month = setting.people, setting.visits.patient, setting.visits.month
    columns: Columns = {
        PATIENT: np.array(patient_ids(people.count), dtype=object)[patient],
        SITE: people.texts[SITE][patient],
        TIME: np.round(people.disease.months_before[patient] + month, 2),
    }
    for name, variable in setting.constants.variables.items():
        known = setting.generator.random(people.count) < variable.baseline
        if name in people.texts and name != SITE:
            columns[name] = _text_where(known, people.texts[name])[patient]
        elif name in people.numbers and name in vocabulary().by_column:
            values = people.numbers[name][patient] + (month / 12.0 if name == "age_years" else 0.0)
            columns |= _reported(setting, variable, values, known[patient])
    return columns


def _function_columns(setting: _Setting) -> Columns:
    """The ALSFRS-R total of every visit, and the twelve items of most."""
    course, patient = setting.constants.course, setting.visits.patient
    score = setting.people.disease.score(patient, setting.visits.month)
    total = totals(score, course, setting.generator)
    item = items(total, patient, setting.people.texts["onset_site"], course, setting.generator).astype(np.float64)
    item[setting.generator.random(setting.rows) >= course.items_share] = np.nan
    columns: Columns = {TOTAL: total.astype(np.float64)}
    columns.update({name: item[:, i] for i, name in enumerate(ITEMS_ALSFRS_R)})
    return columns


def _marker_columns(setting: _Setting) -> Columns:
    complete, taken, columns = _measured(setting), _taken(setting), Columns()
    at_enrolment = setting.visits.planned == 0
    for name, values in complete.items():
        variable = setting.constants.variables[name]
        share = np.where(at_enrolment, variable.baseline, variable.follow_up)
        columns |= _reported(setting, variable, values, taken[name] < share)
    return columns


def _measured(setting: _Setting) -> dict[str, Floats]:
    """Every marker at every visit, as if none were missing: a lasting trait, the noise of the day, the decline.

    Parts are rounded before what is computed from them, so that a printed Treg count is the product of the printed
    CD4+ count and share.
    """
    people, patient = setting.people, setting.visits.patient
    sex = people.texts["sex"][patient]
    found: dict[str, Floats] = {}
    for name, variable in setting.constants.variables.items():
        if variable.assay_cv is None or not variable.marginals:
            continue
        noise = setting.generator.standard_normal(setting.rows)
        lasting = variable.stability
        scores = np.sqrt(lasting) * people.traits[name][patient] + np.sqrt(1.0 - lasting) * noise
        found[name] = values_at(variable, scores, sex) * _shift(
            setting.constants, name, people.texts[SITE][patient]
        )
    _lower(setting, found)
    _fit_t_cells(setting, found)
    for name, values in found.items():
        found[name] = _rounded(setting, setting.constants.variables[name], values)
    _compute(setting, found)
    return found


def _shift(constants: Constants, name: str, site: Texts) -> Floats:
    """How many times too high the laboratories of the sites read this variable, shape (visits,)."""
    if name not in constants.shifted:
        return np.ones(len(site))
    return np.array([constants.shifts[each] for each in site])


def _lower(setting: _Setting, found: dict[str, Floats]) -> None:
    """Vital capacity and weight fall with the points lost since enrolment."""
    course, lost = setting.constants.course, setting.points_lost
    for name in ("fvc_pct", "svc_pct"):
        found[name] = found[name] - course.fvc_per_point * lost
    found["bmi_kg_m2"] = found["bmi_kg_m2"] * np.exp(-course.weight_pct_per_point / 100.0 * lost)


def _fit_t_cells(setting: _Setting, found: dict[str, Floats]) -> None:
    """CD4+ and CD8+ counts, part of the lymphocytes, scaled down together where they would exceed them."""
    both = found["cd4_count_per_ul"] + found["cd8_count_per_ul"]
    largest = setting.constants.course.largest_t_cell_share * 1000.0 * found["lymphocytes_10e9_l"]
    factor = np.minimum(1.0, largest / both)
    setting.clipped["cd4_count_per_ul"] += int((factor < 1.0).sum())
    for name in ("cd4_count_per_ul", "cd8_count_per_ul"):
        found[name] = found[name] * factor


def _compute(setting: _Setting, found: dict[str, Floats]) -> None:
    """What follows from other columns: leukocytes, Treg count, weight, and the index of the printed weight."""
    found["treg_count_per_ul"] = found["cd4_count_per_ul"] * found["treg_pct_cd4"] / 100.0
    parts = ("neutrophils_10e9_l", "lymphocytes_10e9_l", "monocytes_10e9_l")
    others = found.pop("other_leukocytes_10e9_l")
    found["leukocytes_10e9_l"] = np.sum([found[part] for part in parts], axis=0) + others
    height = _rounded(setting, setting.constants.variables["height_cm"], setting.people.numbers["height_cm"])
    metres = height[setting.visits.patient] / 100.0
    weight = found["bmi_kg_m2"] * metres**2
    found["weight_kg"] = _rounded(setting, setting.constants.variables["weight_kg"], weight)
    found["bmi_kg_m2"] = found["weight_kg"] / metres**2


def _taken(setting: _Setting) -> dict[str, Floats]:
    """Uniform numbers, one a marker and visit: it was taken where they lie below its share. Panels go together."""
    concordance = setting.constants.course.panel_concordance
    panels: dict[str, Floats] = {}
    found: dict[str, Floats] = {}
    for name, variable in setting.constants.variables.items():
        if variable.panel not in panels:
            panels[variable.panel] = setting.generator.standard_normal(setting.rows)
        own = setting.generator.standard_normal(setting.rows)
        scores = np.sqrt(concordance) * panels[variable.panel] + np.sqrt(1.0 - concordance) * own
        found[name] = np.asarray(special.ndtr(scores), dtype=np.float64)
    return found


def _reported(setting: _Setting, variable: Variable, values: Floats, present: Booleans) -> Columns:
    """A column as the laboratory prints it, with its comparator where there is a limit of detection."""
    printed = np.where(present, _rounded(setting, variable, values), np.nan)
    if variable.limit is None:
        return {variable.name: printed}
    lacking = setting.generator.random(setting.people.count) < variable.lacking
    below = present & ((printed < variable.limit) | lacking[setting.visits.patient])
    return {
        variable.name: np.where(below, variable.limit, printed),
        variable.name + COMPARATOR: _text_where(below, np.full(setting.rows, "<", dtype=object)),
    }


def _rounded(setting: _Setting, variable: Variable, values: Floats) -> Floats:
    """Values rounded, and within the vocabulary's limits of plausibility."""
    rounded = np.round(values, variable.decimals)
    quantity = vocabulary().by_column.get(variable.name)
    return rounded if quantity is None else limit(variable.name, rounded, *quantity.plausible, setting.clipped)


def _text_where(present: Booleans, texts: Texts) -> Texts:
    """The texts, and None elsewhere."""
    found = np.full(texts.shape, None, dtype=object)
    found[present] = texts[present]
    return found
