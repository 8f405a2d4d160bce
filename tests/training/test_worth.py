"""What each marker is worth: a marker that was planted is found, one that says nothing is not."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from features.matrix import DesignMatrix
from features.vocabulary import vocabulary
from model.boosting import BoosterSettings
from model.regressor import ProgressionRegressor
from training.examples import Examples
from training.fit import regressor_for
from training.worth import CLINICAL, EVERYTHING, MARKERS, Worth, markers_like, worth
from training.worth_report import as_text, plot, write

PATIENTS, VISITS = 240, 2
pytestmark = pytest.mark.xdist_group("worth")  # what is found is fitted once for all


@pytest.fixture(scope="module")
def examples() -> Examples:
    """NfL drives the rate, the NLR says nothing, half of the patients lack the NLR; no Treg was measured."""
    rng = np.random.default_rng(4)
    n = PATIENTS * VISITS
    delta_fs = np.exp(rng.normal(-0.4, 0.5, n))
    nfl = np.exp(rng.normal(4.2, 0.6, n))
    nlr = np.exp(rng.normal(0.8, 0.4, n))
    rate = 0.6 + 0.2 * delta_fs + 0.4 * (np.log(nfl) - 4.2) + 0.25 * rng.normal(size=n)
    patient = np.array([f"p{number:03}" for number in np.repeat(np.arange(PATIENTS), VISITS)])
    nlr[np.repeat(rng.random(PATIENTS) < 0.5, VISITS)] = np.nan
    matrix = DesignMatrix(("delta_fs", "nlr", "nfl_pg_ml"))
    X = np.column_stack([delta_fs, nlr, nfl])
    return Examples(matrix, X, rate, np.full(n, 0.1), patient, np.full(n, ""))


@pytest.fixture(scope="module")
def found(examples: Examples) -> Worth:
    return worth(examples, n_folds=3, resamples=400)


def test_every_marker_is_made_of_quantities_of_the_vocabulary_and_of_one_set_only() -> None:
    names = [name for quantities in MARKERS.values() for name in quantities]
    assert set(names) <= set(vocabulary().quantities)
    assert len(names) == len(set(names))
    tregs = {name for name, quantity in vocabulary().quantities.items() if quantity.group == "treg"}
    assert tregs <= set(names)


def test_a_planted_marker_is_found_and_an_empty_one_is_not(found: Worth) -> None:
    added = {comparison.marker: comparison for comparison in found.ladder}
    alone = {comparison.marker: comparison for comparison in found.left_out}
    for comparison in (added["NfL"], alone["NfL"]):
        assert comparison.differences["rmse"].upper < 0
        assert comparison.differences["r2"].lower > 0.1
        assert comparison.relative_width.upper < -0.1
        assert "cannot be told" not in comparison.sentence
        assert "NfL" in comparison.sentence
        assert "narrows" in comparison.sentence
    assert abs(added["blood count (NLR)"].differences["rmse"].estimate) < 0.02
    assert added["blood count (NLR)"].patients == pytest.approx(PATIENTS / 2, abs=25)
    assert added["NfL"].patients == PATIENTS
    assert added["NfL"].examples == PATIENTS * VISITS


def test_what_the_cohort_does_not_have_is_said(found: Worth) -> None:
    assert set(found.absent) == set(MARKERS) - {"NfL", "blood count (NLR)"}
    text = as_text(found, "a cohort", simulated=False)
    assert "- This cohort has no measurement of Treg suppression; nothing can be said of it." in text
    assert "SIMULATED" not in text
    assert "SIMULATED" in as_text(found, "a cohort", simulated=True)


def test_the_sets_are_a_ladder(found: Worth) -> None:
    last = f"+ NfL = {EVERYTHING}"
    assert list(found.overall)[:3] == ["clinical picture", "+ blood count (NLR)", last]
    assert found.overall[last]["rmse"] < found.overall["clinical picture"]["rmse"]
    lost = found.overall[f"{EVERYTHING} minus NfL"]["rmse"] - found.overall[last]["rmse"]
    alone = next(comparison for comparison in found.left_out if comparison.marker == "NfL")
    assert -alone.differences["rmse"].estimate == pytest.approx(lost, abs=1e-12)


def test_only_some_markers_are_compared_as_among_all(examples: Examples, found: Worth) -> None:
    told: list[str] = []
    part = worth(examples, only=("NfL", "Treg count"), n_folds=3, resamples=400, progress=told.append)
    assert part.ladder[0].differences == found.ladder[1].differences
    assert part.left_out == found.left_out[1:]
    assert part.ladder[0].joins == "the clinical picture and blood count (NLR)"
    assert part.absent == ("Treg count",)
    assert (part.together, found.together) == (None, None)
    last = f"+ NfL = {EVERYTHING}"
    assert list(part.overall) == ["+ blood count (NLR)", last, f"{EVERYTHING} minus NfL"]
    assert len(told) == 2  # everything minus the last rung is the rung below it


def test_sets_side_by_side_are_as_one_after_the_other(examples: Examples) -> None:
    told: list[str] = []
    few = partial(regressor_for, settings=BoosterSettings(n_trees=20))
    alone = worth(examples, n_folds=2, resamples=50, make=few)
    assert worth(examples, n_folds=2, resamples=50, make=few, workers=2, progress=told.append) == alone
    assert told == [
        "clinical picture: 1 features",
        "+ blood count (NLR): 2 features",
        f"+ NfL = {EVERYTHING}: 3 features",
        f"{EVERYTHING} minus blood count (NLR): 2 features",
    ]


@pytest.mark.parametrize(("workers", "expected"), [(1, {"2"}), (2, {"1"})])
def test_workers_side_by_side_fit_one_fold_at_a_time(
    workers: int, expected: set[str], examples: Examples, tmp_path: Path
) -> None:
    worth(examples, n_folds=2, resamples=2, make=partial(noting_jobs, folder=tmp_path), workers=workers)
    assert {file.read_text() for file in tmp_path.iterdir()} == expected


def noting_jobs(matrix: DesignMatrix, seed: int, folder: Path) -> ProgressionRegressor:
    """A regressor that leaves behind with how many threads it was fitted."""
    regressor = regressor_for(matrix, seed, BoosterSettings(n_trees=5))
    fitting = regressor.fit

    def fit(*rows: object, **more: object) -> ProgressionRegressor:
        (folder / str(uuid4())).write_text(str(regressor.n_jobs))
        return fitting(*rows, **more)

    vars(regressor)["fit"] = fit
    return regressor


def test_markers_asked_about_are_also_taken_away_together(examples: Examples, found: Worth, tmp_path: Path) -> None:
    part = worth(examples, only=("NfL", "blood count (NLR)"), n_folds=3, resamples=400)
    assert (part.left_out, part.overall[CLINICAL]) == (found.left_out, found.overall[CLINICAL])
    assert part.together is not None
    alone = worth(examples, only=("NfL", "blood count (NLR)"), singly=False, n_folds=3, resamples=400)
    assert (alone.ladder, alone.left_out, alone.together) == ((), (), part.together)
    assert part.together.patients == PATIENTS
    lost = part.overall[f"+ NfL = {EVERYTHING}"]["rmse"] - part.overall[CLINICAL]["rmse"]
    assert part.together.differences["rmse"].estimate == pytest.approx(lost, abs=1e-12)
    text = as_text(part, "a cohort", simulated=False)
    assert "Taken away together" in text
    assert "adding blood count (NLR) and NfL to everything else narrows" in text
    write(part, "a cohort", tmp_path, simulated=False)
    document = json.loads((tmp_path / "worth.json").read_text())
    assert document["together"]["marker"] == "blood count (NLR) and NfL"


def test_where_no_marker_asked_about_is_there_everything_is_still_evaluated(examples: Examples) -> None:
    part = worth(examples, only=markers_like(["TREG"]), n_folds=3, resamples=10)
    assert (part.ladder, part.left_out, part.together) == ((), (), None)
    assert list(part.overall) == [f"+ NfL = {EVERYTHING}"]
    assert as_text(part, "a cohort", simulated=False).count("no measurement of Treg") == 2
    plot(part, "a cohort", simulated=False).canvas.draw()


def test_markers_are_found_by_a_word_of_their_name() -> None:
    assert markers_like(["nfl", "treg c"]) == ("NfL", "Treg count")
    with pytest.raises(ValueError, match="no marker is called 'gold'; there are: blood count"):
        markers_like(["treg", "gold"])


def test_it_is_written_for_people_and_programs(found: Worth, tmp_path: Path) -> None:
    write(found, "a cohort", tmp_path, simulated=True)
    document = json.loads((tmp_path / "worth.json").read_text())
    assert document["simulated"] is True
    assert [entry["marker"] for entry in document["ladder"]] == ["blood count (NLR)", "NfL"]
    assert document["ladder"][1]["differences"]["rmse"]["upper"] < 0
    assert (tmp_path / "worth.png").read_bytes().startswith(b"\x89PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot(found, "a $cohort_{$", simulated=True).canvas.draw()


@pytest.mark.parametrize("markers", [1, 2])
def test_no_marker_lies_on_the_edge_of_the_plot(found: Worth, markers: int) -> None:
    drawn = replace(found, ladder=found.ladder[:markers], left_out=found.left_out[:markers])
    for axes in plot(drawn, "a cohort", simulated=False).axes:
        bottom, top = axes.get_ylim()
        heights = [height for line in axes.get_lines() if line.get_marker() in "os" for height in line.get_ydata()]
        assert len(heights) == 2 * markers
        assert min(heights) - top >= 0.3
        assert bottom - max(heights) >= 0.3
