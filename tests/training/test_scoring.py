"""A table in, a table out: a row each, in order, each what the predictor says of that visit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from features.table import patients
from model.answer import NUMBERS, Prediction, render
from model.predictor import Predictor
from training.scoring import TEXTS, NearHeader, score_table

if TYPE_CHECKING:
    from tests.conftest import Trained


@pytest.fixture(scope="module")
def table(reference_frame: pd.DataFrame) -> pd.DataFrame:
    return reference_frame[reference_frame["patient_id"].isin(reference_frame["patient_id"].unique()[:25])]


@pytest.fixture(scope="module")
def scored(predictor: Predictor, table: pd.DataFrame) -> pd.DataFrame:
    return score_table(predictor, table)


def test_a_row_each_with_the_stated_columns(table: pd.DataFrame, scored: pd.DataFrame) -> None:
    assert len(scored) == len(table) > 80
    assert list(scored) == [*NUMBERS, *TEXTS]
    assert (scored[list(NUMBERS)].dtypes == "float64").all()
    assert scored.index.equals(table.index)
    assert scored["outcome"].isin(["prediction", "prediction_with_cautions"]).mean() > 0.9


def test_each_row_is_the_predictor_s_answer(
    predictor: Predictor, table: pd.DataFrame, scored: pd.DataFrame
) -> None:
    rows = table.to_dict("records")
    for patient in patients(rows):
        assert patient.record is not None
        for visit, position in enumerate(patient.rows):
            answer = predictor.predict(patient.record.until(visit))
            row = scored.iloc[position]
            assert json.loads(row["answer"]) == json.loads(json.dumps(render(answer)))
            if isinstance(answer, Prediction):
                assert row["progression_rate"] == answer.progression_rate
                assert row["interval_lower"] == answer.prediction_interval.lower
                assert row["interval_upper"] == answer.prediction_interval.upper
                assert row["probability_fast"] == dict(answer.band_probabilities)["fast"]
                assert row["reasons"].split() == [caution.code for caution in answer.cautions]


def test_shuffled_rows_keep_their_places(predictor: Predictor, table: pd.DataFrame, scored: pd.DataFrame) -> None:
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(score_table(predictor, shuffled), scored.loc[shuffled.index], check_exact=True)


def test_a_patient_alone_is_the_patient_in_the_table(
    predictor: Predictor, table: pd.DataFrame, scored: pd.DataFrame
) -> None:
    for patient in table["patient_id"].unique()[:5]:
        alone = table[table["patient_id"] == patient]
        pd.testing.assert_frame_equal(score_table(predictor, alone), scored.loc[alone.index], check_exact=True)


def test_later_rows_do_not_reach_earlier_ones(
    predictor: Predictor, table: pd.DataFrame, scored: pd.DataFrame
) -> None:
    first = table.sort_values("months_since_onset").groupby("patient_id").head(1)
    changed = table.copy()
    later = ~changed.index.isin(first.index)
    changed.loc[later, "nfl_pg_ml"] = 2000.0
    changed.loc[later, "crp_mg_l"] = 300.0
    found = score_table(predictor, changed)
    pd.testing.assert_frame_equal(found.loc[first.index], scored.loc[first.index], check_exact=True)
    assert not found.loc[later].equals(scored.loc[later])


def test_without_patients_each_row_stands_alone(predictor: Predictor, table: pd.DataFrame) -> None:
    alone = score_table(predictor, table.drop(columns="patient_id"))
    named = table.assign(patient_id=[str(number) for number in range(len(table))])
    pd.testing.assert_frame_equal(alone, score_table(predictor, named), check_exact=True)


def test_a_rejected_row_says_why_and_has_no_number(predictor: Predictor, table: pd.DataFrame) -> None:
    spoilt = table.copy()
    bad = spoilt["patient_id"] == spoilt["patient_id"].iloc[0]
    spoilt.loc[spoilt.index[bad][0], ["crp_mg_l", "nlr"]] = [9999.0, 999.0]
    found = score_table(predictor, spoilt)
    rejected = found["outcome"] == "rejected"
    assert rejected.tolist() == bad.tolist()  # the whole history, and no other patient
    assert found.loc[rejected, list(NUMBERS)].isna().all(axis=None)
    assert set(found.loc[rejected, "reasons"]) == {"out_of_range"}
    answer = json.loads(found.loc[rejected, "answer"].iloc[0])
    assert answer["outcome"] == "rejected"
    assert len(answer["problems"]) == 2
    assert all("row 1" in problem for problem in answer["problems"])
    kept = score_table(predictor, table)
    pd.testing.assert_frame_equal(found[~rejected], kept[~rejected], check_exact=True)


def test_an_abstention_has_no_number(predictor: Predictor, table: pd.DataFrame) -> None:
    scores = [column for column in table if column.startswith("alsfrs_")]
    found = score_table(predictor, table.assign(**dict.fromkeys(scores, np.nan)))
    assert set(found["outcome"]) == {"abstained"}
    assert found[list(NUMBERS)].isna().all(axis=None)
    assert found["reasons"].str.contains("no_functional_score").all()


def test_an_empty_table(predictor: Predictor, table: pd.DataFrame) -> None:
    found = score_table(predictor, table.head(0))
    assert len(found) == 0
    assert list(found) == [*NUMBERS, *TEXTS]


def test_whole_numbers_are_numbers(predictor: Predictor, trained: Trained) -> None:
    table = pd.DataFrame({"months_since_onset": [20], "alsfrs_r_total": [36], "age_years": [60], "sex": ["male"]})
    assert (table.dtypes.iloc[:3] == "int64").all()
    doubles = table.astype({"months_since_onset": "float64", "alsfrs_r_total": "float64", "age_years": "float64"})
    pd.testing.assert_frame_equal(score_table(predictor, table), score_table(predictor, doubles), check_exact=True)


def test_a_misspelt_column_is_warned_of(predictor: Predictor, table: pd.DataFrame) -> None:
    few = table.head(3).drop(columns="provenance").rename(columns={"nfl_pg_ml": "NfL_pg_ml"}).assign(ward="x")
    words = "column 'NfL_pg_ml' is no column .* but is like nfl_pg_ml; rename it"
    with pytest.warns(NearHeader, match=words) as told:
        score_table(predictor, few)
    assert len(told) == 1
    assert told[0].filename == __file__


def test_identifiers_are_the_same_text_whatever_their_type(predictor: Predictor, table: pd.DataFrame) -> None:
    """12, 12.0 and "12" are one patient; what is no identifier is rejected, and its row alone."""
    patient = table[table["patient_id"] == table["patient_id"].iloc[0]].head(3)
    cells = pd.Series([12, 12.0, "12"], index=patient.index, dtype=object)
    assert score_table(predictor, patient.assign(patient_id=cells)).equals(score_table(predictor, patient))
    cells.iloc[0] = 2.0**53
    refused = score_table(predictor, patient.assign(patient_id=cells))
    assert refused["outcome"].iloc[0] == "rejected"
    assert refused["reasons"].iloc[0] == "bad_identifier"
    assert "rejected" not in set(refused["outcome"].iloc[1:])
