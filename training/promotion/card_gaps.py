"""What a card must say before its model may serve in place of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

REQUIRED = (
    "intended_use",
    "statement",
    "simulated",
    "limits",
    "cohort.name",
    "cohort.provenance",
    "cohort.digest",
    "cohort.rows",
    "cohort.patients",
    "cohort.patients_with_outcome",
    "cohort.examples",
    "cohort.deaths",
    "cohort.measured",
    "outcome.scale",
    "outcome.unit",
    "outcome.definition",
    "outcome.mean",
    "outcome.sd",
    "outcome.mean_standard_error",
    "outcome.noise_sd_of_one_score",
    "evaluation.method",
    "evaluation.interval_coverage_aimed_at",
    "evaluation.overall.tregcast.rmse",
    "evaluation.overall.tregcast.coverage",
    "evaluation.overall.mean.rmse",
    "features",
    "seed",
)
OF_A_FEATURE = ("column", "label", "unit", "group", "direction", "importance")
NOT_STATED = "not stated"


def card_gaps(card: Mapping[str, object]) -> tuple[str, ...]:
    """What is missing or empty in a card, by dotted path; a provenance that nobody stated is empty too.

    >>> "cohort.provenance is not stated" in card_gaps({"cohort": {"provenance": "not stated, read from a.csv"}})
    True
    """
    gaps = [f"{path} is {gap}" for path in REQUIRED if (gap := _gap(_at(card, path))) is not None]
    provenance = _at(card, "cohort.provenance")
    if isinstance(provenance, str) and provenance.startswith(NOT_STATED):
        gaps.append(f"cohort.provenance is {NOT_STATED}")
    features = card.get("features")
    for position, feature in enumerate(features if isinstance(features, list) else []):
        gaps += [f"features[{position}].{key} is missing" for key in OF_A_FEATURE if key not in feature]
    return tuple(gaps)


def _at(card: Mapping[str, object], path: str) -> object:
    found: object = card
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _gap(value: object) -> str | None:
    if value is None:
        return "missing"
    empty = isinstance(value, str | Sequence | Mapping) and not len(value)
    return "empty" if empty or (isinstance(value, str) and not value.strip()) else None
