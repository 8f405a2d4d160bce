"""Settings of the trees from outside: a JSON file, or the card of a registered model; every problem at once."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from features.problem import Problem, Rejected, shown
from features.strict_json import loads
from model.booster_json import MAX_DEPTH
from model.boosting import BoosterSettings

DEFAULTS = BoosterSettings()
CARD_KEY = "settings"
MODELS = "models:/"


class SettingsError(ValueError):
    """Settings that cannot be used; the text names every problem and its remedy."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a setting may be: a whole number or any, from ``least`` (itself left out if ``above``) to ``most``."""

    whole: bool
    least: float
    most: float
    above: bool = False

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        lower = f"above {self.least:g}" if self.above else f"from {self.least:g}"
        return f"{kind} {lower} to {self.most:g}"

    def problem(self, name: str, value: object) -> Problem | None:
        """Why a value cannot be this setting; None if it can.

        >>> print(Limits(True, 1, 8).problem("max_depth", 9))
        max_depth = 9 is out of range; give a whole number from 1 to 8
        """
        remedy = f"give {self}"
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return Problem(
                "wrong_type", name, shown(value), f"is not {'a whole' if self.whole else 'a'} number", remedy
            )
        inside = self.least < value if self.above else self.least <= value
        if not (inside and value <= self.most and math.isfinite(value)):
            return Problem("out_of_range", name, shown(value), "is out of range", remedy)
        return None


LIMITS: Mapping[str, Limits] = {
    "n_trees": Limits(True, 1, 10_000),
    "max_depth": Limits(True, 1, MAX_DEPTH),
    "learning_rate": Limits(False, 0, 1, above=True),
    "subsample": Limits(False, 0, 1, above=True),
    "colsample": Limits(False, 0, 1, above=True),
    "min_child_weight": Limits(False, 0, 1e6),
    "min_child_share": Limits(False, 0, 0.5),
    "reg_lambda": Limits(False, 0, 1e6),
}


def settings_from(value: object, where: str) -> BoosterSettings:
    """The settings that a JSON value holds; those it does not name have their defaults.

    Args:
        value: an object of the fields of `BoosterSettings`. where: what it was read from, for the message.

    Raises:
        SettingsError: naming every unknown key, wrong type and number out of range.

    >>> settings_from({"max_depth": 2, "reg_lambda": 1}, "settings.json").max_depth
    2
    >>> settings_from({"max_depth": 0}, "settings.json")
    Traceback (most recent call last):
    training.settings.SettingsError: settings.json cannot be used:
      - max_depth = 0 is out of range; give a whole number from 1 to 8
    """
    if not isinstance(value, dict):
        known = f'give an object such as {{"n_trees": {DEFAULTS.n_trees}}}'
        raise _refused(where, [Problem("wrong_type", "the file", shown(value), "is not a JSON object", known)])
    known = f"known are {', '.join(LIMITS)}"
    problems = [
        Problem("unknown_field", str(key), None, "is not a setting", known) for key in value if key not in LIMITS
    ]
    for name, limits in LIMITS.items():
        if name in value and (problem := limits.problem(name, value[name])) is not None:
            problems.append(problem)
    if problems:
        raise _refused(where, problems)
    chosen: dict[str, Any] = {n: given if LIMITS[n].whole else float(given) for n, given in value.items()}
    return replace(DEFAULTS, **chosen)


def read_settings(path: Path) -> BoosterSettings:
    """The settings of a JSON file, such as ``settings.json`` of a tuning run.

    Raises:
        SettingsError: it cannot be read, or what it holds cannot be used.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}; name a JSON file of settings") from error
    try:
        value = loads(text)
    except Rejected as error:
        raise _refused(str(path), error.problems) from None
    return settings_from(value, str(path))


def settings_of(reference: str, tracking_uri: str | None = None) -> BoosterSettings:
    """The settings of a file, or of a registered model (``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``).

    Raises:
        SettingsError: the file or the model's card does not hold settings that can be used.
        StoreError: the model cannot be had. Refused: its pack does not verify.
    """
    if not reference.startswith(MODELS):
        return read_settings(Path(reference))
    from training.registry import pull

    _, pack = pull(reference, tracking_uri)
    if CARD_KEY not in pack.card:
        raise SettingsError(
            f"{reference}: its card has no settings; it was trained by an earlier version of Tregcast"
        )
    return settings_from(pack.card[CARD_KEY], reference)


def as_json(settings: BoosterSettings) -> str:
    """Settings as the text of a file that `read_settings` reads.

    >>> print(as_json(BoosterSettings()).splitlines()[1])
      "n_trees": 500,
    """
    return json.dumps(asdict(settings), indent=2) + "\n"


def _refused(where: str, problems: tuple[Problem, ...] | list[Problem]) -> SettingsError:
    return SettingsError("\n".join([f"{where} cannot be used:", *(f"  - {problem}" for problem in problems)]))
