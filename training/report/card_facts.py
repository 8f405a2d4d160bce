"""The card of a pack as typed facts: what `training.card.card_of` wrote, read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.contents import reading

Figures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a model is for, made from what, and how good it was found to be."""

    intended_use: str
    statement: str
    simulated: bool
    limits: tuple[str, ...]
    cohort: str
    provenance: str
    digest: str  # sha256 of the cohort's file and mapping
    scale: str
    unit: str
    definition: str  # of the outcome
    mean: float  # of the outcome, points/month, like the next three
    sd: float
    mean_standard_error: float
    noise_sd_of_one_score: float  # points
    method: str
    coverage: float  # aimed at
    overall: Mapping[str, Figures]  # by model
    bands: Mapping[str, Figures]  # by predicted band


def card_facts(card: Mapping[str, object]) -> CardFacts:
    """The facts of a card.

    Raises:
        ValueError: it lacks one, or one is of another kind.
    """
    with reading("card.json"):
        cohort, outcome, evaluation = (_table(card, key) for key in ("cohort", "outcome", "evaluation"))
        limits = card["limits"]
        return CardFacts(
            intended_use=_text(card, "intended_use"),
            statement=_text(card, "statement"),
            simulated=card["simulated"] is True,
            limits=tuple(str(limit) for limit in limits) if isinstance(limits, list) else (),
            cohort=_text(cohort, "name"),
            provenance=_text(cohort, "provenance"),
            digest=_text(cohort, "digest"),
            scale=_text(outcome, "scale"),
            unit=_text(outcome, "unit"),
            definition=_text(outcome, "definition"),
            mean=_number(outcome, "mean"),
            sd=_number(outcome, "sd"),
            mean_standard_error=_number(outcome, "mean_standard_error"),
            noise_sd_of_one_score=_number(outcome, "noise_sd_of_one_score"),
            method=_text(evaluation, "method"),
            coverage=_number(evaluation, "interval_coverage_aimed_at"),
            overall=_figures(_table(evaluation, "overall")),
            bands=_figures(_table(evaluation, "by_predicted_band")),
        )


def _figures(table: Mapping[str, object]) -> dict[str, Figures]:
    found = {name: _table(table, name) for name in table}
    return {
        name: {key: None if value is None else _number(each, key) for key, value in each.items()}
        for name, each in found.items()
    }


def _table(table: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = table[key]
    if not isinstance(found, Mapping):
        raise TypeError(f"{key} is not an object")
    return found


def _text(table: Mapping[str, object], key: str) -> str:
    found = table[key]
    if not isinstance(found, str):
        raise TypeError(f"{key} is not a text")
    return found


def _number(table: Mapping[str, object], key: str) -> float:
    found = table[key]
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise TypeError(f"{key} is not a number")
    return float(found)
