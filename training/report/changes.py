"""What a version changes from the champion: cohort, features, settings, figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.feature import catalogue
from training.promotion.decision_chain import Chain, read_chain
from training.registry import CHAMPION, PACKS, RegistryError, version_of
from training.report.card_facts import card_facts
from training.report.trained_version import TrainedVersion, trained_version

NOT_SETTINGS = {
    "features",
    "examples",
    "scale_is_constant",
    "details",
    "history",
    "score_range",
}  # what came of them
FIGURES = ("rmse", "mae", "r2", "correlation", "coverage", "interval_width", "interval_score")


@dataclass(frozen=True, slots=True)
class Setting:
    """A logged parameter that differs; None where a run did not log it."""

    name: str
    was: str | None
    now: str | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A cross-validated figure of both runs."""

    name: str
    was: float
    now: float
    difference: float


@dataclass(frozen=True, slots=True)
class Changes:
    """This version against the champion, or against the champion before it where it is champion itself."""

    champion: str  # which version that is or was
    pack_id: str
    cohort_was: str
    same_cohort: bool  # only then are figures of the same patients
    came: tuple[str, ...]  # labels of features
    went: tuple[str, ...]
    settings: tuple[Setting, ...]
    figures: tuple[Figure, ...]


def changes(made: TrainedVersion, uri: str | None = None, packs: Path = PACKS) -> Changes | None:
    """What changed from the champion, or of the champion itself from the one before; None where there was none.

    Raises:
        StoreError: the champion's pack or run cannot be had, or decisions on the model are not as they were made.
        Refused: its pack does not verify.
    """
    name, own = made.registered.name, made.registered.version
    try:
        champion = version_of(f"models:/{name}@{CHAMPION}").version
    except RegistryError:
        return None
    chain = read_chain(name)
    chain.require_sound()
    other = champion if champion != own else before_of(chain, own)
    if other is None:
        return None
    before = trained_version(f"models:/{name}/{other}", uri, packs)
    was, now = card_facts(before.pack.card), card_facts(made.pack.card)
    columns, earlier = (each.pack.predictor.matrix.columns for each in (made, before))
    names = [each for each in dict.fromkeys((*before.run.params, *made.run.params)) if each not in NOT_SETTINGS]
    return Changes(
        champion=before.title,
        pack_id=before.pack.id,
        cohort_was=was.cohort,
        same_cohort=was.digest == now.digest,
        came=tuple(catalogue()[column].label for column in columns if column not in earlier),
        went=tuple(catalogue()[column].label for column in earlier if column not in columns),
        settings=tuple(
            Setting(each, before.run.params.get(each), made.run.params.get(each))
            for each in names
            if before.run.params.get(each) != made.run.params.get(each)
        ),
        figures=_figures(before, made),
    )


def before_of(chain: Chain, champion: str) -> str | None:
    """The version that stood as champion before this one, by the decisions; None where they know of none."""
    standing = chain.standing
    return standing[-2] if len(standing) > 1 and standing[-1] == champion else None


def _figures(before: TrainedVersion, made: TrainedVersion) -> tuple[Figure, ...]:
    both = [name for name in FIGURES if f"cv_{name}" in before.run.metrics and f"cv_{name}" in made.run.metrics]
    pairs = [(name, before.run.metrics[f"cv_{name}"], made.run.metrics[f"cv_{name}"]) for name in both]
    return tuple(Figure(name, was, now, now - was) for name, was, now in pairs)
