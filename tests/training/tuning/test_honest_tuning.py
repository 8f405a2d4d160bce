"""The outer folds: no row of one is ever given to a fit of its search."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import ArrayLike

from training.tuning.tune import Plan, Standing, tune
from training.tuning.tuning_summary import Tuning, as_text

if TYPE_CHECKING:
    pass

from tests.training.tuning.searches import PLAN, Floats, SmallRegressor, runs, store


@dataclass
class Spied:
    """Of which rows a fit was made, by their own bytes, and in which part of the tuning."""

    part: str
    fitted: frozenset[bytes]
    predicted: set[bytes] = field(default_factory=set)


def test_no_row_of_an_outer_fold_is_given_to_a_fit_of_its_search(cohort_file: Path, own: Path) -> None:
    part = ["none"]
    seen: list[Spied] = []

    class Spy(SmallRegressor):
        def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> SmallRegressor:
            self.own = Spied(part[0], keys(X))
            seen.append(self.own)
            super().fit(X, y, groups)
            self.own.predicted.clear()  # its own rows, for the spread
            return self

        def predict(self, X: ArrayLike) -> Floats:
            self.own.predicted |= keys(X)
            return super().predict(X)

    def watch(standing: Standing) -> None:
        part[0] = standing.part

    found = tune(
        cohort_file,
        plan=Plan(trials=3, index_visits="every", outer=3),
        tracking_uri=store(own),
        make=lambda matrix, seed, settings: Spy(settings),
        watch=watch,
    )
    everything = frozenset().union(*(spied.fitted for spied in seen if spied.part == "all rows"))
    assert len(everything) == len(found.cohort.examples)
    patients = patients_of(everything, found)
    held_out = []
    for fold in range(1, 4):
        inside = [spied for spied in seen if spied.part == f"outer fold {fold} of 3"]
        final = [spied for spied in inside if len(spied.fitted) == max(len(each.fitted) for each in inside)]
        searched = [spied for spied in inside if spied not in final]
        test = final[0].predicted
        assert test == everything - final[0].fitted  # the judge: fitted on all others, asked of these
        assert len(searched) == 3 * PLAN.n_folds  # the first five are never pruned
        for spied in searched:
            assert not spied.fitted & test
            assert not spied.predicted & test
            assert not {patients[key] for key in spied.fitted} & {patients[key] for key in test}
        held_out.append(test)
    assert sum(len(test) for test in held_out) == len(everything)  # each row is judged once
    assert set().union(*held_out) == everything
    check_honest(found, own)


def keys(X: ArrayLike) -> frozenset[bytes]:
    return frozenset(row.tobytes() for row in np.asarray(X, np.float64))


def patients_of(everything: frozenset[bytes], found: Tuning) -> dict[bytes, str]:
    from training.examples import examples_of

    examples = examples_of(found.cohort)
    made = {row.tobytes(): str(whose) for row, whose in zip(examples.X, examples.patient, strict=True)}
    assert set(made) == everything
    return made


def check_honest(found: Tuning, folder: Path) -> None:
    judged = found.honest
    assert judged is not None
    assert len(judged.settings) == 3
    difference = judged.differences["rmse"]
    assert difference.estimate == pytest.approx(judged.tuned["rmse"] - judged.default["rmse"])
    assert difference.lower <= difference.estimate <= difference.upper
    assert f"{difference.estimate:+.4f} points/month" in judged.sentence
    kinds = Counter(run.data.tags["tregcast.kind"] for run in runs(folder))
    assert (kinds["tuning"], kinds["tuning fold"]) == (1, 3)
    assert {run.info.status for run in runs(folder)} == {"FINISHED"}
    top = next(run for run in runs(folder) if run.info.run_id == found.search.run_id)
    assert top.data.metrics["outer_rmse_difference"] == difference.estimate
    folds = [run for run in runs(folder) if run.data.tags["tregcast.kind"] == "tuning fold"]
    assert {run.data.tags["mlflow.parentRunId"] for run in folds} == {found.search.run_id}
    text = " ".join(as_text(found, "next").split())
    assert "on rows that the search was never given" in text
    assert "optimistic" not in text
