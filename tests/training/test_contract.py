"""The check of a cohort file: a planted fault is found where it was planted, and a clean cohort is called clean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.cohort import CohortError, read_cohort
from training.contract import Checked, check
from training.contract_finding import Severity
from training.outcome import NOISE_SD

PROACT = Path(__file__).parents[2] / "training" / "mappings" / "proact.toml"
TODAY = date(2026, 1, 31)
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
Place = tuple[int | None, str | None]
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
    faults.expect(WARNING, "age_and_time", rows[1], "age_years")
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
    assert set(str(values["contradiction", "sex"]).split(", ")) == {"female", "male"}


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


# -------------------------------------------------------------------------------------------------- clean cohorts


@pytest.mark.parametrize("index_visits", ["every", "first"])
def test_the_reference_cohort_is_clean(reference_file: Path, index_visits: str) -> None:
    found = check(reference_file, index_visits="first" if index_visits == "first" else "every")
    assert found.findings == ()
    assert found.exit_code == 0
    assert found.simulated
    assert found.outcome.enough


def test_real_visits_raise_no_alarm_that_is_none(proact_file: Path) -> None:
    found = check(proact_file, PROACT)
    frame = pd.read_csv(proact_file)
    codes = {each.code for each in found.findings}
    assert not codes & {"likely_unit", "site_unit", "unusual_median", "same_patient_twice", "zeros"}
    wrong = [each for each in found.findings if each.code == "mixed_units"]
    assert {each.column for each in wrong} == {"weight_kg"}
    for each in wrong:  # each is a patient some of whose visits are in pounds
        weights = frame.loc[frame["patient_id"] == each.patient_id, "weight_kg"]
        assert 1.8 < weights.max() / weights.min() < 3.1
    items = frame.filter(regex=r"^q\d+_")
    contradicting = frame.index[(items.sum(axis=1, skipna=False) - frame["alsfrs_total"]).abs() > 1]
    assert {each.row for each in found.of(ERROR)} == {at + 1 for at in contradicting}


# ----------------------------------------------------------------------------------------- what a file can be like


def test_all_problems_are_told_however_many(reference_frame: pd.DataFrame, tmp_path: Path) -> None:
    """The report of training shows 50, and an answer of the service 200 of one record."""
    frame = reference_frame.copy()
    frame["crp_mg_l"] = 9000.0
    many = pd.concat([frame.iloc[:1]] * 300, ignore_index=True)
    many["patient_id"] = "one"
    many["months_since_onset"] = [10 + at / 10 for at in range(300)]
    path = tmp_path / "many.parquet"
    pd.concat([frame, many], ignore_index=True).to_parquet(path)
    found = [each for each in check(path).findings if each.column == "crp_mg_l" and each.code == "out_of_range"]
    assert len(found) == len(frame) + 300
    assert {each.row for each in found} == set(range(1, len(frame) + 301))
    assert {each.remedy for each in found} == {"sent in ug/L?"}


def test_a_column_in_another_unit_is_told_as_such_though_every_row_is_refused(
    reference_frame: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "per_microlitre.csv"
    reference_frame.assign(neutrophils_10e9_l=reference_frame["neutrophils_10e9_l"] * 1000).to_csv(path)
    [found] = [each for each in check(path).findings if each.code == "likely_unit"]
    assert (found.column, found.row) == ("neutrophils_10e9_l", None)
    assert "in /uL it would be 3." in found.rule


@pytest.mark.parametrize(
    ("stated", "factor", "expected"),
    [("mg/dL", 0.1, set()), ("mg/dL", 1.0, {"likely_unit"}), ("mg/L", 0.1, {"likely_unit"}), ("mg/L", 1.0, set())],
)
def test_the_stated_unit_is_held_against_the_values(
    reference_frame: pd.DataFrame, tmp_path: Path, stated: str, factor: float, expected: set[str]
) -> None:
    frame = reference_frame[["patient_id", "months_since_onset", "alsfrs_r_total", "crp_mg_l"]].copy()
    frame["crp_mg_l"] *= factor
    frame.to_csv(tmp_path / "c.csv", index=False)
    names = "\n".join(f'{column} = "{column}"' for column in frame.columns[:3])
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        f'provenance = "simulated"\n[columns]\n{names}\ncrp_mg_l = {{ header = "crp_mg_l", unit = "{stated}" }}\n'
    )
    found = {each.code for each in check(tmp_path / "c.csv", mapping).findings}
    assert found - {"out_of_range"} == expected  # 93 mg/L read as mg/dL is out of range besides


def test_dates_are_held_against_today_and_onset(tmp_path: Path) -> None:
    rows = [
        ("a", "2024-01-01", "2025-06-01", 40),
        ("a", "2024-01-01", "2026-06-01", 38),
        ("b", "2025-09-01", "2025-06-01", 40),
        ("c", "2024-01-01", "2025-06-01", 40),
        ("c", "2024-02-01", "2025-12-01", 38),
    ]
    columns = ["patient_id", "onset_date", "visit_date", "alsfrs_r_total"]
    path = tmp_path / "dates.csv"
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    found = check(path, today=TODAY)
    assert told(found) >= {
        (WARNING, "future_visit", 2, "visit_date"),
        (ERROR, "before_onset", 3, "visit_date"),
        (ERROR, "contradiction", 5, "onset_date"),
        (ERROR, "too_few_outcomes", None, None),
    }
    assert "future_visit" not in {each.code for each in check(path, today=date(2026, 6, 1)).findings}


def test_headers_without_a_row(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("patient_id,months_since_onset,alsfrs_r_total\n")
    with pytest.raises(CohortError, match=r"holds headers and no row; fill in one row a visit"):
        check(path)


def test_a_missing_identifier_asks_for_the_header_that_is_like_it(tmp_path: Path) -> None:
    path = tmp_path / "id.csv"
    path.write_text("PatientID,months_since_onset,alsfrs_r_total\na,1,40\n")
    with pytest.raises(CohortError, match=r"no column patient_id \(is it PatientID\?\)"):
        check(path)


# --------------------------------------------------------------------------------------------- what was understood


def test_columns_against_pandas(reference_frame: pd.DataFrame, reference_file: Path) -> None:
    found = {each.column: each for each in check(reference_file).columns}
    crp, cells = found["crp_mg_l"], reference_frame["crp_mg_l"]
    assert (crp.unit, crp.headers, crp.visits) == ("mg/L", ("crp_mg_l",), cells.count())
    assert crp.patients == reference_frame.dropna(subset="crp_mg_l")["patient_id"].nunique()
    assert crp.visits_missing == pytest.approx(cells.isna().mean())
    assert crp.limits == reference_frame["crp_mg_l_comparator"].notna().sum()
    assert crp.range is not None
    assert crp.range.upper_quartile == pytest.approx(cells.quantile(0.75))
    assert dict(found["sex"].values) == reference_frame["sex"].value_counts().to_dict()


def test_the_outcome_against_the_examples(reference_file: Path) -> None:
    outcome = check(reference_file).outcome
    rates = [example.outcome.progression_rate for example in read_cohort(reference_file).examples]
    assert outcome.rate is not None
    assert outcome.rate.median == pytest.approx(np.median(rates))
    assert outcome.width_at_most == pytest.approx(np.quantile(rates, 0.95) - np.quantile(rates, 0.05))
    assert outcome.coverage_error == pytest.approx((0.09 / outcome.patients_with) ** 0.5)
