"""A registered version with its verified pack and the run that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model.pack import MANIFEST, Pack
from training.recipe import Recipe, RegisteredRun, recipe_of, run_of
from training.registry import PACKS, Version, pull, version_of
from training.tracking import open_store


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """A version, its verified pack, the run that made it, and how to make it again."""

    registered: Version
    pack: Pack
    run: RegisteredRun
    recipe: Recipe
    libraries: Mapping[str, str]  # that the pack was made with

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.registered.name} version {self.registered.version}"


def trained_version(reference: str, uri: str | None = None, packs: Path = PACKS) -> TrainedVersion:
    """The version that ``models:/name@alias`` or ``models:/name/version`` stands for.

    Raises:
        StoreError: the store cannot be opened. RegistryError: the registry or the store does not have it.
        Refused: its pack does not verify.
    """
    open_store(uri, make=False)
    registered = version_of(reference)
    exact = f"models:/{registered.name}/{registered.version}"  # an alias may move meanwhile
    folder, pack = pull(exact, uri, packs)
    run = run_of(registered)
    manifest: dict[str, dict[str, str]] = json.loads((folder / MANIFEST).read_bytes())
    return TrainedVersion(registered, pack, run, recipe_of(run), dict(manifest["versions"]))
