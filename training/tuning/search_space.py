"""Where a search for settings looks: the range of each, and how a trial draws from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.boosting import BoosterSettings

if TYPE_CHECKING:
    from optuna import Trial


@dataclass(frozen=True, slots=True)
class Range:
    """From ``low`` to ``high``, both included; on a logarithmic scale where what counts is the ratio."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', log' if self.log else ''}"


SPACE: Mapping[str, Range] = {
    "n_trees": Range(100, 1000, log=True, whole=True),
    "max_depth": Range(1, 5, whole=True),  # tables double with each level, and no cohort here carries deeper trees
    "learning_rate": Range(0.005, 0.1, log=True),
    "subsample": Range(0.3, 1.0),
    "colsample": Range(0.3, 1.0),
    "min_child_weight": Range(1.0, 100.0, log=True),
    "min_child_share": Range(0.005, 0.2, log=True),
    "reg_lambda": Range(0.1, 100.0, log=True),
}
"""The defaults lie inside, about the middle of the logarithmic ones."""


def suggested(trial: Trial) -> BoosterSettings:
    """The settings that the sampler gives a trial, which keeps them as its parameters."""
    for name, found in SPACE.items():
        if found.whole:
            trial.suggest_int(name, int(found.low), int(found.high), log=found.log)
        else:
            trial.suggest_float(name, found.low, found.high, log=found.log)
    return settings_in(trial.params)


def settings_in(params: Mapping[str, float]) -> BoosterSettings:
    """The settings that the parameters of a trial are.

    >>> from dataclasses import asdict
    >>> settings_in(asdict(BoosterSettings(max_depth=2))).max_depth
    2
    """
    return BoosterSettings(**{name: params[name] for name in SPACE})  # type: ignore[arg-type]
