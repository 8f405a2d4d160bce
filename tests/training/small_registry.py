"""A registry with two versions of a model, made in seconds: their packs are small, and no run is behind them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from mlflow import MlflowClient

from model.pack import write_pack
from tests.service.conftest import small_contents
from training.follower import Follower
from training.registry import PACK_IN_MODEL, PACK_TAG
from training.tracking import open_store

NAME, ALIAS = "als-progression", "champion"
REFERENCE = f"models:/{NAME}@{ALIAS}"


def make_small_registry(folder: Path) -> Path:
    """The database of the registry; what its versions hold lies beside it."""
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    open_store(uri)
    client = MlflowClient(uri, uri)
    client.create_registered_model(NAME)
    for number in (1, 2):
        model = folder / f"version{number}"
        pack_id = write_pack(model / PACK_IN_MODEL, small_contents(seed=6 + number))
        made = client.create_model_version(NAME, source=model.as_uri())
        client.set_model_version_tag(NAME, made.version, PACK_TAG, pack_id)
    return folder / "mlflow.db"


@dataclass
class SmallRegistry:
    """A copy of that registry of a test's own, and a folder of packs that follows it."""

    database: Path
    packs: Path
    told: list[str] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.database}"

    def follower(self, uri: str | None = None) -> Follower:
        return Follower(REFERENCE, uri or self.uri, self.packs, keep=3, tell=self.told.append)

    def alias(self, version: str | None, uri: str | None = None) -> str:
        """Moves the alias, or takes it away; the id of the version's pack."""
        client = MlflowClient(uri or self.uri, uri or self.uri)
        if version is None:
            client.delete_registered_model_alias(NAME, ALIAS)
            return ""
        client.set_registered_model_alias(NAME, ALIAS, version)
        return str(client.get_model_version(NAME, version).tags[PACK_TAG])

    def linked(self) -> str:
        """The id of the pack that the link points to."""
        return (self.packs / f"{NAME}@{ALIAS}").resolve(strict=True).name


def copy_of(database: Path, to: Path) -> Path:
    """A copy of an SQLite database."""
    with sqlite3.connect(database) as source, sqlite3.connect(to) as target:
        source.backup(target)
    source.close()
    target.close()
    return to
