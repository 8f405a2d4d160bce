"""The histograms of a scored file, drawn on axes that are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from model.distribution import FAST_ABOVE, SLOW_BELOW, band_of
from model.predictor import BANDS
from scoring.report.histogram import CELLS, Histogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHADES = ("#b3cfe2", "#6f9fc2", "#1f4e73")  # light to dark: told apart by any eye, and in grey print
INK = "#1b1f24"
BAR = CELLS // 20  # cells in a bar: 0.05 points/month
SHOWN = (0.001, 0.999)  # of all rates; what lies beyond is told in words
MOST_BARS = 80


def draw_rates(axes: Axes, rates: Histogram, counts: Mapping[str, int]) -> str:
    """Draw how many answers have which rate, by band; returns what is shown in words.

    Args:
        axes: to draw on. rates: at least one. counts: of answers by band.
    """
    total = sum(counts.values())
    shares = {band: counts[band] / total for band in BANDS}
    ends, heights, width, beyond = _bars(rates)
    of_bar = band_of(ends + width / 2)
    for position, band in enumerate(BANDS):
        inside = of_bar == position
        label = f"{band} {shares[band]:.1%}"
        axes.bar(
            ends[inside], heights[inside], width, align="edge", color=SHADES[position], label=label, linewidth=0
        )
    for limit in (SLOW_BELOW, FAST_ABOVE):
        axes.axvline(limit, color=INK, linewidth=0.8, linestyle="--")
    axes.set_xlabel("predicted rate (points/month; higher is faster)")
    axes.set_ylabel(f"answers (% in {width:g} points/month)")
    axes.legend(frameon=False, fontsize=9, loc="upper right")
    return f"Share of the answers by predicted rate: {', '.join(f'{b} {s:.1%}' for b, s in shares.items())}{beyond}"


def draw_widths(axes: Axes, widths: Histogram) -> str:
    """Draw how many answers have an interval how wide; returns what is shown in words."""
    ends, heights, width, beyond = _bars(widths)
    axes.bar(ends, heights, width, align="edge", color=SHADES[1], linewidth=0)
    median = widths.quantile(0.5)
    axes.axvline(median, color=INK, linewidth=0.8, linestyle="--", label=f"half are narrower than {median:.2f}")
    axes.set_xlabel("width of the prediction interval (points/month)")
    axes.set_ylabel(f"answers (% in {width:g} points/month)")
    axes.legend(frameon=False, fontsize=9, loc="upper right")
    return (
        f"Share of the answers by width of the interval: half are narrower than {median:.2f} points/month{beyond}"
    )


def _bars(found: Histogram) -> tuple[np.ndarray, np.ndarray, float, str]:
    """Lower ends and heights in percent of the bars, their width, and what lies beyond them in words."""
    low, high = (found.quantile(share) for share in SHOWN)
    cells = next(
        BAR * times for times in (1, 2, 4, 10, 20, 10**6) if (high - low) * CELLS < MOST_BARS * BAR * times
    )
    ends, counts = found.bars(cells)
    width = cells / CELLS
    shown = (ends + width > low) & (ends <= high)
    beyond = int(counts[~shown].sum())
    words = f"; {beyond:,} beyond the axis" if beyond else ""
    return ends[shown], 100.0 * counts[shown] / found.total, width, words
