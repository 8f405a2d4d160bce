"""A challenger that is asked after the answer has left: what it shows, and that callers see nothing of it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.parse import parse_record
from model.answer import Prediction, outcome
from model.pack import Pack
from service.shadow import MOST_WAITING, Figures, Shadow
from tests.service.folders import point, spoilt
from tests.service.metrics.scraped import scrape, value
from tests.service.running import Running, begin

WITHIN = 30.0  # seconds, on a busy machine
BOUNDS = (-1.0, -0.5, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Shadowed(Running):
    def summary(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.admin[0]}/v1/shadow", timeout=10, trust_env=False).json())

    def await_summary(self, true: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        until = time.monotonic() + WITHIN
        while not true(found := self.summary()):
            assert time.monotonic() < until, found
            time.sleep(0.05)
        return found

    def post(self, path: str, body: object) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=20, trust_env=False)


@pytest.fixture
def link(other_pack_folder: Path, tmp_path: Path) -> Path:
    link = tmp_path / "challenger"
    point(link, other_pack_folder)
    return link


@pytest.fixture
def start(launcher: Any, pack_folder: Path) -> Callable[[Path], Shadowed]:
    def started(challenger: Path) -> Shadowed:
        return Shadowed(**vars(begin(launcher, pack_folder, TREGCAST_SHADOW=str(challenger))))

    return started


def test_no_byte_of_an_answer_differs(
    start: Any, client: httpx.Client, link: Path, pack: Pack, other_pack: Pack, record: dict[str, Any]
) -> None:
    shadowed = start(link)
    sent = [("/v1/predict", dict(item.record)) for item in (*pack.golden, *other_pack.golden)]
    sent += [("/v1/predict", {}), ("/v1/predict/batch", {"records": [record, {}, record]})]
    sent += [("/v1/whatif", {"record": record, "vary": {"nfl": {"values": [40], "unit": "pg/mL"}}})]
    own = ("x-request-id", "date")
    for path, body in sent:
        ours, other = client.post(path, json=body), shadowed.post(path, body)
        assert ours.status_code == other.status_code
        assert {k: v for k, v in ours.headers.items() if k not in own} == {
            k: v for k, v in other.headers.items() if k not in own
        }
        if ours.status_code == 200:  # a problem document names its request
            assert ours.content == other.content


def test_what_it_would_have_answered_is_counted(
    start: Any, link: Path, pack: Pack, other_pack: Pack, record: dict[str, Any]
) -> None:
    """Against the two packs, asked here: differences, outcomes and bands."""
    shadowed = start(link)
    shadowed.await_summary(lambda said: shadowed.log("challenger held"))
    sent = [dict(item.record) for item in (*pack.golden, *other_pack.golden)]
    for body in sent:
        assert shadowed.post("/v1/predict", body).status_code == 200
    assert shadowed.post("/v1/predict/batch", {"records": [record, {}, record]}).status_code == 200
    said = shadowed.await_summary(lambda said: said["scored"] == len(sent) + 2)
    exported = scrape(shadowed.admin[0])
    pairs = {(pair["champion"], pair["challenger"]): pair["count"] for pair in said["outcomes"]}
    told = {
        (dict(labels)["champion"], dict(labels)["challenger"]): count
        for (name, labels), count in exported.items()
        if name == "tregcast_shadow_outcomes_total"
    }
    assert told == pairs
    assert value(exported, "tregcast_shadow_compared_total") == said["difference"]["count"]
    assert (said["champion"], said["challenger"]) == (pack.id, other_pack.id)
    assert (said["problem"], said["dropped"], said["faults"], said["waiting"]) == (None, 0, 0, 0)
    outcomes, differences, bands = Counter[tuple[str, str]](), [], Counter[tuple[str, str]]()
    for body in (*sent, record, record):
        read = parse_record(body, today=date.max)
        one, other = pack.predictor.predict(read), other_pack.predictor.predict(read)
        outcomes[outcome(one), outcome(other)] += 1
        if isinstance(one, Prediction) and isinstance(other, Prediction):
            differences.append(other.progression_rate - one.progression_rate)
            bands[_band(one.progression_rate), _band(other.progression_rate)] += 1
    assert _counted(said["outcomes"]) == outcomes
    assert _counted(said["bands"]) == bands
    found = said["difference"]
    assert found["count"] == len(differences) > 3
    assert found["sum"] == pytest.approx(sum(differences))
    assert found["sum_absolute"] == pytest.approx(sum(map(abs, differences)))
    assert found["sum_squares"] == pytest.approx(sum(each * each for each in differences))
    low = [-float("inf"), *BOUNDS]
    expected = [
        sum(below < each <= above for each in differences)
        for below, above in zip(low, [*BOUNDS, float("inf")], strict=True)
    ]
    assert [each["count"] for each in found["bins"]] == expected
    assert [each["up_to"] for each in found["bins"]] == [*BOUNDS, None]


def test_a_challenger_that_is_refused_harms_nothing_and_is_taken_when_it_is_mended(
    start: Any, other_pack_folder: Path, other_pack: Pack, record: dict[str, Any], tmp_path: Path
) -> None:
    link = tmp_path / "challenger"
    point(link, spoilt(other_pack_folder, tmp_path / "bad"))
    shadowed = start(link)
    assert shadowed.await_summary(lambda said: said["problem"] == "digest")["scored"] == 0
    assert shadowed.post("/v1/predict", record).status_code == 200
    assert shadowed.await_summary(lambda said: said["dropped"] == 1)["scored"] == 0
    assert [line["problem"] for line in shadowed.log("challenger refused")] == ["digest"]
    point(link, other_pack_folder)
    shadowed.await_summary(lambda said: said["problem"] is None)
    assert shadowed.post("/v1/predict", record).status_code == 200
    assert shadowed.await_summary(lambda said: said["scored"] == 1)["challenger"] == other_pack.id
    link.unlink()
    shadowed.await_summary(lambda said: said["problem"] == "not_found")
    assert httpx.get(f"{shadowed.url}/readyz", trust_env=False).status_code == 200


def test_nothing_of_a_record_is_in_what_it_shows_or_logs(start: Any, link: Path, record: dict[str, Any]) -> None:
    shadowed = start(link)
    record["visits"][-1]["measurements"]["crp"] = {"value": 43.210987, "unit": "mg/L"}
    shadowed.await_summary(lambda said: shadowed.log("challenger held"))
    assert shadowed.post("/v1/predict", {**record, "reference": "CANARYTEXT"}).status_code == 200
    said = json.dumps(shadowed.await_summary(lambda said: said["scored"] == 1))
    for text in (said, shadowed.output.read_text("utf-8")):
        assert "CANARYTEXT" not in text
        assert "43.21" not in text


def test_without_a_challenger_there_is_nothing_to_show(admin: httpx.Client) -> None:
    assert admin.get("/v1/shadow").status_code == 404


def test_the_main_port_does_not_show_it(start: Any, link: Path) -> None:
    assert httpx.get(f"{start(link).url}/v1/shadow", trust_env=False).status_code == 404


def test_what_waits_is_bounded(tmp_path: Path, other_pack_folder: Path, pack: Pack, record: dict[str, Any]) -> None:
    """Nothing scores here: no loop was started for it."""
    import asyncio

    async def fill() -> dict[str, object]:
        shadow = Shadow(other_pack_folder)
        shadow.start()
        until = time.monotonic() + WITHIN
        while shadow.summary()["problem"] is not None or shadow._held is None:
            assert time.monotonic() < until
            await asyncio.sleep(0.01)
        read = parse_record(record, today=date.max)
        await shadow.take([(read, pack.predictor.predict(read))] * (MOST_WAITING + 50))
        said = shadow.summary()
        shadow.stop()
        return said

    said = asyncio.run(fill())
    assert (said["waiting"], said["dropped"]) == (MOST_WAITING, 50)


def test_other_scales_are_not_compared(pack: Pack, record: dict[str, Any]) -> None:
    from dataclasses import replace

    answer = pack.predictor.predict(parse_record(record, today=date.max))
    assert isinstance(answer, Prediction)
    figures = Figures("a", "b")
    figures.add(answer, replace(answer, unit="ALSFRS (0-40) points/month"))
    said = figures.to_json()
    assert isinstance(said["difference"], dict)
    assert (said["difference"]["incomparable"], said["difference"]["count"], said["bands"]) == (1, 0, [])


def test_other_packs_begin_new_figures() -> None:
    figures = Figures("a", "b")
    assert figures.of("a", "b") is figures
    assert figures.of("a", "c").to_json()["challenger"] == "c"


def _band(rate: float) -> str:
    return "slow" if rate < 0.5 else "fast" if rate > 1.0 else "intermediate"


def _counted(pairs: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter({(each["champion"], each["challenger"]): each["count"] for each in pairs})
