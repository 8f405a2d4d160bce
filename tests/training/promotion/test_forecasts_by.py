"""The honest forecast of a registered version: out of fold, of a patient it never saw, or none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.rivals import NAME, Rivals, frame
from training.cohort import Cohort, CohortError, read_cohort
from training.promotion.forecasts_by import LEFT_OUT, NEVER_SEEN, OUT_OF_FOLD, forecasts_by
from training.promotion.kept_forecasts import ARTIFACT, example_key, patient_key, read_forecasts
from training.registry import RegistryError, pull, version_of
from training.tracking import open_store


@pytest.fixture
def cohort(rivals: Rivals) -> Cohort:
    """That of the better version, every visit an example; it was trained on the first of each patient."""
    open_store(rivals.uri)
    return read_cohort(rivals.files["better"].table)


def kept_file(rivals: Rivals, which: str) -> Path:
    return rivals.folder / "artifacts" / rivals.runs[which].run_id / "artifacts" / ARTIFACT


def test_a_visit_of_the_run_has_its_cross_validated_forecast(rivals: Rivals, cohort: Cohort) -> None:
    run = rivals.runs["better"]
    made = run.fitted.evaluation.forecasts["tregcast"]
    found = forecasts_by(version_of(rivals.reference("better")), run.cohort, rivals.uri)
    assert (found.way == OUT_OF_FOLD).all()
    np.testing.assert_array_equal(found.forecasts.rate, made.rate)
    np.testing.assert_array_equal(found.forecasts.interval, made.interval)
    assert (
        np.abs(made.rate - run.fitted.regressor.predict(run.fitted.examples.X)).max() > 0
    )  # not the final model's


def test_another_visit_of_a_known_patient_has_none(rivals: Rivals, cohort: Cohort) -> None:
    found = forecasts_by(version_of(rivals.reference("better")), cohort, rivals.uri)
    first = [at == 0 or e.patient_id != cohort.examples[at - 1].patient_id for at, e in enumerate(cohort.examples)]
    assert found.way.tolist() == [OUT_OF_FOLD if each else LEFT_OUT for each in first]
    assert np.isnan(found.forecasts.rate[found.way == LEFT_OUT]).all()
    assert found.counts == {"out of fold": 120, "never seen": 0, "left out": len(cohort.examples) - 120}


def test_a_patient_it_never_saw_is_answered_by_the_pack(rivals: Rivals, tmp_path: Path) -> None:
    frame(8, first=9000).to_csv(tmp_path / "new.csv", index=False)
    new = read_cohort(tmp_path / "new.csv", index_visits="first")
    open_store(rivals.uri)
    found = forecasts_by(version_of(rivals.reference("better")), new, rivals.uri)
    assert (found.way == NEVER_SEEN).all()
    _, pack = pull(rivals.reference("better"), rivals.uri, tmp_path / "packs")
    answer = pack.predictor.predict(new.examples[3].record)
    assert found.forecasts.rate[3] == answer.progression_rate  # type: ignore[union-attr]
    assert found.forecasts.interval[3].tolist() == [
        answer.prediction_interval.lower,  # type: ignore[union-attr]
        answer.prediction_interval.upper,  # type: ignore[union-attr]
    ]


def test_keys_hold_no_patient_id_and_tell_visits_and_scales_apart(rivals: Rivals, cohort: Cohort) -> None:
    text = kept_file(rivals, "better").read_text("utf-8")
    assert cohort.examples[0].patient_id not in text
    assert len(json.loads(text)["patients"]) == 120
    first, second = cohort.examples[:2]
    assert first.patient_id == second.patient_id
    keys = {example_key(e, scale) for e in (first, second) for scale in ("alsfrs_r_total", "alsfrs_total")}
    assert len(keys | {patient_key(first.patient_id)}) == 5


def test_forecasts_are_no_part_of_the_pack(rivals: Rivals) -> None:
    assert kept_file(rivals, "better").is_file()
    packs = list(rivals.folder.rglob("manifest.json"))
    assert len(packs) == 3
    assert not [path for pack in packs for path in pack.parent.iterdir() if path.name == ARTIFACT]


def test_forecasts_changed_in_the_store_are_refused(own: Rivals) -> None:
    kept = kept_file(own, "better")
    kept.write_text(kept.read_text("utf-8").replace("0.", "1.", 1), "utf-8")
    with pytest.raises(RegistryError, match=r"forecasts\.json of run .* is not the one registered"):
        read_forecasts(version_of(own.reference("better")))


def test_a_version_that_kept_none_is_refused(own: Rivals) -> None:
    import mlflow

    mlflow.MlflowClient().delete_model_version_tag(NAME, "2", "tregcast.forecasts_sha256")
    with pytest.raises(RegistryError, match="rivals version 2: its run kept no forecasts"):
        read_forecasts(version_of(own.reference("better")))


def test_rates_on_two_scales_are_not_compared(rivals: Rivals, cohort: Cohort) -> None:
    with pytest.raises(
        CohortError, match=r"scale = alsfrs_total, but pack .* counts its outcome in alsfrs_r_total"
    ):
        forecasts_by(version_of(rivals.reference("better")), replace(cohort, scale="alsfrs_total"), rivals.uri)
