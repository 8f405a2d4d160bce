"""The pack and the running service that all inputs go to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import pytest

from features.parse import parse_record
from features.problem import Rejected
from model.answer import render
from model.predictor import Predictor
from tests.conftest import Trained
from tests.corpus.routes import RECORDS, TODAY, Answers, Rows, by_case, score
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


@pytest.fixture(scope="session")
def alone(predictor: Predictor) -> Answers:
    """What the predictor says of a record, and the parser of what is none."""
    found = []
    for case in RECORDS:
        try:
            record = parse_record(case.given["record"], today=TODAY)
            found.append(render(predictor.predict(record)))
        except Rejected as rejected:
            problems = [{"code": each.code, "words": str(each)} for each in rejected.every]
            found.append({"outcome": "rejected", "problems": problems})
    return by_case(found)


@pytest.fixture(scope="session")
def plain(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a plain CSV table is answered, once for each."""
    folder = tmp_path_factory.mktemp("plain")

    @cache
    def answers(text: str) -> Rows:
        (folder / "plain.csv").write_text(text, "utf-8")
        return score(folder / "plain.csv", None, trained.pack)[0]

    return answers
