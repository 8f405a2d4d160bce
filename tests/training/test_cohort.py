"""From a file to examples: the same from CSV and Parquet, and nobody dropped without being counted."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.vocabulary import vocabulary
from training.cohort import Cohort, CohortError, read_cohort
from training.examples import FEWEST_MEASURED, examples_of
from training.fit import fit

PROACT = Path(__file__).parents[2] / "training" / "mappings" / "proact.toml"
HEADER = "patient_id,months_since_onset,alsfrs_r_total,sex,crp_mg_l\n"
ONE_PATIENT = "a,10,40,male,2.5\na,13,39,male,\na,16,37,male,3\n"


@pytest.fixture(scope="module")
def cohort(reference_file: Path) -> Cohort:
    return read_cohort(reference_file)


def written(tmp_path: Path, text: str, name: str = "cohort.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


# ----------------------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_csv_and_parquet_are_the_same_cohort(
    cohort: Cohort, reference_frame: pd.DataFrame, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"reference{ending}"
    reference_frame.to_csv(file, index=False)
    other = read_cohort(file)
    assert other.examples == cohort.examples
    assert (other.provenance, other.scale, other.simulated) == (cohort.provenance, cohort.scale, True)
    for name in cohort.report.__slots__:
        if name != "file":
            assert getattr(other.report, name) == getattr(cohort.report, name)
    assert other.digest == hashlib.sha256(file.read_bytes()).hexdigest()


def test_rows_need_not_be_in_order(cohort: Cohort, reference_frame: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "shuffled.parquet"
    reference_frame.sample(frac=1, random_state=0).to_parquet(file, index=False)
    shuffled = {(e.patient_id, e.record.index_visit.month): e for e in read_cohort(file).examples}
    assert shuffled == {(e.patient_id, e.record.index_visit.month): e for e in cohort.examples}


def test_counts_against_pandas(cohort: Cohort, reference_frame: pd.DataFrame) -> None:
    report = cohort.report
    assert report.rows == len(reference_frame)
    assert report.patients == reference_frame["patient_id"].nunique()
    assert report.deaths == reference_frame.dropna(subset="death_month")["patient_id"].nunique()
    assert report.patients_excluded == 0
    assert report.excluded_patients == ()
    with_outcome = {example.patient_id for example in cohort.examples}
    kept = reference_frame[reference_frame["patient_id"].isin(with_outcome)]
    assert report.patients_with_outcome == len(with_outcome)
    # a marker is measured in a patient if an index visit of theirs, or one before it, has it
    last_index = {e.patient_id: e.record.index_visit.month for e in cohort.examples}
    known = kept[kept["months_since_onset"] <= kept["patient_id"].map(last_index)]
    shares = known.groupby("patient_id").agg(lambda cells: cells.notna().any()).mean()
    measured = dict(report.measured)
    for column in ("nfl_pg_ml", "il6_pg_ml", "crp_mg_l", "chit1_ng_ml", "fvc_pct"):
        assert measured[column] == pytest.approx(shares[column])
    assert measured["alsfrs_total"] == 0.0


def test_nothing_is_dropped_in_silence(cohort: Cohort) -> None:
    report = cohort.report
    assert report.patients == (
        report.patients_with_outcome + report.patients_without_outcome + report.patients_excluded
    )
    assert report.rows == report.examples + sum(count for _, count in report.excluded_visits)


def test_the_outcome_of_every_example_against_numpy(cohort: Cohort, reference_frame: pd.DataFrame) -> None:
    by_patient = dict(tuple(reference_frame.groupby("patient_id")))
    for example in cohort.examples:
        rows = by_patient[example.patient_id].dropna(subset="alsfrs_r_total")
        after = rows["months_since_onset"] - example.record.index_visit.month
        window = rows[(after >= 0) & (after <= 12.1)]
        slope = np.polyfit(window["months_since_onset"], window["alsfrs_r_total"], 1)[0]
        assert example.outcome.progression_rate == pytest.approx(-slope, abs=1e-9)
        assert example.outcome.visits == len(window)


def test_first_takes_the_first_index_visit_of_each_patient(cohort: Cohort, reference_file: Path) -> None:
    first = read_cohort(reference_file, index_visits="first")
    earliest = {example.patient_id: example for example in reversed(cohort.examples)}
    assert sorted(first.examples, key=lambda e: e.patient_id) == sorted(
        earliest.values(), key=lambda e: e.patient_id
    )
    assert first.report.patients_with_outcome == cohort.report.patients_with_outcome == first.report.examples


def test_a_record_ends_with_its_index_visit(cohort: Cohort, reference_frame: pd.DataFrame) -> None:
    """No later cell can reach an example: change all of them, and it stays as it is."""
    example = next(e for e in cohort.examples if e.record.index_visit.month > 0)
    months = [visit.month for visit in example.record.visits]
    rows = reference_frame[reference_frame["patient_id"] == example.patient_id]
    assert len(rows) > len(months)
    assert months == sorted(rows["months_since_onset"])[: len(months)]


def test_provenance_and_scale(tmp_path: Path) -> None:
    plain = read_cohort(written(tmp_path, HEADER + ONE_PATIENT))
    assert plain.provenance == "not stated, read from cohort.csv"
    assert not plain.simulated
    assert plain.scale == "alsfrs_r_total"
    older = written(tmp_path, (HEADER + ONE_PATIENT).replace("alsfrs_r_total", "alsfrs_total"), "older.csv")
    assert read_cohort(older).scale == "alsfrs_total"
    mixed = "patient_id,months_since_onset,alsfrs_r_total,provenance\n"
    mixed += "a,10,40,real: clinic\na,16,37,real: clinic\nb,10,40,simulated: x\nb,16,38,simulated: x\n"
    found = read_cohort(written(tmp_path, mixed, "mixed.csv"))
    assert found.provenance == "real: clinic; simulated: x"
    assert found.simulated  # one simulated patient is enough


# ------------------------------------------------------------------------------------------------ what is left out


def test_exclusions_are_counted_with_their_reasons(tmp_path: Path) -> None:
    text = HEADER + ONE_PATIENT
    text += "b,10,40,male,9999\nb,16,37,female,3\n"  # two reasons, one patient
    text += "c,10,40.5,male,\nc,16,37,male,\n"  # half a point
    text += "d,10,40,male,\n"  # one visit
    text += "e,10,40,male,\ne,12,39,male,\n"  # two months
    text += "f,10,,male,2\nf,16,37,male,\n"  # no score at first
    report = read_cohort(written(tmp_path, text)).report
    assert (report.rows, report.patients) == (3 + 2 + 2 + 1 + 2 + 2, 6)
    assert (report.patients_excluded, report.patients_without_outcome, report.patients_with_outcome) == (2, 3, 1)
    assert dict(report.excluded_patients) == {"out_of_range": 1, "contradiction": 1, "not_whole": 1}
    assert dict(report.excluded_visits) == {
        "no functional score in the twelve months after the index visit": 4,  # last visits of a, d, e, f
        "scores after the index visit span less than three months": 1,  # e
        "no functional score at the index visit": 1,  # f
    }
    assert report.examples == 2


def test_problems_are_told_by_row_and_column_without_the_value(tmp_path: Path) -> None:
    report = read_cohort(written(tmp_path, HEADER + ONE_PATIENT + "b,10,40,male,9999\nb,16,37,male,3\n")).report
    [problem] = report.problems
    assert problem == "row 4: crp_mg_l is above 0-500 mg/L; sent in ug/L?"


def test_headers_are_named_before_training_and_strict_stops_at_one_that_is_like_a_column(tmp_path: Path) -> None:
    rows = "".join(f"{line},x\n" for line in ONE_PATIENT.split())
    file = written(tmp_path, HEADER.replace("crp_mg_l", "CRP").strip() + ",ward\n" + rows)
    heard: list[str] = []
    report = read_cohort(file, progress=heard.append).report
    assert report.unused_headers == ("CRP", "ward")
    assert report.near_headers == (("CRP", ("crp_mg_l",)),)
    assert heard[:2] == [
        "headers read: patient_id, months_since_onset, alsfrs_r_total, sex",
        "headers not read: CRP, ward",
    ]
    warning = "header 'CRP' is no column of the vocabulary and is not read, but is like crp_mg_l; rename it"
    assert heard[2].startswith(f"Warning: {warning}")
    with pytest.raises(CohortError, match=warning):
        read_cohort(file, strict=True)
    read_cohort(written(tmp_path, HEADER + ONE_PATIENT), strict=True)


def test_unused_headers_are_told(tmp_path: Path) -> None:
    text = (HEADER + ONE_PATIENT).replace("crp_mg_l", "CRP")
    assert read_cohort(written(tmp_path, text)).report.unused_headers == ("CRP",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("months_since_onset,alsfrs_r_total\n1,40\n", "no column patient_id"),
        ("patient_id,alsfrs_r_total\na,40\n", "no column months_since_onset"),
        (
            "ID,Month\na,40\n",
            "no column months_since_onset, patient_id; name columns as the vocabulary does, or give",
        ),
        (HEADER, "none of 0 patients can be used"),
        (HEADER + "a,10,40,male,\n", "none of 1 patients can be used. 1 visits: no functional score in the twelve"),
        (
            HEADER + "a,10,400,male,\na,16,30,male,\n",
            "none of 1 patients can be used. first problem: row 1: alsfrs_r",
        ),
        ("", "cannot be read: it is empty"),
        ('a,"b\n1,2', "cannot be read"),
    ],
)
def test_a_file_that_is_no_cohort(tmp_path: Path, text: str, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(CohortError) as error:
        read_cohort(path)
    assert str(error.value).startswith(f"{path}: ")
    assert says in str(error.value)


def test_a_file_of_another_ending(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"not a \.csv, \.csv\.gz or \.parquet file"):
        read_cohort(written(tmp_path, HEADER + ONE_PATIENT, "cohort.xlsx"))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cohort.parquet", b""),
        ("cohort.parquet", b"PAR1 and nothing more"),
        ("cohort.csv.gz", b"no gzip"),
        ("cohort.csv.gz", gzip.compress((HEADER + ONE_PATIENT).encode() * 50, mtime=0)[:60]),
        ("cohort.csv", b"\xff\xfe\x00a,b"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CohortError, match="cannot be read"):
        read_cohort(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="cannot be read"):
        read_cohort(tmp_path / "none.csv")


def test_too_few_patients_to_be_honest(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="1 patients have an outcome; an honest 90 % interval needs at least 40"):
        fit(read_cohort(written(tmp_path, HEADER + ONE_PATIENT)), name="x")


# --------------------------------------------------------------------------------------------- as a design matrix


def test_a_column_must_be_measured_often_enough_and_vary(cohort: Cohort) -> None:
    examples = examples_of(cohort)
    counts = np.sum(~np.isnan(examples.X), axis=0)
    assert counts.min() >= FEWEST_MEASURED
    assert all(np.nanmin(column) < np.nanmax(column) for column in examples.X.T)
    absent = set(vocabulary().by_column) - set(examples.matrix.columns)
    assert {"alsfrs_total", "alsfrs_breathing", "fvc_l"} <= absent  # nobody has them


def test_a_design_row_is_that_of_its_record(cohort: Cohort) -> None:
    examples = examples_of(cohort)
    for at in range(0, len(examples.y), 40):
        example = cohort.examples[at]
        np.testing.assert_array_equal(examples.X[at], examples.matrix.row(example.record))
        assert examples.y[at] == example.outcome.progression_rate
        assert examples.patient[at] == example.patient_id
        assert examples.site[at] == (example.site or "")
    assert np.isnan(examples.feature("alsfrs_total")).all()
    scores = [e.record.index_visit.measurements["alsfrs_r_total"].value for e in cohort.examples]
    assert examples.feature("alsfrs_r_total").tolist() == scores


# -------------------------------------------------------------------------------------- real trial visits, if there


@pytest.fixture(scope="session")
def proact_cohort(proact_file: Path) -> Cohort:
    return read_cohort(proact_file, PROACT)


def test_real_visits_are_all_accounted_for(proact_cohort: Cohort, proact_file: Path) -> None:
    frame = pd.read_csv(proact_file)
    report = proact_cohort.report
    assert (report.rows, report.patients) == (len(frame), frame["patient_id"].nunique()) == (16035, 4122)
    assert report.deaths == frame.dropna(subset="death_month")["patient_id"].nunique()
    assert report.patients == (
        report.patients_with_outcome + report.patients_without_outcome + report.patients_excluded
    )
    # an item sum more than a point off the total is the one contradiction in the file
    items = frame.filter(regex=r"^q\d+_")
    wrong = frame[((items.sum(axis=1, skipna=False) - frame["alsfrs_total"]).abs() > 1)]
    assert report.patients_excluded == wrong["patient_id"].nunique()
    assert dict(report.excluded_patients) == {"contradiction": report.patients_excluded}
    excluded_rows = int(frame["patient_id"].isin(wrong["patient_id"]).sum())
    assert report.rows == report.examples + sum(n for _, n in report.excluded_visits) + excluded_rows
    assert set(report.unused_headers) == {"study", "alive_at_12m"}
    assert not proact_cohort.simulated


def test_a_real_patient_by_hand(proact_cohort: Cohort) -> None:
    """Months 0, 3, 6, 9 after a first visit 56.05 months from onset: scores 27, 32, 21, 26."""
    found = [example for example in proact_cohort.examples if example.patient_id == "proact_329"]
    months, scores = np.array([0.0, 3.0, 6.0, 9.0]), np.array([27.0, 32.0, 21.0, 26.0])
    assert [example.record.index_visit.month for example in found] == pytest.approx([56.05, 59.05, 62.05])
    for start, example in enumerate(found):
        assert example.outcome.progression_rate == pytest.approx(-np.polyfit(months[start:], scores[start:], 1)[0])
        spread = np.sum((months[start:] - months[start:].mean()) ** 2)
        assert example.outcome.standard_error == pytest.approx(1.05 / np.sqrt(spread))
    record = found[1].record
    assert record.categories == {"sex": "female", "onset_site": "spinal"}
    assert record.age_years == pytest.approx(38 + 3 / 12)  # 38 at the first visit
    assert record.index_visit.measurements["fvc"].value == 2.42  # litres
    assert "fvc_pct" not in record.index_visit.measurements


def test_training_runs_on_real_visits(proact_cohort: Cohort, proact_file: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(proact_file)
    some = frame["patient_id"].drop_duplicates().sample(500, random_state=0)
    file = tmp_path / "some.csv"
    frame[frame["patient_id"].isin(some)].to_csv(file, index=False)
    made = fit(read_cohort(file, PROACT, index_visits="first"), name="real", n_folds=2)
    overall = made.evaluation.overall
    assert overall["tregcast"]["rmse"] < overall["mean"]["rmse"]
    assert 0.05 < overall["tregcast"]["r2"] < 0.35  # 0.15-0.25 is what there is to be had
    assert overall["tregcast"]["coverage"] == pytest.approx(0.9, abs=0.05)
    assert made.contents.matrix.scale == "alsfrs_total"
    assert "SIMULATED" not in made.contents.statement
    assert (
        "The training cohort has no Treg measurement: this model knows nothing of Tregs."
        in (made.contents.card["limits"])
    )
