"""A report as one HTML page that asks for nothing else and holds no script: for screens, phones and paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from features.units import plain
from features.vocabulary import vocabulary
from model.answer import Answer, Prediction
from model.predictor import BAND_LIMITS, BANDS
from training.evaluation import MODEL
from training.paired import LEVEL
from training.report.drawing import Drawing
from training.report.markers import Marker
from training.report.report import Report
from training.report.report_document import Document
from training.report.report_figures import MOST_BARS, drawings
from training.report.tripod import Answer as Item
from training.report.wording import changed, estimated, unit_words
from training.report.worked_examples import Worked
from training.subgroups import TOO_SMALL

MOST_REASONS = 8
NAMES = {
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R2",
    "correlation": "r",
    "coverage": "coverage",
    "interval_width": "interval width",
    "interval_score": "interval score",
}
SECTIONS = {
    "use": "What it is for",
    "flow": "Patients",
    "markers": "What was measured",
    "accuracy": "Accuracy",
    "calibration": "Calibration",
    "bands": "By predicted band",
    "groups": "By group of patients",
    "worth": "What each marker is worth",
    "contributions": "What the model looks at",
    "examples": "Examples",
    "limits": "Limits",
    "changes": "Changes from the champion",
    "origin": "Versions and digests",
    "tripod": "TRIPOD+AI checklist",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A reason of an answer: its words, its share in points/month, and its length beside the largest (0 to 1)."""

    words: str
    share: float
    length: float


@dataclass(frozen=True, slots=True)
class Example:
    """A made-up patient as the page shows it."""

    title: str
    patient: str
    visits: tuple[tuple[str, str], ...]  # when, what was measured
    prediction: Prediction | None
    bands: tuple[tuple[str, str, float], ...]  # name, limits, probability
    reasons: tuple[Bar, ...]
    rest: float  # of the reasons that are not shown, points/month
    notes: tuple[str, ...]  # cautions, or why there is no answer


def page(report: Report, answers: tuple[Item, ...], made: Document) -> bytes:
    """The page.

    Args:
        report: the content. answers: to the checklist. made: the same report as JSON, whose digest the page names.
    """
    text = _template().render(
        report=report,
        drawn=drawings(report),
        answers=answers,
        empty=made.empty,
        digest=made.digest,
        examples=[_example(worked) for worked in report.examples],
        names=NAMES,
        sections=SECTIONS,
        model=MODEL,
        level=LEVEL,
        too_small=TOO_SMALL,
        bars=MOST_BARS,
        markers=_by_group(report.markers),
    )
    return text.encode("utf-8")


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    filters: dict[str, Callable[..., str]] = {
        "estimate": estimated,
        "change": changed,
        "percent": lambda share, decimals=0: f"{share:.{decimals}%}",
        "number": lambda value, decimals=3: "" if value is None else f"{value:.{decimals}f}",
        "signed": lambda value, decimals=3: f"{value:+.{decimals}f}",
        "gain": lambda share: f"{share:+.1%}",
        "short": lambda value: "" if value is None else plain(float(f"{value:.3g}")),
        "unit": unit_words,
        "svg": _svg,
    }
    environment.filters.update(filters)
    return environment.from_string(files("training.report").joinpath("report.html.j2").read_text("utf-8"))


def _by_group(markers: tuple[Marker, ...]) -> tuple[tuple[str, tuple[Marker, ...]], ...]:
    """The markers that somebody has, by the vocabulary's groups in its order."""
    measured = [marker for marker in markers if marker.share_of_patients > 0]
    found = {group: tuple(m for m in measured if m.group == group) for group in vocabulary().groups.values()}
    return tuple((group, rows) for group, rows in found.items() if rows)


def _svg(drawing: Drawing) -> Markup:
    """A figure as it stands in the page; its words are escaped, its SVG is what matplotlib wrote and escaped."""
    head = Markup('<svg role="img" aria-label="{}"').format(drawing.words)
    return head + Markup(drawing.svg.removeprefix("<svg"))


def _example(worked: Worked) -> Example:
    found = worked.answer if isinstance(worked.answer, Prediction) else None
    bars = tuple(_bars(found)) if found is not None else ()
    limits = dict(zip(BANDS, BAND_LIMITS, strict=True))
    return Example(
        title=worked.title,
        patient=", ".join(_patient(worked.record)),
        visits=tuple(_visits(worked.record)),
        prediction=found,
        bands=() if found is None else tuple((band, limits[band], p) for band, p in found.band_probabilities),
        reasons=bars[:MOST_REASONS],
        rest=sum(bar.share for bar in bars[MOST_REASONS:]),
        notes=_notes(worked.answer),
    )


def _notes(answer: Answer) -> tuple[str, ...]:
    found = answer.cautions if isinstance(answer, Prediction) else answer.reasons
    return tuple(each.words for each in found)


def _bars(answer: Prediction) -> Iterator[Bar]:
    largest = max((abs(each.points_per_month) for each in answer.contributions), default=1.0)
    for each in answer.contributions:
        yield Bar(each.words.rpartition(":")[0], each.points_per_month, abs(each.points_per_month) / largest)


def _patient(record: Mapping[str, object]) -> Iterator[str]:
    words = vocabulary()
    for name, value in record.items():
        if name in words.categories:
            yield f"{words.categories[name].label}: {value}"
        elif name in words.quantities:
            yield f"{words.quantities[name].label} {_amount(value)}"


def _visits(record: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    visits = record["visits"]
    for visit in visits if isinstance(visits, list) else []:
        told = [
            f"{vocabulary().quantities[name].label} {_amount(sent)}" for name, sent in visit["measurements"].items()
        ]
        told += [f"Riluzole: {visit['riluzole']}"] if "riluzole" in visit else []
        yield f"{_amount(visit['months_since_onset'])} since onset", "; ".join(told)


def _amount(sent: object) -> str:
    if not isinstance(sent, Mapping):
        return str(sent)
    return f"{plain(float(sent['value']))} {unit_words(str(sent['unit']))}".rstrip()
