"""The plots of a training run: is it calibrated, how close does it come, what does it look at."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from features.matrix import DesignMatrix
from training.evaluation import MODEL, Evaluation

Floats = NDArray[np.float64]
INK, POINT, LINE = "#1b1f24", "#2f6f9f", "#b4443c"
MOST_BARS = 20
MANY_POINTS = 2000
plain_text = mpl.rc_context(  # a $ in a name is a $
    {"text.parse_math": False, "axes.spines.top": False, "axes.spines.right": False}
)


@plain_text
def plots(
    evaluation: Evaluation, matrix: DesignMatrix, importance: tuple[float, ...], title: str
) -> Mapping[str, Figure]:
    """The figures by file name: rates in points/month, cross-validated; contributions of the final model."""
    return {
        "calibration.png": calibration(evaluation, f"{title}, cross-validated"),
        "observed_against_predicted.png": observed_against_predicted(evaluation, f"{title}, cross-validated"),
        "contributions.png": contributions(matrix, importance, f"{title}, final model"),
    }


def calibration(evaluation: Evaluation, title: str) -> Figure:
    """Mean observed rate by tenth of the predicted rate, with its standard error, and the intervals' ends."""
    found = evaluation.forecasts[MODEL]
    figure, axes = _figure(title, "predicted rate (points/month)", "observed rate (points/month)")
    tenths = np.array_split(np.argsort(found.rate, kind="stable"), 10)
    x = np.array([found.rate[part].mean() for part in tenths])
    y = np.array([evaluation.observed[part].mean() for part in tenths])
    observed = [evaluation.observed[part] for part in tenths]
    error = np.array([part.std(ddof=1) / np.sqrt(len(part)) for part in observed])
    lower, upper = (np.array([found.interval[part, end].mean() for part in tenths]) for end in (0, 1))
    axes.fill_between(
        x, lower, upper, color=POINT, alpha=0.12, label=f"mean {100 * found.coverage:.0f} % prediction interval"
    )
    axes.errorbar(x, y, 1.96 * error, fmt="o", color=POINT, label="tenth of the examples, mean and its 95 % range")
    ends = [min(0.0, float(x.min())), float(x.max()) * 1.05]
    axes.plot(ends, ends, color=LINE, linewidth=1, label="perfect")
    axes.legend(frameon=False, fontsize=8)
    return figure


def observed_against_predicted(evaluation: Evaluation, title: str) -> Figure:
    """Each example as a point."""
    found = evaluation.forecasts[MODEL]
    figure, axes = _figure(title, "predicted rate (points/month)", "observed rate (points/month)")
    alpha = 0.25 if len(found.rate) > MANY_POINTS else 0.6
    axes.scatter(found.rate, evaluation.observed, s=8, alpha=alpha, color=POINT, linewidths=0)
    ends = [float(found.rate.min()), float(found.rate.max())]
    axes.plot(ends, ends, color=LINE, linewidth=1, label="perfect")
    low, high = np.quantile(evaluation.observed, [0.001, 0.999])
    low, high = float(low) - 0.2, float(high) + 0.2
    axes.set_ylim(low, high)
    beyond = int(np.sum((evaluation.observed < low) | (evaluation.observed > high)))
    r2 = evaluation.overall[MODEL]["r2"]
    said = f"R2 {r2:.3f}, {beyond} of {len(found.rate)} examples are beyond the axes"
    axes.set_title(f"{title}\n{said}", fontsize=10, loc="left", color=INK)
    axes.legend(frameon=False, fontsize=8)
    return figure


def contributions(matrix: DesignMatrix, importance: tuple[float, ...], title: str) -> Figure:
    """The features that carry most of the contributions."""
    order = np.argsort(importance, kind="stable")[::-1][:MOST_BARS][::-1]
    labels = [matrix.features[at].label for at in order]
    shares = [100.0 * importance[at] for at in order]
    figure, axes = _figure(title, "share of all contributions (%)", "")
    figure.set_size_inches(8, 0.28 * len(order) + 1.4)
    axes.barh(range(len(order)), shares, color=POINT)
    axes.set_yticks(range(len(order)), labels, fontsize=8)
    axes.margins(y=0.01)
    return figure


def _figure(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 5), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes
