"""The record of a run: by which code, from which cohort, where, when, for how long and with how much memory.

All of it goes to MLflow and none of it into the pack, which is the same to the byte whenever and wherever it is
made (docs/decisions/0003). Who ran it is MLflow's own tag ``mlflow.user``. No path of the machine is written down.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from features.version import VERSION
from training.cohort import Cohort

Kind = Literal["training", "tuning", "tuning fold", "tuning trial"]
KIND_TAG, BEGAN_TAG, ENDED_TAG = "tregcast.kind", "tregcast.began", "tregcast.ended"
COMMIT_TAG = "tregcast.git_commit"
ENVIRONMENT = "environment.json"
DURATION, PEAK_MEMORY = "duration_seconds", "peak_memory_mib"
LIBRARIES = (
    "mlflow",
    "numpy",
    "optuna",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "tregcast",
    "xgboost",
    "xgboost-cpu",
)
GIT_SECONDS = 10
_CODE = ("*.py", "*.toml")  # what a clean tree is clean of: a cohort file that lies about changes no answer


@dataclass(frozen=True, slots=True)
class Beginning:
    """When a run began: by the calendar, and by a clock that is never set."""

    at: datetime
    clock: float  # seconds

    @classmethod
    def now(cls) -> Beginning:
        """This moment."""
        return cls(datetime.now(UTC), time.monotonic())

    @property
    def seconds(self) -> float:
        """Since then."""
        return time.monotonic() - self.clock


@dataclass(frozen=True, slots=True)
class Checkout:
    """The commit that code was checked out at, and whether the code is as it was committed."""

    commit: str
    clean: bool


def cohort_tags(cohort: Cohort) -> dict[str, str]:
    """What a run was made from."""
    return {
        "tregcast.cohort": cohort.name,
        "tregcast.cohort_digest": cohort.digest,
        "tregcast.simulated": str(cohort.simulated).lower(),
        "tregcast.provenance": cohort.provenance,
    }


def code_tags() -> dict[str, str]:
    """The version of Tregcast; its commit too and whether its tree was clean, where it runs from a git checkout."""
    found = {"tregcast.version": VERSION}
    if (checkout := checkout_of(Path(__file__))) is not None:
        found |= {COMMIT_TAG: checkout.commit, "tregcast.git_clean": str(checkout.clean).lower()}
    return found


def log_record(run_id: str, kind: Kind, cohort: Cohort, begun: Beginning, *, seconds_before: float = 0.0) -> None:
    """Write the record of a run that is about to end.

    Args:
        run_id: of a run in the store that is open. kind: what sort of run it is.
        cohort: what it was made from.
        begun: when its work began, which is before MLflow knew of it.
        seconds_before: of the same run, in processes that ended earlier.
    """
    from mlflow import MlflowClient
    from mlflow.entities import RunTag

    client = MlflowClient()
    first = client.get_run(run_id).data.tags.get(BEGAN_TAG, _text(begun.at))  # of a run that is gone on with
    times = {BEGAN_TAG: first, ENDED_TAG: _text(datetime.now(UTC))}
    tags = {KIND_TAG: kind} | cohort_tags(cohort) | code_tags() | times
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    client.log_metric(run_id, DURATION, seconds_before + begun.seconds)
    if (peak := peak_memory_mib()) is not None:
        client.log_metric(run_id, PEAK_MEMORY, peak)
    client.log_dict(run_id, environment(), ENVIRONMENT)


def environment() -> dict[str, object]:
    """Python, platform and the versions of the libraries that numbers can depend on.

    >>> sorted(environment())
    ['cores', 'libraries', 'machine', 'platform', 'python']
    """
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name)) is not None},
    }


def peak_memory_mib() -> float | None:
    """The most memory that this process has held since it started, MiB; None where the system does not say.

    >>> found = peak_memory_mib()
    >>> found is None or 1 < found < 1e6
    True
    """
    if sys.platform == "win32":
        return None
    import resource

    return in_mib(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, sys.platform)


def in_mib(largest: int, system: str) -> float:
    """``ru_maxrss`` in MiB: macOS counts bytes, the others KiB (getrusage(2)).

    >>> in_mib(2048, "linux"), in_mib(2 * 1024**2, "darwin")
    (2.0, 2.0)
    """
    return largest / (1024**2 if system == "darwin" else 1024)


def checkout_of(file: Path) -> Checkout | None:
    """The checkout that a source file belongs to; None without git, or where git does not track the file.

    A package that is installed into some other project's checkout is not tracked there.
    """
    folder = file.parent
    if _git(folder, "ls-files", "--error-unmatch", "--", file.name) is None:
        return None
    commit, changed = _git(folder, "rev-parse", "HEAD"), _git(folder, "status", "--porcelain", "--", *_anywhere())
    return None if commit is None or changed is None else Checkout(commit.strip(), not changed.strip())


def _anywhere() -> list[str]:
    """Git's words for files of these names in all of the checkout, not just the folder it is asked in."""
    return [f":(top,glob)**/{pattern}" for pattern in _CODE]


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None if it cannot. Variables that point it elsewhere, as hooks set them, are left out."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        made = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=GIT_SECONDS,
            env=own,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return made.stdout


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
