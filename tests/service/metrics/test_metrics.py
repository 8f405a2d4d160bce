"""What a server of ours counts, by its own scrape."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.vocabulary import vocabulary
from model.pack import Pack
from service.access.access import Access
from service.access.settings import AccessSettings
from service.app import create_app
from service.audit.trail import NoTrail
from service.desk import Desk
from service.held_pack import HeldPack
from service.rendered import rendered
from tests.service.folders import point, spoilt
from tests.service.metrics.scraped import risen, scrape, series, value
from tests.service.test_log import MEASURED, NUMBER, TEXT, send_canaries

FEW_SERIES = 1000  # a server has some hundreds


def ask(server: Any, path: str, body: object) -> httpx.Response:
    """A request whose line is written, so that it is counted: that happens just before."""
    response = httpx.post(server.url + path, json=body, timeout=20, trust_env=False)
    server.written_until(response.headers["x-request-id"])
    return response


def test_a_prediction_is_counted_once_everywhere(server: Any, record: dict[str, Any]) -> None:
    before = scrape(server.admin)
    answer = ask(server, "/v1/predict", record).json()
    after = scrape(server.admin)
    route = {"method": "POST", "route": "/v1/predict", "status": "200"}
    assert risen(before, after, "tregcast_requests_total", **route) == 1
    assert risen(before, after, "tregcast_request_duration_seconds_count", route="/v1/predict") == 1
    assert risen(before, after, "tregcast_answers_total", endpoint="predict", outcome=answer["outcome"]) == 1
    rate, interval = answer["progression_rate"], answer["prediction_interval"]
    assert risen(before, after, "tregcast_predicted_rate_points_per_month_count") == 1
    assert risen(before, after, "tregcast_predicted_rate_points_per_month_sum") == pytest.approx(rate)
    width = interval["upper"] - interval["lower"]
    assert risen(before, after, "tregcast_interval_width_points_per_month_sum") == pytest.approx(width)
    band = "slow" if rate < 0.5 else "intermediate" if rate <= 1 else "fast"
    bands = ("slow", "intermediate", "fast")
    found = {each: risen(before, after, "tregcast_predicted_bands_total", band=each) for each in bands}
    assert found == {each: float(each == band) for each in bands}
    for caution in answer["cautions"]:
        assert risen(before, after, "tregcast_cautions_total", code=caution["code"]) >= 1
    assert value(after, "tregcast_requests_in_flight") == 1  # the scrape itself


def test_quantities_that_a_record_lacks_are_counted(server: Any, pack: Pack, record: dict[str, Any]) -> None:
    for visit in record["visits"]:
        visit["measurements"].pop("crp", None)
        visit["measurements"]["nfl"] = {"value": 60, "unit": "pg/mL"}
    before = scrape(server.admin)
    ask(server, "/v1/predict", record)
    ask(server, "/v1/whatif", {"record": record, "vary": {"nfl": {"values": [60], "unit": "pg/mL"}}})
    after = scrape(server.admin)
    missing = {
        name
        for name in vocabulary().quantities
        if risen(before, after, "tregcast_missing_quantities_total", quantity=name)
    }
    taken = {feature.quantity for feature in pack.predictor.matrix.features}
    assert "crp" in missing
    assert "nfl" not in missing
    assert missing <= taken
    assert risen(before, after, "tregcast_missing_quantities_total", quantity="crp") == 1  # a what-if is no patient
    assert risen(before, after, "tregcast_predicted_rate_points_per_month_count") == 1


def test_each_record_of_a_batch_has_its_outcome_and_its_reasons(server: Any, record: dict[str, Any]) -> None:
    silent = {**record, "visits": [{**record["visits"][-1], "measurements": {}}]}
    before = scrape(server.admin)
    answer = ask(server, "/v1/predict/batch", {"records": [record, silent, {}, record]}).json()
    after = scrape(server.admin)
    for outcome, count in answer["counts"].items():
        assert risen(before, after, "tregcast_answers_total", endpoint="batch", outcome=outcome) == count
    [abstained] = [each for each in answer["answers"] if each["outcome"] == "abstained"]
    for reason in abstained["reasons"]:
        assert risen(before, after, "tregcast_abstentions_total", reason=reason["code"]) == 1
    assert risen(before, after, "tregcast_rejections_total", rule="missing_key") == 1
    assert risen(before, after, "tregcast_rejections_total", rule="other") == 0
    assert risen(before, after, "tregcast_predicted_rate_points_per_month_count") == 2


def test_it_says_which_pack_and_program_answer_and_how_the_process_is(server: Any, pack: Pack) -> None:
    found = scrape(server.admin)
    [named] = [dict(labels) for (name, labels) in found if name == "tregcast_pack_info"]
    assert named == pack.predictor.pack.to_json()
    [build] = [dict(labels) for (name, labels) in found if name == "tregcast_build_info"]
    assert set(build) == {"version", "python"}
    assert (value(found, "tregcast_ready"), value(found, "tregcast_audit_enabled")) == (1, 0)
    assert value(found, "tregcast_process_cpu_seconds_total") > 0
    assert 20e6 < value(found, "tregcast_process_resident_memory_bytes") < 1e9
    assert value(found, "tregcast_process_open_fds") > 3


def test_nothing_that_was_sent_is_in_it(client: httpx.Client, admin: httpx.Client, record: dict[str, Any]) -> None:
    send_canaries(client, record)
    text = admin.get("/metrics").text
    sent = [name for name in text.split() if TEXT in name or TEXT.lower() in name]
    assert sent == []
    # The sums of distributions are numbers that hold many values; no series has a marked value.
    assert not {str(NUMBER), str(MEASURED)} & set(text.split())
    lines = [line for line in text.splitlines() if "_sum" not in line and "tregcast_process_" not in line]
    for canary in (str(NUMBER), str(MEASURED), "987654", "43.21"):
        assert not [line for line in lines if canary in line]


def test_the_pack_and_what_is_wrong_with_the_next_follow_a_swap(
    launcher: Any, pack_folder: Path, other_pack_folder: Path, pack: Pack, other_pack: Pack, tmp_path: Path
) -> None:
    link = tmp_path / "champion"
    point(link, pack_folder)
    process, output = launcher.serve(link)
    url = launcher.await_line(process, output, "Tregcast's pages are on ").split()[4]

    def held() -> tuple[list[str], list[str]]:
        found = scrape(url)
        packs = [dict(labels)["id"] for name, labels in found if name == "tregcast_pack_info"]
        wrong = [
            dict(labels)["problem"]
            for (name, labels), on in found.items()
            if name == "tregcast_swap_problem" and on
        ]
        return packs, wrong

    def hold(packs: list[str], wrong: list[str]) -> None:
        until = time.monotonic() + 20
        while held() != (packs, wrong):
            assert time.monotonic() < until, held()
            time.sleep(0.05)

    hold([pack.id], [])
    point(link, spoilt(other_pack_folder, tmp_path / "bad"))
    hold([pack.id], ["digest"])
    point(link, other_pack_folder)
    hold([other_pack.id], [])


def desk_of(pack_folder: Path) -> Desk:
    return Desk(HeldPack(pack_folder, rendered), Access(AccessSettings()), NoTrail())


def test_unknown_paths_and_methods_add_no_series(pack_folder: Path) -> None:
    """10,000 paths and 1,000 methods, past the HTTP parser, which would refuse most of these methods."""
    desk = desk_of(pack_folder)
    app = create_app(desk)

    async def ask_all(first: int, paths: int, methods: int) -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for number in range(first, first + paths):
                assert (await client.get(f"/{number}/{number * 7919}")).status_code == 404
            for number in range(first, first + methods):
                assert (await client.request(f"M{number}", "/v1/predict")).status_code == 405
                assert (await client.request(f"M{number}", f"/{number}")).status_code == 404

    asyncio.run(ask_all(0, 1, 1))
    before = set(series(desk.metrics.text().decode()))
    asyncio.run(ask_all(1, 10_000, 1_000))
    after = series(desk.metrics.text().decode())
    assert set(after) == before
    assert len(after) < FEW_SERIES
    assert value(after, "tregcast_requests_total", method="GET", route="none", status="404") == 10_001
    labels = {"method": "other", "route": "/v1/predict", "status": "405"}
    assert value(after, "tregcast_requests_total", **labels) == 1_001


def test_a_code_that_is_on_no_list_becomes_other(pack_folder: Path) -> None:
    metrics = desk_of(pack_folder).metrics
    metrics.answers.answered("predict", "rejected", [TEXT], None, ())
    text = metrics.text().decode()
    assert TEXT not in text
    assert value(series(text), "tregcast_rejections_total", rule="other") == 1


def test_what_bentoml_sets_for_its_own_metrics_moves_no_value_into_a_file(launcher: Any, tmp_path: Path) -> None:
    files = tmp_path / "multiproc"
    files.mkdir()
    code = (
        "from service.metrics.metrics import Metrics; m = Metrics(); m.request('GET', '/', '/', 200, 1.0); m.text()"
    )
    process, output = launcher.run([sys.executable, "-c", code], PROMETHEUS_MULTIPROC_DIR=str(files))
    assert process.wait(30) == 0, output.read_text("utf-8")
    assert list(files.iterdir()) == []


def test_the_line_of_a_request_says_its_outcome_and_its_caller(server: Any, record: dict[str, Any]) -> None:
    def line(response: httpx.Response) -> dict[str, Any]:
        request_id = response.headers["x-request-id"]
        lines = server.written_until(request_id).splitlines()
        return next(json.loads(each) for each in lines if request_id in each)

    answered = ask(server, "/v1/predict", record)
    assert (line(answered)["caller"], line(answered)["outcome"]) == ("open", answered.json()["outcome"])
    assert line(ask(server, "/v1/predict", {}))["outcome"] == "rejected"
    assert line(ask(server, "/v1/predict/batch", {"records": [record, {}]}))["outcome"] == "mixed"
    assert "outcome" not in line(httpx.get(f"{server.url}/v1/schema", trust_env=False))
