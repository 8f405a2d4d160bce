"""The check of a cohort file: a clean cohort is called clean, and whatever the file is like, all of it is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training.cohort import CohortError, read_cohort
from training.contract.contract import Checked, check
from training.contract.contract_finding import Severity

PROACT = Path(__file__).parents[3] / "training" / "mappings" / "proact.toml"
TODAY = date(2026, 1, 31)
ERROR, WARNING = Severity.ERROR, Severity.WARNING


def told(checked: Checked) -> set[tuple[Severity, str, int | None, str | None]]:
    return {(each.severity, each.code, each.row, each.column) for each in checked.findings}


# -------------------------------------------------------------------------------------------------- clean cohorts


@pytest.mark.parametrize("index_visits", ["every", "first"])
def test_the_reference_cohort_is_clean(reference_file: Path, index_visits: str) -> None:
    found = check(reference_file, index_visits="first" if index_visits == "first" else "every")
    assert found.findings == ()
    assert found.exit_code == 0
    assert found.simulated
    assert found.outcome.enough


@pytest.mark.slow
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
