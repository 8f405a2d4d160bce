"""How Tregs were measured in a cohort: most decide, the rest is counted, and nobody guesses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.mapping import ColumnMapping
from features.record import Measurement, PatientRecord, Visit
from model.contents import Contents
from model.pack import load_pack, write_pack
from model.predictor import Predictor
from training.cohort import CohortError, read_cohort
from training.contract.contract import check
from training.examples import examples_of
from training.fit import fit
from training.scoring import score_table
from training.ways import other_ways, usual_ways

TREGS = ["treg_count_per_ul", "treg_pct_cd4"]
STATED = ["treg_gate", "treg_denominator", "treg_responder_ratio"]


def by_gates(*gates: str) -> list[PatientRecord]:
    return [
        PatientRecord((Visit(9.0, {"treg_count": Measurement(40.0, None, (("treg_gate", gate),))}),))
        for gate in gates
    ]


@pytest.mark.parametrize(
    ("gates", "usual"),
    [
        (["foxp3", "cd25high", "foxp3"], "foxp3"),
        (["unknown", "foxp3", "unknown"], "unknown"),
        (["unknown", "foxp3"], "foxp3"),  # of equally many, a known one
        (["foxp3", "cd25high"], "cd25high"),  # and then the first by name
    ],
)
def test_most_readings_say_how_a_quantity_is_measured(gates: list[str], usual: str) -> None:
    records = by_gates(*gates)
    assert usual_ways(records) == {"treg_count": (("treg_gate", usual),)}
    others = other_ways(records)
    assert sum(other.readings for other in others) == sum(gate != usual for gate in gates)
    assert {dict(other.measured)["treg_gate"] for other in others} == set(gates) - {usual}


def test_a_count_that_follows_from_a_share_counts_as_one_of_its_gate() -> None:
    share = Measurement(5.0, None, (("treg_denominator", "cd4"), ("treg_gate", "foxp3")))
    records = [PatientRecord((Visit(9.0, {"treg_pct_cd4": share, "cd4_count": Measurement(800.0)}),))]
    assert usual_ways(records)["treg_count"] == (("treg_gate", "foxp3"),)


def mixed(frame: pd.DataFrame, share: float) -> pd.DataFrame:
    """Some patients were measured by FOXP3: about half of the cells."""
    patients = frame["patient_id"].unique()
    other = frame["patient_id"].isin(patients[: round(share * len(patients))])
    made = frame.copy()
    made.loc[other, "treg_gate"] = "foxp3"
    made.loc[other, TREGS] = made.loc[other, TREGS] / 2
    return made


@pytest.fixture(scope="module")
def mixed_file(reference_frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mixed") / "mixed.csv"
    mixed(reference_frame, 0.25).to_csv(path, index=False)
    return path


def test_values_of_another_gate_are_left_out_of_training_and_counted(
    mixed_file: Path, reference_frame: pd.DataFrame
) -> None:
    cohort = read_cohort(mixed_file)
    examples = examples_of(cohort)
    assert examples.matrix.measured_as["treg_count"] == (("treg_gate", "cd25_cd127low"),)
    other = set(reference_frame["patient_id"].unique()[:40])
    of_others = np.array([patient in other for patient in examples.patient])
    for column in TREGS:
        values = examples.feature(column)
        assert np.isnan(values[of_others]).all()
        assert np.isfinite(values[~of_others]).sum() > 50
    assert np.isfinite(examples.feature("cd4_count_per_ul")[of_others]).any()
    said = " ".join(cohort.report.measured_otherwise)
    assert "values were left out, gate FOXP3+; most have gate CD25+CD127low" in said
    assert "treg_pct_cd4: " in said


def test_the_check_warns_of_them(mixed_file: Path) -> None:
    found = {
        finding.column: finding for finding in check(mixed_file).findings if finding.code == "measured_otherwise"
    }
    assert set(found) == set(TREGS)
    assert found["treg_count_per_ul"].severity == "warning"
    assert "gate FOXP3+, are left out of training" in found["treg_count_per_ul"].rule


def test_a_cohort_that_says_it_nowhere_is_refused_with_both_remedies(
    reference_frame: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "c.csv"
    reference_frame.drop(columns=STATED).to_csv(path, index=False)
    with pytest.raises(CohortError) as error:
        read_cohort(path)
    text = str(error.value)
    for column, name in [
        ("treg_count_per_ul", "treg_gate"),
        ("treg_pct_cd4", "treg_denominator"),
        ("treg_pct_cd4", "treg_gate"),
        ("treg_suppression_pct", "treg_responder_ratio"),
    ]:
        assert f"{column} has values, and nothing says their {name}: fill in a column {name}, or state it" in text
        assert f"[constants] {name} = " in text
    assert "missing_key" in {finding.code for finding in check(path).findings}


def test_constants_of_the_mapping_say_it_for_all_rows(reference_frame: pd.DataFrame, tmp_path: Path) -> None:
    path, mapping = tmp_path / "c.csv", tmp_path / "m.toml"
    reference_frame.drop(columns=STATED).to_csv(path, index=False)
    mapping.write_text(
        '[constants]\ntreg_gate = "foxp3"\ntreg_denominator = "unknown"\ntreg_responder_ratio = "1:4"\n'
    )
    examples = examples_of(read_cohort(path, mapping))
    assert examples.matrix.measured_as == {
        "treg_count": (("treg_gate", "foxp3"),),
        "treg_pct_cd4": (("treg_denominator", "unknown"), ("treg_gate", "foxp3")),
        "treg_suppression": (("treg_responder_ratio", "1:4"),),
    }


# --------------------------------------------------------------------------- a pack that was trained on unknown


@pytest.fixture(scope="module")
def of_unknown(reference_frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A small model of a cohort that does not know its gate, as a pack gives it back."""
    folder = tmp_path_factory.mktemp("unknown")
    file = folder / "c.parquet"
    reference_frame.assign(treg_gate="unknown").to_parquet(file, index=False)
    contents: Contents = fit(read_cohort(file), name="of-unknown", n_folds=3).contents
    write_pack(folder / "pack", contents)
    return load_pack(folder / "pack").predictor


def test_unknown_is_used_and_cautioned_where_training_did_not_know(
    of_unknown: Predictor, reference_frame: pd.DataFrame
) -> None:
    assert dict(of_unknown.matrix.measured_as["treg_pct_cd4"]) == {
        "treg_denominator": "cd4",
        "treg_gate": "unknown",
    }
    has = reference_frame["treg_count_per_ul"].notna()
    row = reference_frame[has].head(1)
    said = {gate: score_table(of_unknown, row.assign(treg_gate=gate)).iloc[0] for gate in ("unknown", "foxp3")}
    assert "measured_unknown_way" in said["unknown"]["reasons"].split()
    assert "not_comparable" not in said["unknown"]["reasons"].split()
    assert "not_comparable" in said["foxp3"]["reasons"].split()
    assert "measured_unknown_way" not in said["foxp3"]["reasons"].split()


def test_through_mlflow_s_table_a_row_that_does_not_say_it_is_rejected(
    predictor: Predictor, reference_frame: pd.DataFrame
) -> None:
    row = reference_frame[reference_frame["treg_count_per_ul"].notna()].head(1)
    answered = score_table(predictor, row).iloc[0]
    assert "not_comparable" not in answered["reasons"].split()
    rejected = score_table(predictor, row.drop(columns="treg_gate")).iloc[0]
    assert (rejected["outcome"], rejected["reasons"]) == ("rejected", "missing_key")
    assert "[constants] treg_gate" in rejected["answer"].replace("\\", "")


def test_another_denominator_changes_no_number_but_that_it_is_not_there(
    predictor: Predictor, reference_frame: pd.DataFrame
) -> None:
    """The fault: a share of lymphocytes as the share of CD4+ cells added 0.21 points/month, said by nobody."""
    has = reference_frame["treg_pct_cd4"].notna()
    row = reference_frame[has].head(1).assign(treg_count_per_ul=np.nan)
    bare = score_table(predictor, row.assign(treg_pct_cd4=np.nan)).iloc[0]
    other = score_table(predictor, row.assign(treg_denominator="lymphocytes")).iloc[0]
    assert other["progression_rate"] == bare["progression_rate"]
    assert "not_comparable" in other["reasons"].split()
    assert score_table(predictor, row).iloc[0]["progression_rate"] != bare["progression_rate"]


def test_a_mapping_without_constants_has_none() -> None:
    assert ColumnMapping().constants == {}
