"""The pack on its way to the executors, where each Python worker verifies it once before it answers anything."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from model.pack import FILES, MANIFEST, Pack, load_pack

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, slots=True)
class ShippedPack:
    """An archive that Spark unpacks on each executor, and the id that the pack in it must have."""

    name: str
    id: str

    def load(self) -> Pack:
        """The pack of this executor, verified: digests, golden answers, id; once a process.

        Raises:
            Refused: it is not the pack that was sent.
        """
        from pyspark import SparkFiles

        return _loaded(SparkFiles.get(self.name), self.id)


def ship(session: SparkSession, folder: Path, pack_id: str) -> ShippedPack:
    """Give the pack to Spark, which brings it to each executor that gets a task.

    The archive lies in the session's own folder of files, which Spark removes when the session ends: executors that
    start late ask for it until then.

    Args:
        session: a classic one, not Spark Connect.
        folder: the pack, already verified by the caller.
        pack_id: what it was verified as.
    """
    from pyspark import SparkFiles

    name = f"tregcast-pack-{pack_id[:12]}-{uuid4().hex[:8]}"
    archive = Path(SparkFiles.getRootDirectory()) / f"{name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        for file in (MANIFEST, *FILES):
            files.write(folder / file, file)
    session.sparkContext.addArchive(f"{archive}#{name}")
    return ShippedPack(name, pack_id)


@cache
def _loaded(folder: str, pack_id: str) -> Pack:
    return load_pack(Path(folder), expected_id=pack_id)
