"""The pack: the same answers after a round trip, the same bytes for the same cohort, digests over everything."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from features.compose import compose
from model.answer import render
from model.boosting import BoosterSettings
from model.contents import Contents
from model.pack import FILES, MANIFEST, Refused, load_pack, write_pack
from training.cohort import read_cohort
from training.fit import fit

if TYPE_CHECKING:
    from tests.conftest import Trained


def contents(trained: Trained) -> Contents:
    return trained.run.fitted.contents


def test_the_same_answers_after_a_round_trip_bit_for_bit(trained: Trained) -> None:
    made, loaded = contents(trained).predictor(trained.pack.id), trained.pack.predictor
    for example in trained.run.cohort.examples[:80]:
        before, after = (json.dumps(render(p.predict(example.record))) for p in (made, loaded))
        assert before == after


def test_loaded_and_written_again_is_the_same_pack(trained: Trained, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert write_pack(again, contents(trained)) == trained.pack.id
    for name in (*FILES, MANIFEST):
        assert (again / name).read_bytes() == (trained.pack_folder / name).read_bytes()


def test_the_id_is_the_digest_of_the_manifest(trained: Trained) -> None:
    manifest = (trained.pack_folder / MANIFEST).read_bytes()
    assert trained.pack.id == hashlib.sha256(manifest).hexdigest()
    listed = json.loads(manifest)["files"]
    assert set(listed) == set(FILES) == {path.name for path in trained.pack_folder.iterdir()} - {MANIFEST}
    for name, entry in listed.items():
        data = (trained.pack_folder / name).read_bytes()
        assert entry == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_the_same_cohort_and_seed_give_the_same_bytes(reference_frame: pd.DataFrame, tmp_path: Path) -> None:
    few = reference_frame["patient_id"].unique()[:50]
    file = tmp_path / "small.parquet"
    reference_frame[reference_frame["patient_id"].isin(few)].to_parquet(file, index=False)
    once, again = (tmp_path / name for name in ("once", "again"))
    settings = BoosterSettings(n_trees=100)
    fits = [fit(read_cohort(file), name="same", seed=1, settings=settings, n_folds=2) for _ in range(2)]
    ids = [write_pack(to, fitted.contents) for to, fitted in zip((once, again), fits, strict=True)]
    assert ids[0] == ids[1]
    for name in (*FILES, MANIFEST):
        assert (once / name).read_bytes() == (again / name).read_bytes()


def test_expected_id(trained: Trained, folder: Path) -> None:
    assert load_pack(folder, expected_id=trained.pack.id).id == trained.pack.id
    with pytest.raises(Refused, match=rf"manifest\.json: the pack's id is {trained.pack.id}, not f+ as expected"):
        load_pack(folder, expected_id="f" * 64)


def test_a_folder_that_holds_something_is_not_written_to(trained: Trained, folder: Path) -> None:
    with pytest.raises(FileExistsError, match="not empty"):
        write_pack(folder, contents(trained))


def test_nobody_s_identifier_or_visit_is_in_a_pack(trained: Trained) -> None:
    data = b"".join((trained.pack_folder / name).read_bytes() for name in FILES)
    assert b"sim-0" not in data
    residuals = json.loads((trained.pack_folder / "calibration.json").read_bytes())["residuals"]
    assert residuals == [sorted(each) for each in residuals]  # no longer in the order of the patients


def test_records_of_the_cohort_survive_json(trained: Trained) -> None:
    """What goes over a wire is what was trained on: the answer to the composed record is the same."""
    from datetime import date

    from features.parse import parse_record

    for example in trained.run.cohort.examples[:20]:
        sent = json.loads(json.dumps(compose(example.record)))
        predictor = trained.pack.predictor
        assert predictor.predict(parse_record(sent, today=date.max)) == predictor.predict(example.record)
