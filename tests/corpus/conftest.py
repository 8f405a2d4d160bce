"""The pack and the running service that all inputs go to."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Trained
from tests.scoring.spark.conftest import java, session
from tests.service.conftest import Launcher
from tests.service.conftest import stop as stop_process
from tests.service.running import Running, begin

__all__ = ["java", "session"]


@pytest.fixture(scope="session")
def service(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """``tregcast serve`` with the pack that was trained."""
    launcher = Launcher(tmp_path_factory.mktemp("service"))
    try:
        yield begin(launcher, trained.pack_folder)
    finally:
        for process in launcher.started:
            stop_process(process)


@pytest.fixture(scope="session")
def caller(service: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30, trust_env=False) as client:
        yield client
