"""A registered version as it enters a comparison: verified, with its run and what the run kept."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from model.pack import MANIFEST, Pack
from training.promotion.allowed_changes import Flat, identity
from training.promotion.kept_forecasts import KeptForecasts, read_forecasts
from training.recipe import Recipe, RegisteredRun, recipe_of, run_of
from training.registry import Version, pull


@dataclass(frozen=True, slots=True)
class Verified:
    """A version whose pack was fetched anew and verified; manifest and card by path, as `identity` has them."""

    version: Version
    pack: Pack
    identity: Flat


@dataclass(frozen=True, slots=True)
class Contender:
    """A version, its verified pack, and the run that made it."""

    version: Version
    pack: Pack
    identity: Flat
    kept: KeptForecasts
    run: RegisteredRun

    @property
    def recipe(self) -> Recipe:
        """How it was made.

        Raises:
            RegistryError: the run does not say.
        """
        return recipe_of(self.run)


def verified(version: Version, uri: str | None = None) -> Verified:
    """Fetch a version's pack anew, so that what the store holds now is what is judged.

    Raises:
        RegistryError: it cannot be fetched. Refused: it does not verify.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder, pack = pull(f"models:/{version.name}/{version.version}", uri, Path(scratch))
        manifest = json.loads((folder / MANIFEST).read_bytes())
    return Verified(version, pack, identity(manifest, pack.card))


def contender(version: Version, uri: str | None = None) -> Contender:
    """A version with all that a comparison needs.

    Raises:
        RegistryError: its pack, its run or what the run kept is not there. Refused: the pack does not verify.
    """
    return contender_of(verified(version, uri))


def contender_of(found: Verified) -> Contender:
    """The same from a verified pack.

    Raises:
        RegistryError: its run or what the run kept is not there.
    """
    version = found.version
    return Contender(version, found.pack, found.identity, read_forecasts(version), run_of(version))
