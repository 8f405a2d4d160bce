"""Each figure draws, with warnings as errors, and says what it is."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from features.feature import catalogue
from features.matrix import DesignMatrix
from tests.measured import QUALIFIED
from training.evaluation import MODEL, Evaluation
from training.metrics import Forecasts
from training.plots import MOST_BARS, plots

COLUMNS = tuple(catalogue())
MATRIX = DesignMatrix(COLUMNS, qualified=QUALIFIED)
TITLE = "A $cohort_{$ (SIMULATED)"  # not the mark-up of a formula


def evaluation(n: int, seed: int = 0) -> Evaluation:
    rng = np.random.default_rng(seed)
    rate = rng.gamma(3, 0.25, n)
    forecasts = Forecasts(rate, np.column_stack([rate - 0.8, rate + 0.9]), 0.9)
    return Evaluation(rate + 0.4 * rng.normal(size=n), np.arange(n) % 5, "patient", {MODEL: forecasts})


def drawn(n: int) -> dict[str, Figure]:
    importance = np.random.default_rng(1).dirichlet(np.full(len(COLUMNS), 0.3))
    return dict(plots(evaluation(n), MATRIX, tuple(importance.tolist()), TITLE))


@pytest.mark.parametrize("n", [40, 5000])
def test_each_figure_draws(n: int, tmp_path: Path) -> None:
    figures = drawn(n)
    assert set(figures) == {"calibration.png", "observed_against_predicted.png", "contributions.png"}
    for name, figure in figures.items():
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        [axes] = figure.axes
        assert "(SIMULATED)" in axes.get_title(loc="left")
        assert axes.get_xlabel()


def test_what_is_cross_validated_and_what_is_not() -> None:
    titles = {name: figure.axes[0].get_title(loc="left") for name, figure in drawn(200).items()}
    assert "cross-validated" in titles["calibration.png"]
    assert "cross-validated" in titles["observed_against_predicted.png"]
    assert titles["contributions.png"] == f"{TITLE}, final model"


def test_calibration_shows_tenths() -> None:
    found = evaluation(200)
    axes = drawn(200)["calibration.png"].axes[0]
    points = axes.containers[0].lines[0].get_xydata()
    order = np.argsort(found.forecasts[MODEL].rate)
    tenths = order.reshape(10, 20)
    expected = np.column_stack(
        [found.forecasts[MODEL].rate[tenths].mean(axis=1), found.observed[tenths].mean(axis=1)]
    )
    np.testing.assert_allclose(points, expected)
    assert {text.get_text() for text in axes.get_legend().get_texts()} >= {
        "perfect",
        "mean 90 % prediction interval",
    }


def test_points_beyond_the_axes_are_counted() -> None:
    found = evaluation(5000)
    observed = found.observed.copy()
    observed[:3] = [60.0, -50.0, 70.0]
    figure = plots(replace(found, observed=observed), MATRIX, (1.0,) * len(COLUMNS), "x")
    axes = figure["observed_against_predicted.png"].axes[0]
    low, high = axes.get_ylim()
    assert -5 < low < high < 10
    beyond = np.sum((observed < low) | (observed > high))
    assert 3 <= beyond < 20
    assert f" {beyond} of 5000 examples are beyond the axes" in axes.get_title(loc="left")


def test_the_largest_contributions_stand_on_top_and_no_label_is_cut_off() -> None:
    figure = drawn(200)["contributions.png"]
    axes = figure.axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    assert len(widths) == MOST_BARS
    assert widths == sorted(widths)
    figure.savefig(io.BytesIO())  # lays it out
    edge = figure.bbox
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(edge.x0 <= box.x0 and box.x1 <= edge.x1 for box in boxes)
    assert all(below.y1 <= above.y0 + 0.5 for below, above in pairwise(boxes))  # none overlaps
