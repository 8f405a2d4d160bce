"""The card of a pack: trained on what, how good, for what, and what it must not be used for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict

from features.change import NOISE_SD
from features.matrix import DesignMatrix
from features.vocabulary import vocabulary
from model.boosting import BoosterSettings
from model.predictor import COVERAGE, SCALE_NAMES
from training.cohort import Cohort
from training.evaluation import Evaluation
from training.examples import Examples
from training.outcome import HORIZON_MONTHS, SHORTEST_SPAN_MONTHS
from training.settings import CARD_KEY

INTENDED_USE = (
    "For research: to estimate the progression rate of a person with ALS over the next 12 months, with its "
    "uncertainty and its reasons. It must not guide the care of anyone."
)
SIMULATED_STATEMENT = (
    "This model was trained on a SIMULATED cohort built on published group figures, not on patients. "
    "It shows how Tregcast works; it must not guide the care of anyone."
)
REAL_STATEMENT = (
    "This model was trained on the cohort {name}, for research. It is not validated for the care of anyone and "
    "must not guide it; it is not a medical device and does not say what a treatment would do."
)
LIMITS = (
    "A contribution is an association in the training cohort, not the effect of a treatment.",
    "A patient unlike the training cohort, or without a functional score, is not answered.",
    "The evidence on Tregs and rate is not unanimous: small studies find slower progression with more and stronger "
    "Tregs (Henkel 2013; Beers 2011, 2017; Sheean 2018), a larger one finds no relation with the rate (Cui 2022).",
    "The outcome needs at least one later score, so patients who died or left early are under-represented.",
)


def statement_of(cohort: Cohort) -> str:
    """What every answer says of the cohort behind it."""
    return SIMULATED_STATEMENT if cohort.simulated else REAL_STATEMENT.format(name=cohort.name)


def card_of(
    cohort: Cohort,
    examples: Examples,
    evaluation: Evaluation,
    importance: tuple[float, ...],
    seed: int,
    settings: BoosterSettings,
) -> dict[str, object]:
    """The card as plain JSON values. Every number in it comes from this run."""
    return {
        "intended_use": INTENDED_USE,
        "statement": statement_of(cohort),
        "simulated": cohort.simulated,
        "limits": [*LIMITS, *_absent_tregs(cohort)],
        "cohort": {
            "name": cohort.name,
            "provenance": cohort.provenance,
            "digest": cohort.digest,
            **_counts(cohort),
        },
        "outcome": {
            "scale": SCALE_NAMES[cohort.scale],
            "unit": "points/month, positive = decline",
            "definition": f"least-squares slope of the scores from the index visit to {HORIZON_MONTHS:g} months "
            f"later, at least two visits over at least {SHORTEST_SPAN_MONTHS:g} months",
            "mean": float(examples.y.mean()),
            "sd": float(examples.y.std()),
            "mean_standard_error": float(examples.standard_error.mean()),
            "noise_sd_of_one_score": NOISE_SD,
        },
        "evaluation": {
            "method": evaluation.method,
            "interval_coverage_aimed_at": COVERAGE,
            "overall": {name: rounded(found) for name, found in evaluation.overall.items()},
            "by_predicted_band": {name: rounded(found) for name, found in evaluation.bands.items()},
        },
        "features": [
            {
                "column": feature.column,
                "label": feature.label,
                "unit": feature.unit,
                "group": vocabulary().groups[feature.group],
                "direction": feature.direction,
                "importance": round(share, 6),
                **_measured_as(examples.matrix, feature.quantity),
            }
            for feature, share in zip(examples.matrix.features, importance, strict=True)
        ],
        "seed": seed,
        CARD_KEY: asdict(settings),
    }


def _measured_as(matrix: DesignMatrix, quantity: str | None) -> dict[str, str]:
    """How the values of a column were measured, where they mean nothing without that: a part of what it means."""
    said = matrix.measured_as.get(quantity or "")
    return {} if said is None else {"measured_as": ", ".join(f"{name} {value}" for name, value in said)}


def _counts(cohort: Cohort) -> dict[str, object]:
    report = asdict(cohort.report)
    del report["problems"]
    return {
        **{key: value for key, value in report.items() if not isinstance(value, tuple)},
        "unused_headers": list(cohort.report.unused_headers),
        "excluded_patients": dict(cohort.report.excluded_patients),
        "excluded_visits": dict(cohort.report.excluded_visits),
        "measured_otherwise": list(cohort.report.measured_otherwise),
        "measured": {column: round(share, 4) for column, share in cohort.report.measured},
    }


def _absent_tregs(cohort: Cohort) -> list[str]:
    shares = dict(cohort.report.measured)
    tregs = [q.column for q in vocabulary().quantities.values() if q.group == "treg"]
    if any(shares.get(column, 0.0) > 0 for column in tregs):
        return []
    return ["The training cohort has no Treg measurement: this model knows nothing of Tregs."]


def rounded(found: Mapping[str, float]) -> dict[str, float | None]:
    """Figures as a card holds them: to 6 decimals, None for what is not defined."""
    return {key: None if math.isnan(value) else round(value, 6) for key, value in found.items()}
