"""A registered version as it enters a comparison: verified, with its run and what the run kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.pack import Pack
from training.kept_forecasts import KeptForecasts, read_forecasts
from training.recipe import Recipe, RegisteredRun, recipe_of, run_of
from training.registry import Version, pull


@dataclass(frozen=True, slots=True)
class Contender:
    """A version, its verified pack, and the run that made it."""

    version: Version
    pack: Pack
    kept: KeptForecasts
    run: RegisteredRun

    @property
    def recipe(self) -> Recipe:
        """How it was made.

        Raises:
            RegistryError: the run does not say.
        """
        return recipe_of(self.run)


def contender(version: Version, uri: str | None = None) -> Contender:
    """Fetch a version anew from the store, so that what the store holds is what is judged.

    Raises:
        RegistryError: its pack, its run or what the run kept is not there. Refused: the pack does not verify.
    """
    with fetched(version, uri) as (_, pack):
        return Contender(version, pack, read_forecasts(version), run_of(version))


@contextmanager
def fetched(version: Version, uri: str | None = None) -> Iterator[tuple[Path, Pack]]:
    """The verified pack of a version in a folder of its own, which is gone afterwards; as `pull` raises."""
    with tempfile.TemporaryDirectory() as scratch:
        yield pull(f"models:/{version.name}/{version.version}", uri, Path(scratch))
