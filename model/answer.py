"""What a record is answered with: a prediction, or an abstention with its reasons.

One type, rendered by each edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from model.contribution import Contribution

Json = Mapping[str, object]

NUMBERS = (
    "progression_rate",
    "interval_lower",
    "interval_upper",
    "probability_slow",
    "probability_intermediate",
    "probability_fast",
)
"""What the numbers of a prediction are called in a table, a column each."""


@dataclass(frozen=True, slots=True)
class PackRef:
    """Which pack answered: its id (sha256 of its manifest), its name, the version of Tregcast that made it."""

    id: str
    name: str
    made_by: str

    def to_json(self) -> dict[str, object]:
        """As it stands in every document."""
        return {"id": self.id, "name": self.name, "made_by": self.made_by}


@dataclass(frozen=True, slots=True)
class PredictionInterval:
    """The interval that holds the rate with the stated coverage, in points/month."""

    lower: float
    upper: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Caution:
    """Why a prediction, though given, should be read with care. ``features`` names what it is about."""

    code: str
    features: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why no number is given, and what to do. ``words`` hold no number either.

    ``fields`` are the keys of the record that it is about, as they are sent.
    """

    code: str
    fields: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """A progression rate in points of the pack's scale per month (positive = decline), and why."""

    progression_rate: float
    unit: str
    prediction_interval: PredictionInterval
    quantiles: tuple[tuple[float, float], ...]  # (probability, rate)
    band_probabilities: tuple[tuple[str, float], ...]  # slow, intermediate, fast
    base_value: float
    contributions: tuple[Contribution, ...]  # largest first; base_value + contributions = progression_rate
    cautions: tuple[Caution, ...]
    pack: PackRef
    statement: str
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Abstention:
    """The record was understood, and is not answered."""

    reasons: tuple[Reason, ...]
    pack: PackRef
    statement: str
    reference: str | None = None


Explain = Literal["all", "top5", "none"]
"""How many contributions are told with a prediction."""

TOP = 5  # of ``top5``

Answer = Prediction | Abstention
Outcome = Literal["prediction", "prediction_with_cautions", "abstained"]


def outcome(answer: Answer) -> Outcome:
    """``prediction``, ``prediction_with_cautions`` or ``abstained``."""
    if isinstance(answer, Abstention):
        return "abstained"
    return "prediction_with_cautions" if answer.cautions else "prediction"


def render(answer: Answer, explain: Explain = "all") -> dict[str, object]:
    """The JSON object of an answer, the same on every route. An abstention holds no number anywhere.

    Args:
        answer: the answer.
        explain: how many contributions are told. Where it is ``top5``, what the others add up to stands beside the
            five, so that base value and contributions still are the estimate; where it is ``none``, there is no
            base value either.

    >>> ref = PackRef("0" * 64, "als-progression", "tregcast 0.1.0")
    >>> reason = Reason("no_score", ("alsfrs_r_total",), "There is no score.")
    >>> render(Abstention((reason,), ref, "Simulated."))["outcome"]
    'abstained'
    """
    head: dict[str, object] = {"outcome": outcome(answer), "reference": answer.reference}
    tail: dict[str, object] = {
        "pack": answer.pack.to_json(),
        "statement": answer.statement,
    }
    if isinstance(answer, Abstention):
        reasons = [{"code": each.code, "fields": list(each.fields), "words": each.words} for each in answer.reasons]
        return {**head, "reasons": reasons, **tail}
    return {**head, **_numbers(answer, explain), **tail}


def _numbers(prediction: Prediction, explain: Explain) -> dict[str, object]:
    interval = prediction.prediction_interval
    return {
        "progression_rate": prediction.progression_rate,
        "unit": prediction.unit,
        "prediction_interval": {
            "coverage": interval.coverage,
            "lower": interval.lower,
            "upper": interval.upper,
        },
        "quantiles": [{"probability": q, "rate": rate} for q, rate in prediction.quantiles],
        "band_probabilities": dict(prediction.band_probabilities),
        **_explained(prediction, explain),
        "cautions": [
            {"code": item.code, "features": list(item.features), "words": item.words}
            for item in prediction.cautions
        ],
    }


def _explained(prediction: Prediction, explain: Explain) -> dict[str, object]:
    """Base value and contributions, as many as are asked for."""
    if explain == "none":
        return {}
    told = prediction.contributions if explain == "all" else prediction.contributions[:TOP]
    found: dict[str, object] = {
        "base_value": prediction.base_value,
        "contributions": [_contribution(item) for item in told],
    }
    if explain == "top5":
        others = [item.points_per_month for item in prediction.contributions[TOP:]]
        found["other_contributions"] = {"count": len(others), "points_per_month": sum(others, 0.0)}
    return found


def _contribution(item: Contribution) -> dict[str, object]:
    return {
        "feature": item.about.column,
        "label": item.about.label,
        "value": item.value,
        "unit": item.about.unit,
        "points_per_month": item.points_per_month,
        "words": item.words,
    }
