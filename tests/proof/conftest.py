"""The small pack and the real server of tests/service, and the real Spark of tests/scoring, for proofs."""

from __future__ import annotations

from tests.scoring.spark.conftest import java, session
from tests.service.conftest import client, launcher, pack, pack_folder, record, server

__all__ = ["client", "java", "launcher", "pack", "pack_folder", "record", "server", "session"]
