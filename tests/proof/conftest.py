"""The small pack and the real server of tests/service, for proofs."""

from __future__ import annotations

from tests.service.conftest import client, launcher, pack, pack_folder, record, server

__all__ = ["client", "launcher", "pack", "pack_folder", "record", "server"]
