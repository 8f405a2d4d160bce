"""The plan of a run: all that its answers depend on, so that a run that was killed goes on as the same run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

from features.version import VERSION
from model.canonical import canonical_json
from scoring.columns import FORMAT, Explain
from scoring.fault import InputFault, ScoringFault
from scoring.settings import ScoreSettings

# how each is called where a run cannot be resumed because it differs
NAMES = {
    "input": "the input",
    "mapping": "the mapping",
    "pack": "the pack",
    "explain": "--explain",
    "coverage": "--coverage",
    "as_of": "--as-of",
    "chunk_rows": "--chunk-rows",
    "version": "Tregcast's version",
    "code": "Tregcast's code or a library that it counts with",
    "format": "the format of the output",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is scored, by what and how."""

    input: str  # digest of its files
    mapping: str | None  # sha256 of the file
    pack: str  # id
    explain: Explain
    coverage: float
    as_of: str  # YYYY-MM-DD; no visit may be after it
    chunk_rows: int
    code: str  # digest of the source files, and the versions of libraries
    version: str = VERSION
    format: int = FORMAT

    @property
    def settings(self) -> ScoreSettings:
        """What is asked of the scorer."""
        return ScoreSettings(self.explain, self.coverage, date.fromisoformat(self.as_of))


@dataclass(frozen=True, slots=True)
class Course:
    """What a first look at the input found: whether patients stand together, or into how many files they go."""

    together: bool
    files: int


def digest_of(root: Path, files: Sequence[Path]) -> str:
    """The sha256 of the lines that ``sha256sum`` writes for the files, by their names in the folder.

    Raises:
        InputFault: one cannot be read.
    """
    whole = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputFault(f"{path}: {error.strerror or 'it cannot be read'}") from error
        name = path.name if path == root else path.relative_to(root).as_posix()
        whole.update(f"{digest}  {name}\n".encode())
    return whole.hexdigest()


def write_plan(plan: Plan, course: Course) -> bytes:
    """The bytes of a plan's file."""
    return canonical_json({"plan": asdict(plan), "course": asdict(course)})


def read_plan(path: Path) -> tuple[Plan, Course]:
    """The plan of a run that was left unfinished.

    Raises:
        ScoringFault: the file is no plan that this version knows.
    """
    try:
        table = json.loads(path.read_bytes())
        known = {field.name for field in fields(Plan)}
        return Plan(**{key: value for key, value in table["plan"].items() if key in known}), Course(
            **table["course"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScoringFault(
            f"{path}: no plan of a run; remove its folder, or start anew with --overwrite"
        ) from error


def differences(before: Plan, now: Plan) -> list[str]:
    """What is not as it was when the run began.

    >>> plan = Plan("i", None, "p", "none", 0.9, "2026-01-01", 100, "c")
    >>> differences(plan, Plan("i", None, "q", "none", 0.8, "2026-01-01", 100, "c"))
    ['the pack', '--coverage']
    """
    return [name for key, name in NAMES.items() if getattr(before, key) != getattr(now, key)]
