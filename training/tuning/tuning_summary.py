"""What a tuning found: in one table that a person can read, and as the documents of its run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from textwrap import fill

from training.cohort import Cohort
from training.settings import as_json
from training.tracking import how_to_look
from training.tuning.honest_tuning import Honest
from training.tuning.search_space import SPACE
from training.tuning.trials import Search, Trialled

SETTINGS_FILE, TRIALS_FILE, HONEST_FILE = "settings.json", "trials.json", "outer_folds.json"
SHOWN = 5
WIDTH = 100
HEADINGS = {
    "n_trees": "trees",
    "max_depth": "depth",
    "learning_rate": "rate",
    "subsample": "rows",
    "colsample": "columns",
    "min_child_weight": "weight",
    "min_child_share": "share",
    "reg_lambda": "lambda",
}
KEEP = "No trial did better than the default settings: nothing to change, `tregcast train` needs no --settings."
OPTIMISTIC = (
    "The best score is optimistic: it is the least of all trials on the very folds that chose it. "
    "`tregcast train` cross-validates on other folds, of the same patients; only `--outer 5` judges on rows that "
    "the search was never given."
)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a tuning found."""

    cohort: Cohort
    search: Search
    honest: Honest | None  # None unless outer folds were asked for, and time sufficed for all of them
    tracking_uri: str


def as_text(tuning: Tuning, next_command: str) -> str:
    """Default, best and difference, the best trials, what matters, what it is worth, and what to do next."""
    found = tuning.search
    counts = ", ".join(
        f"{count} {state}" for state in ("complete", "pruned", "failed", "killed") if (count := found.count(state))
    )
    lines = [
        f"Tuning on {tuning.cohort.name}{' (SIMULATED)' if tuning.cohort.simulated else ''}: "
        f"{found.done} of {found.wanted} trials ({counts})",
        "",
        f"{'out of fold':12}{'MSE':>10}{'RMSE':>10}   points/month",
        _score("default", found.default),
        _score("best", found.best),
        _difference(found),
        "",
        f"{'best trials':12}{'MSE':>10}" + "".join(f"{HEADINGS[name]:>9}" for name in SPACE),
        *(_row(trial) for trial in found.ranked[:SHOWN]),
        "",
        *_importances(found.importances),
        *([KEEP] if found.best == found.default else []),
        *_worth(tuning.honest),
        "",
        f"Study  {found.study}",
        f"Run    {found.run_id}",
        f"Look   {how_to_look(tuning.tracking_uri)}",
        *([] if found.best == found.default else [f"Next   {next_command}"]),
    ]
    return "\n".join(lines)


def documents(found: Search, judged: Honest | None) -> dict[str, str]:
    """The artifacts of a tuning run, text by file name."""
    made = {
        SETTINGS_FILE: as_json(found.best_settings),
        TRIALS_FILE: json.dumps([asdict(trial) for trial in found.trials], indent=2) + "\n",
    }
    if judged is not None:
        made[HONEST_FILE] = json.dumps(asdict(judged), indent=2) + "\n"
    return made


def figures_of(found: Search) -> dict[str, float]:
    """The metrics of a tuning run."""
    best, default = (trial.mean_squared_error or 0.0 for trial in (found.best, found.default))
    return {
        "best_mse": best,
        "default_mse": default,
        "best_rmse": best**0.5,
        "default_rmse": default**0.5,
        "trials_complete": found.count("complete"),
        "trials_pruned": found.count("pruned"),
        "trials_failed": found.count("failed") + found.count("killed"),
        **{f"importance_{name}": share for name, share in found.importances.items()},
    }


def settings_tags(found: Search) -> dict[str, str]:
    """The best settings as tags of a tuning run."""
    best = {f"best.{name}": str(value) for name, value in asdict(found.best_settings).items()}
    return best | {"best.trial": str(found.best.number)}


def _score(name: str, trial: Trialled) -> str:
    error = trial.mean_squared_error or 0.0
    return f"{name:12}{error:10.5f}{error**0.5:10.4f}   trial {trial.number}"


def _difference(found: Search) -> str:
    best, default = (trial.mean_squared_error or 0.0 for trial in (found.best, found.default))
    share = f"{best / default - 1.0:+.2%}" if default else ""
    return f"{'difference':12}{best - default:+10.5f}{best**0.5 - default**0.5:+10.4f}   {share} of the MSE"


def _row(trial: Trialled) -> str:
    assert trial.settings is not None
    values = asdict(trial.settings)
    name = f"trial {trial.number}" + (" *" if trial.turn == 0 else "")
    return f"{name:12}{trial.mean_squared_error:10.5f}" + "".join(f"{values[key]:9.4g}" for key in SPACE)


def _importances(found: Mapping[str, float]) -> list[str]:
    if not found:
        return ["Which settings matter is not said below 10 complete trials.", ""]
    told = ", ".join(f"{name} {share:.0%}" for name, share in found.items() if share >= 0.01)
    return [fill(f"What the error varies by (PED-ANOVA): {told}", WIDTH), ""]


def _worth(judged: Honest | None) -> list[str]:
    return [fill(OPTIMISTIC if judged is None else judged.sentence, WIDTH)]
