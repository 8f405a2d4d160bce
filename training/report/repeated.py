"""The cross-validation of a version, done again from its cohort: its figures must be those of the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from training.card import rounded
from training.cohort import Cohort, read_cohort
from training.evaluation import Evaluation, evaluate
from training.examples import Examples, examples_of
from training.progress import Progress, silent
from training.report.card_facts import CardFacts, Figures
from training.report.trained_version import TrainedVersion

FIGURES_NAMED = 3


class NotTheSame(ValueError):
    """The cohort is not the one that the version was trained on, or its forecasts come out otherwise."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A cohort and the out-of-sample forecasts for it, as they were when the version was trained."""

    cohort: Cohort
    examples: Examples
    evaluation: Evaluation


def repeated(
    made: TrainedVersion,
    card: CardFacts,
    cohort_path: Path,
    mapping_path: Path | None = None,
    *,
    progress: Progress = silent,
) -> Repeated:
    """Read the cohort of a version and cross-validate again, with the seed and the settings of its run.

    Raises:
        NotTheSame: the cohort, its features or the figures are others than those of the card.
        CohortError, MappingError: the cohort or its mapping cannot be used.
        RegistryError: the run did not log what is needed.
    """
    cohort = read_cohort(cohort_path, mapping_path, index_visits=made.recipe.index_visits, progress=progress)
    require_same_cohort(made, card, cohort)
    examples = examples_of(cohort)
    difference = made.pack.predictor.matrix.difference(examples.matrix.columns)
    if difference:
        raise NotTheSame(
            f"{made.title}: its features are not those that this version of Tregcast makes of the cohort: "
            f"{difference}; {_made_with(made)}"
        )
    found = evaluate(
        examples, lambda: made.recipe.regressor(examples.matrix), seed=made.recipe.seed, progress=progress
    )
    require_same_figures(made, card, found)
    return Repeated(cohort, examples, found)


def require_same_cohort(made: TrainedVersion, card: CardFacts, cohort: Cohort) -> None:
    """Nothing, if the cohort is the one of the card.

    Raises:
        NotTheSame: with both digests.
    """
    if cohort.digest != card.digest:
        raise NotTheSame(
            f"{cohort.report.file}: its digest (sha256 of file and mapping) is {cohort.digest}, but {made.title} "
            f"was trained on {card.cohort} with the digest {card.digest}; give that file, and the mapping that it "
            "was trained with"
        )


def require_same_figures(made: TrainedVersion, card: CardFacts, evaluation: Evaluation) -> None:
    """Nothing, if every figure, to the 6 decimals of a card, is the one of the card.

    Raises:
        NotTheSame: with figures that differ and the libraries then and now.
    """
    pairs = ((card.overall, evaluation.overall), (card.bands, evaluation.bands))
    wrong = [text for was, now in pairs for text in _differing(was, {k: rounded(v) for k, v in now.items()})]
    if wrong:
        more = f" and {len(wrong) - FIGURES_NAMED} more" if len(wrong) > FIGURES_NAMED else ""
        raise NotTheSame(
            f"{made.title}: cross-validated again, its figures are not those of its card: "
            f"{'; '.join(wrong[:FIGURES_NAMED])}{more}; {_made_with(made)}"
        )


def _differing(was: Mapping[str, Figures], now: Mapping[str, Figures]) -> list[str]:
    return [
        f"{name} {key} was {was.get(name, {}).get(key)}, is {now.get(name, {}).get(key)}"
        for name in dict.fromkeys((*now, *was))
        for key in dict.fromkeys((*now.get(name, {}), *was.get(name, {})))
        if was.get(name, {}).get(key) != now.get(name, {}).get(key)
    ]


def _made_with(made: TrainedVersion) -> str:
    """What to do: the libraries that are others now, or to train again."""
    libraries = {name: was for name, was in made.libraries.items() if name != "python"}
    other = [f"{name} {was} (here {version(name)})" for name, was in libraries.items() if version(name) != was]
    if other:
        return f"it was made with {', '.join(other)}: use those, or train again"
    return "train again with this version of Tregcast"
