"""The report of a scored file as one HTML page that asks for nothing else and holds no script, and no patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from features.version import VERSION
from model.predictor import BAND_LIMITS, BANDS
from scoring.report.figures import Figure, Picture, ScoredFile
from scoring.report.histogram import Histogram
from scoring.summary import ABSTAINED, REJECTED

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
OUTCOMES = {
    "prediction": "answered, without cautions",
    "prediction_with_cautions": "answered, with cautions",
    ABSTAINED: "understood, but not answered (abstained)",
    REJECTED: "rejected",
}
CODES = {
    "cautions": "Cautions, in the answers",
    "reasons": "Reasons for no answer, of abstained rows",
    "problems": "Problems, in the rejects",
}
NAMES = {
    "r2": "R2 (share of the variance explained)",
    "rmse": "RMSE, points/month",
    "mae": "MAE, points/month",
    "correlation": "correlation r",
    "coverage": "share of observed rates inside the interval",
    "interval_width": "mean width of the interval, points/month",
}


def page(scored: ScoredFile) -> bytes:
    """The page.

    Raises:
        ImportError: what makes pages is not installed.
    """
    tally = scored.summary.tally
    rows = scored.summary.rows
    said: dict[str, Mapping[str, int]] = {
        "cautions": tally.cautions,
        "reasons": tally.reasons,
        "problems": tally.problems,
    }
    text = _template().render(
        scored=scored,
        summary=scored.summary,
        outcomes=[
            (words, tally.outcomes[name], _share(tally.outcomes[name], rows)) for name, words in OUTCOMES.items()
        ],
        codes=[(CODES[kind], _ordered(counts, rows)) for kind, counts in said.items() if counts],
        bands=[
            (band, limits, tally.bands[band], _share(tally.bands[band], tally.bands.total()))
            for band, limits in zip(BANDS, BAND_LIMITS, strict=True)
        ],
        answers=tally.bands.total(),
        rates=_quantiles(scored.spread.rates),
        widths=_quantiles(scored.spread.widths),
        quantiles=QUANTILES,
        later=scored.later,
        coverage=f"{100 * scored.summary.settings.coverage:g}%",
        names=NAMES,
        version=VERSION,
    )
    return text.encode("utf-8")


def _share(count: int, of: int) -> float:
    return count / of if of else 0.0


def _ordered(counts: Mapping[str, int], rows: int) -> list[tuple[str, int, float]]:
    """Codes, the most frequent first, with their share of all rows."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(code, count, _share(count, rows)) for code, count in ordered]


def _quantiles(found: Histogram) -> list[float]:
    return [found.quantile(share) for share in QUANTILES] if found.total else []


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    filters: dict[str, Callable[..., str]] = {
        "count": lambda count: f"{count:,}",
        "number": lambda value, decimals=3: "not defined" if value is None else f"{value:.{decimals}f}",
        "percent": lambda share, decimals=1: f"{share:.{decimals}%}",
        "estimate": estimated,
        "svg": _svg,
    }
    environment.filters.update(filters)
    return environment.from_string(files("scoring.report").joinpath("report.html.j2").read_text("utf-8"))


def estimated(found: Figure, decimals: int = 3) -> str:
    """A figure with its interval.

    >>> estimated(Figure(0.2014, 0.18, 0.22)), estimated(Figure(None, None, None))
    ('0.201 (0.180 to 0.220)', 'not defined')
    """
    if found.value is None or found.lower is None or found.upper is None:
        return "not defined"
    return f"{found.value:.{decimals}f} ({found.lower:.{decimals}f} to {found.upper:.{decimals}f})"


def _svg(picture: Picture) -> Markup:
    """A figure as it stands in the page; its words are escaped, its SVG is what the drawing library escaped."""
    from markupsafe import Markup

    head = Markup('<svg role="img" aria-label="{}"').format(picture.words)
    return head + Markup(picture.svg.removeprefix("<svg"))
