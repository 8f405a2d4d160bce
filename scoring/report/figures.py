"""What the page shows: counts of answers, and how good they were where the input tells what came afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scoring.report.answers import Answers
from scoring.report.histogram import Histogram
from scoring.report.trained_on import TrainedOn
from scoring.summary import Summary


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as an SVG element, and what it shows in words, for who cannot see it."""

    svg: str
    words: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its 95 % interval; None where it is not defined."""

    value: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class Tenth:
    """A tenth of the judged answers, by predicted rate: means in points/month."""

    visits: int
    predicted: float
    observed: Figure
    interval: tuple[float, float]  # mean ends of the prediction interval


@dataclass(frozen=True, slots=True)
class Judged:
    """How good answers were. Figures by name: rmse, mae, r2, correlation, coverage, interval_width, interval_score.

    Attributes:
        visits, patients: that were judged.
        overall: of the pack's answers.
        bands: the same by predicted band, with ``examples``, where a band has enough.
        baselines: the same of simpler forecasts.
        slope, bias: of calibration: 1 and 0 are perfect; predicted - observed, points/month.
        tenths: by predicted rate.
        picture: of calibration.
    """

    visits: int
    patients: int
    overall: Mapping[str, Figure]
    bands: Mapping[str, Mapping[str, float]]
    baselines: Mapping[str, Mapping[str, float]]
    slope: Figure
    bias: Figure
    tenths: tuple[Tenth, ...]
    picture: Picture


@dataclass(frozen=True, slots=True)
class Later:
    """What the input tells of what came after its visits.

    Attributes:
        words: whose visits were looked at, and what was found.
        trained_on: whether the pack was trained on this file.
        judged: None where there is nothing, or too little, to judge.
    """

    words: str
    trained_on: TrainedOn
    judged: Judged | None


@dataclass(slots=True)
class Spread:
    """The predicted rates of all answers, and the widths of their intervals, in points/month."""

    rates: Histogram = field(default_factory=Histogram)
    widths: Histogram = field(default_factory=Histogram)

    def take(self, answers: Answers) -> None:
        """Count these."""
        self.rates.add(answers.rate)
        self.widths.add(answers.interval[:, 1] - answers.interval[:, 0])


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """All that a page tells of a run."""

    input: str  # name of the file
    out: str
    summary: Summary
    spread: Spread
    pictures: tuple[Picture, ...]  # of rates and of widths; none without an answer
    later: Later
