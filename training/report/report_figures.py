"""The figures of a report, as SVG that stands in a page: no outside resource, text stays text."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill

from training.paired import Difference
from training.plots import INK
from training.report.accuracy import Calibration
from training.report.drawing import ACCENT, QUIET, SOFT, Drawing, drawing, figure_of, style
from training.report.feature_effects import Effect, Importance
from training.report.report import Report
from training.report.wording import unit_words
from training.worth import Worth

MOST_BARS = 15
LONGEST_LINE = 30  # of a label, in characters


@dataclass(frozen=True, slots=True)
class Drawings:
    """All figures of a report."""

    calibration: Drawing
    importance: Drawing
    effects: tuple[Drawing, ...]
    worth: tuple[Drawing, ...]  # change of RMSE, of interval width


def drawings(report: Report) -> Drawings:
    """Draw the figures of a report."""
    with style("tregcast"):
        return Drawings(
            calibration=calibration(report.calibration, report.card.coverage),
            importance=_importance(report.importance[:MOST_BARS]),
            effects=tuple(_effect(effect, f"effect{number}") for number, effect in enumerate(report.effects)),
            worth=() if report.worth is None else _worth(report.worth),
        )


def calibration(found: Calibration, coverage: float) -> Drawing:
    """Observed against predicted by tenth, with the mean prediction interval. Called within a `style`."""
    figure, axes = figure_of(6.0, 4.4)
    known = found.tenths
    x = [tenth.predicted for tenth in known]
    lower, upper = ([tenth.interval[end] for tenth in known] for end in (0, 1))
    axes.fill_between(x, lower, upper, color=SOFT, linewidth=0, label=f"mean {coverage:.0%} prediction interval")
    for tenth in known:
        ends = (tenth.observed.lower or 0.0, tenth.observed.upper or 0.0)
        axes.plot([tenth.predicted] * 2, ends, color=ACCENT, linewidth=1.5)
    axes.plot(
        x,
        [tenth.observed.value or 0.0 for tenth in known],
        "o",
        color=ACCENT,
        label="tenth of the visits, 95% interval",
    )
    ends = (min(0.0, *x), max(x) * 1.05)
    axes.plot(ends, ends, color=INK, linewidth=0.8, linestyle="--", label="perfect")
    axes.set_xlabel("predicted rate (points/month)")
    axes.set_ylabel("observed rate (points/month)")
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    return drawing(
        figure, "calibration", "Mean observed against mean predicted rate, by tenth of the predicted rate"
    )


def _importance(found: tuple[Importance, ...]) -> Drawing:
    figure, axes = figure_of(5.6, 0.36 * len(found) + 0.8)
    axes.barh(range(len(found)), [100 * each.share for each in found], color=ACCENT, height=0.65)
    axes.set_yticks(range(len(found)), [fill(each.label, LONGEST_LINE) for each in found])
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share of all contributions (%)")
    return drawing(figure, "importance", "Share of all contributions, by feature")


def _effect(effect: Effect, name: str) -> Drawing:
    figure, axes = figure_of(3.6, 2.8)
    x = [point.value for point in effect.points]
    line = "-" if len(x) > 2 else ""
    for point in effect.points:
        axes.plot([point.value] * 2, [point.lower, point.upper], color=SOFT, linewidth=4, solid_capstyle="butt")
    axes.plot(
        x, [point.contribution for point in effect.points], f"o{line}", color=ACCENT, linewidth=1.2, markersize=4
    )
    axes.axhline(0.0, color=QUIET, linewidth=0.8)
    if set(x) <= {0.0, 1.0}:
        axes.set_xticks([0.0, 1.0], ["no", "yes"])
        axes.set_xlim(-0.5, 1.5)
    else:
        axes.set_xlabel(unit_words(effect.unit))
    axes.locator_params(axis="y", nbins=5)
    axes.set_ylabel("contribution (points/month)")
    return drawing(figure, name, f"Contribution against {effect.label}")


def _worth(found: Worth) -> tuple[Drawing, ...]:
    """How RMSE and interval width change when a marker joins those above it, and when it joins all others."""
    drawn = []
    for name, label in (("rmse", "RMSE (points/month)"), ("width", "interval width (%)")):
        figure, axes = figure_of(6.0, 0.42 * len(found.ladder) + 1.2)
        for offset, sign, colour, joining, rows in (
            (-0.13, "o", ACCENT, "those above it", found.ladder),
            (0.13, "s", QUIET, "all others", found.left_out),
        ):
            for position, row in enumerate(rows):
                change = row.differences["rmse"] if name == "rmse" else _hundredfold(row.relative_width)
                axes.plot([change.lower, change.upper], [position + offset] * 2, color=colour, linewidth=1.5)
                label_once = None if position else f"joining {joining}"
                axes.plot(change.estimate, position + offset, sign, color=colour, markersize=5, label=label_once)
        axes.axvline(0.0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(found.ladder)), [row.marker for row in found.ladder])
        axes.invert_yaxis()
        axes.set_xlabel(f"change of {label}; left of 0 is better")
        if found.ladder:
            figure.legend(loc="outside upper left", frameon=False, fontsize=9, ncols=2)
        drawn.append(drawing(figure, f"worth-{name}", f"Change of {label} by marker, with 95% intervals"))
    return tuple(drawn) if found.ladder else ()


def _hundredfold(share: Difference) -> Difference:
    return Difference(100.0 * share.estimate, 100.0 * share.lower, 100.0 * share.upper)
