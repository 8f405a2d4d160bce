"""Planted faults of every kind: each is found where it was planted, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.change import NOISE_SD
from training.cohort import read_cohort
from training.contract.contract import Checked, check
from training.contract.contract_finding import Severity

TODAY = date(2026, 1, 31)
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
Told = tuple[Severity, str, int | None, str | None]


class Faults:
    """A copy of the clean cohort into which faults are put, each into a patient of its own."""

    def __init__(self, clean: pd.DataFrame) -> None:
        self.frame = clean.copy().astype({"death_month": object, "nfl_pg_ml": object, "lbp_ug_ml": object})
        self.expected: set[Told] = set()
        self.free = [str(name) for name, rows in clean.groupby("patient_id") if len(rows) >= 4]

    def rows(self, having: Callable[[pd.DataFrame], bool] = lambda rows: True) -> list[int]:
        """Positions of the visits of a patient who has no fault yet."""
        for name in self.free:
            found = self.frame[self.frame["patient_id"] == name]
            if having(found):
                self.free.remove(name)
                return [int(at) for at in found.index]
        raise LookupError("no such patient")

    def put(self, rows: int | list[int], column: str, value: object) -> None:
        self.frame.loc[rows, column] = value

    def expect(self, severity: Severity, code: str, at: int | None, column: str | None) -> None:
        self.expected.add((severity, code, None if at is None else at + 1, column))


def refused(faults: Faults) -> None:
    """What the parser of training refuses."""
    items = [column for column in faults.frame.columns if column.startswith("alsfrs_") and "total" not in column]
    for code, column, value, which in (
        ("out_of_range", "alsfrs_r_total", 480, 1),
        ("not_whole", "alsfrs_r_total", 20.5, 2),
        ("wrong_type", "nfl_pg_ml", "high", 0),
        ("wrong_type", "lbp_ug_ml", "15,5", 3),
        ("unknown_value", "onset_site", "limb", 0),
        ("unknown_value", "crp_mg_l_comparator", "below", 2),
        ("out_of_range", "months_since_onset", -2.0, 0),
    ):
        rows = faults.rows(lambda found: found["months_since_onset"].iloc[0] < 15)
        at = rows[which]
        faults.put(rows if column == "onset_site" else at, column, value)
        if column.endswith("_comparator"):
            faults.put(at, "crp_mg_l", 4.0)
        faults.expect(ERROR, code, at, column)
    rows = faults.rows(lambda found: bool(found[items].notna().all(axis=None)))
    faults.put(rows[2], "alsfrs_r_total", faults.frame.loc[rows[2], items].sum() + 3)
    faults.expect(ERROR, "contradiction", rows[2], "alsfrs_r_total")
    rows = faults.rows()
    faults.put(rows[1], "sex", "male" if faults.frame.loc[rows[1], "sex"] == "female" else "female")
    faults.expect(ERROR, "contradiction", rows[1], "sex")
    rows = faults.rows()
    faults.put(rows[2], "months_since_onset", faults.frame.loc[rows[1], "months_since_onset"])
    faults.expect(ERROR, "duplicate_visit", rows[2], "months_since_onset")


def odd_patients(faults: Faults) -> None:
    """Who is twice there, and what should not change but does."""
    at = faults.rows()[-1]
    faults.put(at, "patient_id", None)
    faults.expect(WARNING, "no_patient_id", at, "patient_id")
    at = faults.rows()[-1]
    faults.put(at, "patient_id", "NA")
    faults.expect(WARNING, "identifier_like_missing", at, "patient_id")
    at = faults.rows()[-1]
    faults.put(at, "patient_id", str(faults.frame.loc[at, "patient_id"]).upper() + " ")
    faults.expect(WARNING, "alike_identifiers", at, "patient_id")
    twin = faults.frame.loc[faults.rows()].assign(patient_id="somebody-else")
    faults.expect(WARNING, "same_patient_twice", len(faults.frame), "patient_id")
    faults.frame = pd.concat([faults.frame, twin], ignore_index=True)
    rows = faults.rows()
    faults.put(rows[2:], "site", "site-1" if faults.frame.loc[rows[0], "site"] != "site-1" else "site-2")
    faults.expect(WARNING, "two_sites", rows[2], "site")
    rows = faults.rows(lambda found: found["height_cm"].notna().all())
    faults.put(rows, "bmi_kg_m2", None)
    faults.put(rows[1], "height_cm", faults.frame.loc[rows[0], "height_cm"] - 9)
    faults.expect(WARNING, "changing_height", rows[1], "height_cm")


def odd_visits(faults: Faults) -> None:
    """Times that cannot be, scores that rise, pressures that cross."""
    alive = lambda found: found["death_month"].isna().all()  # noqa: E731
    rows = faults.rows(alive)
    faults.put(rows, "death_month", faults.frame.loc[rows[2], "months_since_onset"])
    faults.expect(WARNING, "visit_after_death", rows[3], "death_month")
    for extra in rows[4:]:
        faults.expect(WARNING, "visit_after_death", extra, "death_month")
    rows = faults.rows(alive)
    faults.put(rows[0], "death_month", "unknown")
    faults.expect(WARNING, "death_month", rows[0], "death_month")
    rows = faults.rows(alive)
    faults.put(rows, "death_month", 90.0)
    faults.put(rows[3], "death_month", 91.0)
    faults.expect(WARNING, "two_deaths", rows[3], "death_month")
    items = [column for column in faults.frame.columns if column.startswith("alsfrs_") and "total" not in column]
    rows = faults.rows(lambda found: bool(found["alsfrs_r_total"].lt(30).all()))
    faults.put(rows, items, None)
    last = faults.frame.loc[rows[-2], "alsfrs_r_total"]
    faults.put(rows[-1], "alsfrs_r_total", last + np.ceil(4 * 2**0.5 * NOISE_SD))
    faults.expect(WARNING, "rising_score", rows[-1], "alsfrs_r_total")
    rows = faults.rows()
    faults.put(rows[1], "age_years", faults.frame.loc[rows[1], "age_years"] + 10)
    faults.expect(ERROR, "contradiction", rows[1], "age_years")
    rows = faults.rows()
    faults.put(rows, "systolic_bp_mmhg", [118.0 + at for at in range(len(rows))])
    faults.put(rows, "diastolic_bp_mmhg", [80.0 + at for at in range(len(rows))])
    faults.put(rows[1], "diastolic_bp_mmhg", 121.0)
    faults.expect(WARNING, "crossed_pressures", rows[1], "diastolic_bp_mmhg")
    for column in ("systolic_bp_mmhg", "diastolic_bp_mmhg"):
        faults.expect(NOTE, "rare_column", None, column)


def wrong_units(faults: Faults) -> None:
    """A column, a site, some rows, one visit."""
    frame = faults.frame
    frame["il10_pg_ml"] /= 1000
    faults.expect(WARNING, "likely_unit", None, "il10_pg_ml")
    frame.loc[frame["site"] == "site-2", "il6_pg_ml"] /= 1000
    faults.expect(WARNING, "site_unit", None, "il6_pg_ml")
    some = list(frame.index[frame["tnf_alpha_pg_ml"].notna() & frame["tnf_alpha_pg_ml_comparator"].isna()][3:8])
    faults.put(some, "tnf_alpha_pg_ml", (frame.loc[some, "tnf_alpha_pg_ml"] / 1000).round(5))
    for at in some:
        faults.expect(WARNING, "mixed_units", at, "tnf_alpha_pg_ml")
    rows = faults.rows(lambda found: found["weight_kg"].notna().sum() >= 3)
    at = int(frame.loc[rows, "weight_kg"].first_valid_index())
    faults.put(rows, "bmi_kg_m2", None)
    faults.put(at, "weight_kg", frame.loc[at, "weight_kg"] * 2.2046)
    faults.expect(WARNING, "mixed_units", at, "weight_kg")


def odd_columns(faults: Faults) -> None:
    """Headers that are not read, and columns that say nothing."""
    frame = faults.frame
    faults.frame = frame = frame.rename(columns={"ferritin_ug_l": "Ferritin"})
    faults.expect(WARNING, "near_header", None, "Ferritin")
    frame["comment"] = "fine"
    faults.expect(NOTE, "unused_header", None, "comment")
    frame.loc[frame["il17a_pg_ml"].notna(), "il17a_pg_ml"] = 2.0
    faults.expect(WARNING, "constant_column", None, "il17a_pg_ml")
    measured = frame.index[frame["il1_beta_pg_ml"].notna() & frame["il1_beta_pg_ml_comparator"].isna()]
    faults.put(list(measured[:9]), "il1_beta_pg_ml", 0.0)
    faults.expect(WARNING, "zeros", None, "il1_beta_pg_ml")
    frame["pulse_bpm"] = None
    faults.expect(NOTE, "empty_column", None, "pulse_bpm")


@pytest.fixture(scope="module")
def faults(reference_frame: pd.DataFrame) -> Faults:
    made = Faults(reference_frame)
    for plant in (refused, odd_patients, odd_visits, wrong_units, odd_columns):
        plant(made)
    return made


@pytest.fixture(scope="module")
def checked(faults: Faults, tmp_path_factory: pytest.TempPathFactory) -> Checked:
    path = tmp_path_factory.mktemp("planted") / "planted.csv"
    faults.frame.to_csv(path, index=False)
    return check(path, today=TODAY)


def told(checked: Checked) -> set[Told]:
    return {(each.severity, each.code, each.row, each.column) for each in checked.findings}


# ------------------------------------------------------------------------------------------------- planted faults


def test_every_planted_fault_is_found_where_it_was_planted(faults: Faults, checked: Checked) -> None:
    assert faults.expected - told(checked) == set()
    assert len({(code, column) for _, code, _, column in faults.expected}) >= 30


def test_nothing_else_is_found(faults: Faults, checked: Checked) -> None:
    assert told(checked) - faults.expected == set()


def test_a_finding_names_the_patient_and_the_value_that_stand_in_its_row(faults: Faults, checked: Checked) -> None:
    for each in checked.findings:
        if each.row is not None and each.code != "no_patient_id":
            assert each.patient_id == faults.frame["patient_id"][each.row - 1]
    values = {(each.code, each.column): each.value for each in checked.findings}
    assert values["wrong_type", "nfl_pg_ml"] == '"high"'
    assert values["unknown_value", "onset_site"] == '"limb"'
    assert values["out_of_range", "alsfrs_r_total"] == "480 points"
    assert set(str(values["contradiction", "sex"]).split(" and ")) == {'"female"', '"male"'}


def test_every_finding_has_a_rule_and_a_remedy(checked: Checked) -> None:
    assert all(each.rule and each.remedy for each in checked.findings)
    [comma] = [each for each in checked.findings if each.column == "lbp_ug_ml"]
    assert comma.remedy.startswith("write a point, not a comma")


def test_what_is_refused_is_what_training_leaves_out(faults: Faults, checked: Checked, tmp_path: Path) -> None:
    path = tmp_path / "planted.csv"
    faults.frame.to_csv(path, index=False)
    report = read_cohort(path).report
    patients = {each.patient_id for each in checked.of(ERROR)}
    assert report.patients_excluded == checked.outcome.patients_refused == len(patients)
    assert len(report.problems) == len(checked.of(ERROR))
    assert checked.outcome.patients_with == report.patients_with_outcome
    assert checked.outcome.index_visits == report.examples
    assert sum(count for _, count in checked.outcome.patients_without) == report.patients_without_outcome
