"""A request that is sent again with its `Idempotency-Key` gets the answer that it had, and one audit record."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from cli import main
from service.idempotency.seal import Names, names_of
from service.idempotency.store import SECONDS_KEPT, SECONDS_UNDER_WAY, Claim, Differs, Full, Kept, Store, UnderWay
from service.settings import Unusable
from tests.service.running import Running, begin

PATHS = ("/v1/predict", "/v1/predict/batch", "/v1/whatif")


def asked(path: str, record: dict[str, Any]) -> dict[str, Any]:
    vary = {"nfl": {"values": [40, 80], "unit": "pg/mL"}}
    return {"/v1/predict": record, "/v1/predict/batch": {"records": [record, {}]}}.get(
        path, {"record": record, "vary": vary}
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idempotency")


@pytest.fixture(scope="module")
def service(place: Path, pack_folder: Path) -> Iterator[Running]:
    """Two workers, an audit trail, and two keys for callers."""
    from tests.service.conftest import Launcher, stop

    launcher = Launcher(place)
    run = CliRunner().invoke
    assert run(main, ["audit", "key", str(place / "key")]).exit_code == 0
    settings = {
        "TREGCAST_AUDIT": f"sqlite:///{place / 'audit.db'}",
        "TREGCAST_AUDIT_KEY": str(place / "key"),
        "TREGCAST_AUTH": "keys",
        "TREGCAST_KEYS": str(place / "keys"),
    }
    for name in ("one", "two"):
        words = ["keys", "add", "--name", name, "--scope", "predict", "--scope", "batch", "--expires", "9"]
        made = run(main, words, env={"TREGCAST_KEYS": str(place / "keys")})
        assert made.exit_code == 0, made.output
        (place / name).write_text(made.stdout.split()[0], "utf-8")
    try:
        yield begin(launcher, pack_folder, "--workers", "2", **settings)
    finally:
        for process in launcher.started:
            stop(process)


class Caller:
    """Asks over a new connection each time, so that both workers are asked."""

    def __init__(self, service: Running, place: Path, name: str = "one") -> None:
        self.url, self.secret = service.url, (place / name).read_text("utf-8")

    def ask(self, path: str, body: object, key: str | None, **headers: str) -> httpx.Response:
        own = {"authorization": f"Bearer {self.secret}", "content-type": "application/json", **headers}
        if key is not None:
            own["idempotency-key"] = key
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(self.url + path, content=content, headers=own, timeout=30, trust_env=False)


def records(place: Path) -> int:
    with sqlite3.connect(f"{(place / 'audit.db').as_uri()}?mode=ro", uri=True) as connection:
        found: int = connection.execute("SELECT count(*) FROM records").fetchone()[0]
    connection.close()
    return found


@pytest.mark.parametrize("path", PATHS)
def test_the_same_answer_and_one_record(service: Running, place: Path, record: dict[str, Any], path: str) -> None:
    caller, key = Caller(service, place), str(uuid.uuid4())
    before = records(place)
    first = caller.ask(path, asked(path, record), key)
    assert first.status_code == 200
    assert "idempotent-replayed" not in first.headers
    recorded = records(place) - before
    assert recorded == (2 if path.endswith("batch") else 1)
    for _ in range(8):
        again = caller.ask(path, asked(path, record), f'"{key}"')
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["content-type"] == first.headers["content-type"]
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert records(place) - before == recorded
    line = next(each for each in service.log("request") if each["request_id"] == again.headers["x-request-id"])
    assert line["repeated"] is True
    assert line["outcome"] == (
        "mixed" if path.endswith("batch") else json.loads(first.content).get("outcome", line["outcome"])
    )


def test_a_rejection_is_repeated_as_well(service: Running, place: Path) -> None:
    caller, key = Caller(service, place), str(uuid.uuid4())
    before = records(place)
    first, again = (caller.ask("/v1/predict", {"sex": "male"}, key) for _ in range(2))
    assert (first.status_code, again.status_code) == (422, 422)
    assert again.content == first.content
    assert again.headers["content-type"] == "application/problem+json"
    assert records(place) - before == 1


def test_another_request_with_the_same_key_is_refused(
    service: Running, place: Path, record: dict[str, Any]
) -> None:
    caller, key = Caller(service, place), str(uuid.uuid4())
    caller.ask("/v1/predict", record, key)
    before = records(place)
    others = [
        caller.ask("/v1/predict", {**record, "reference": "other"}, key),
        caller.ask("/v1/predict", json.dumps(record).encode() + b" ", key),
        caller.ask("/v1/predict?explain=top5", record, key),
        caller.ask("/v1/predict/batch", record, key),
    ]
    assert [other.status_code for other in others] == [422] * 4
    assert {other.json()["type"] for other in others} == {"urn:tregcast:problem:idempotency_key_reused"}
    assert records(place) == before


def test_keys_of_two_callers_are_two_keys(service: Running, place: Path, record: dict[str, Any]) -> None:
    key, before = str(uuid.uuid4()), records(place)
    first = Caller(service, place).ask("/v1/predict", record, key)
    second = Caller(service, place, "two").ask("/v1/predict", {**record, "reference": "other"}, key)
    assert (first.status_code, second.status_code) == (200, 200)
    assert records(place) - before == 2


def test_many_at_once_are_answered_once(service: Running, place: Path, record: dict[str, Any]) -> None:
    caller, key, before = Caller(service, place), str(uuid.uuid4()), records(place)
    found: list[httpx.Response] = []
    batch = {"records": [record] * 60}
    threads = [
        threading.Thread(target=lambda: found.append(caller.ask("/v1/predict/batch", batch, key))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.status_code for each in found} <= {200, 409}
    assert len({each.content for each in found if each.status_code == 200}) == 1
    assert records(place) - before == 60


@pytest.mark.parametrize("key", ["", "é", "x" * 256, "a\tb", '""'])
def test_a_key_that_is_none_is_refused(service: Running, place: Path, record: dict[str, Any], key: str) -> None:
    response = Caller(service, place).ask("/v1/predict", record, None, **{"idempotency-key": key.encode()})  # type: ignore[arg-type]
    assert (response.status_code, response.json()["type"]) == (400, "urn:tregcast:problem:bad_idempotency_key")


def test_who_is_not_known_learns_nothing(service: Running, place: Path, record: dict[str, Any]) -> None:
    key = str(uuid.uuid4())
    Caller(service, place).ask("/v1/predict", record, key)
    headers = {"idempotency-key": key}
    assert httpx.post(f"{service.url}/v1/predict", json=record, headers=headers).status_code == 401


def test_nothing_in_the_file_can_be_read(service: Running, place: Path, record: dict[str, Any]) -> None:
    marked = {**record, "reference": "CANARYTEXT"}
    answer = Caller(service, place).ask("/v1/predict", marked, "CANARYKEY-7").json()
    found = list(place.glob("audit.db.idempotency*"))
    assert found
    for file in found:
        assert file.stat().st_mode & 0o077 == 0
        content = file.read_bytes()
        for said in ("CANARYTEXT", "CANARYKEY", "progression_rate", str(answer["progression_rate"])):
            assert said.encode() not in content
    assert "CANARY" not in service.output.read_text("utf-8")


def test_without_settings_the_workers_share_a_file_that_goes_with_them(
    launcher: Any, pack_folder: Path, record: dict[str, Any], tmp_path: Path
) -> None:
    service = begin(launcher, pack_folder, "--workers", "2", TMPDIR=str(tmp_path))
    key = {"idempotency-key": "once-and-for-all"}
    found = [httpx.post(f"{service.url}/v1/predict", json=record, headers=key) for _ in range(8)]
    assert [response.headers.get("idempotent-replayed") for response in found] == [None, *["true"] * 7]
    assert len(list(tmp_path.glob("tregcast-*/idempotency"))) == 1
    service.process.terminate()
    assert service.process.wait(15) == 0
    assert list(tmp_path.glob("tregcast-*")) == []


def test_a_file_that_others_may_read_is_refused(launcher: Any, pack_folder: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.touch(0o644)
    shared.chmod(0o644)
    process, output = launcher.command(pack_folder, TREGCAST_IDEMPOTENCY=str(shared))
    assert process.wait(20) == 2
    assert "others may read or write it" in output.read_text("utf-8")


def test_one_that_is_still_being_answered_is_told_when_to_come_back(
    service: Running, place: Path, record: dict[str, Any]
) -> None:
    """Another process claims the key, as a worker does, and does not answer."""
    caller, key = Caller(service, place), str(uuid.uuid4())
    assert caller.ask("/v1/predict", record, key).status_code == 200
    with sqlite3.connect(place / "audit.db.idempotency") as connection:
        last = "SELECT name FROM answers ORDER BY began DESC LIMIT 1"
        connection.execute(f"UPDATE answers SET claim = x'00', sealed = NULL WHERE name = ({last})")
    connection.close()
    response = caller.ask("/v1/predict", record, key)
    assert (response.status_code, response.json()["type"]) == (409, "urn:tregcast:problem:idempotency_key_in_use")
    assert response.headers["retry-after"] == "1"


def names(key: bytes = b"k", asked: bytes = b"body", caller: str = "key:1") -> Names:
    return names_of(b"salt", caller, key, asked)


def claimed(store: Store, of: Names, now: float) -> Claim:
    found = store.claim(of, now)
    assert isinstance(found, Claim)
    return found


def test_a_day_of_a_key(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    claim = claimed(store, names(), 1000.0)
    assert store.claim(names(), 1001.0) == UnderWay()
    assert store.claim(names(asked=b"other"), 1001.0) == Differs()
    store.keep(names(), claim, b"sealed")
    last = 1000.0 + SECONDS_KEPT - 1
    assert store.claim(names(), last) == Kept(b"sealed")
    assert store.claim(names(), 10.0) == Kept(b"sealed")  # a clock that goes back
    assert store.claim(names(asked=b"other"), last) == Differs()
    claimed(store, names(asked=b"other"), last + 2)
    store.close()


def test_what_a_worker_began_that_died_is_taken_over_once() -> None:
    store = Store(None)
    dead = claimed(store, names(), 1000.0)
    heir = claimed(store, names(), 1001.0 + SECONDS_UNDER_WAY)
    store.keep(names(), dead, b"late")
    assert store.claim(names(), 1002.0 + SECONDS_UNDER_WAY) == UnderWay()
    store.keep(names(), heir, b"right")
    assert store.claim(names(), 1003.0 + SECONDS_UNDER_WAY) == Kept(b"right")
    store.close()


def test_what_was_not_answered_may_be_sent_again() -> None:
    store = Store(None)
    store.give_up(names(), claimed(store, names(), 0.0))
    claimed(store, names(asked=b"other"), 1.0)
    store.close()


def test_one_caller_cannot_fill_the_store() -> None:
    store = Store(None, most_keys=12, most_bytes=1000)
    for at in range(3):
        claimed(store, names(b"%d" % at), 0.0)
    with pytest.raises(Full):
        store.claim(names(b"more"), 0.0)
    claim = claimed(store, names(caller="key:2"), 0.0)
    store.keep(names(caller="key:2"), claim, b"x" * 250)
    with pytest.raises(Full):
        store.claim(names(b"more", caller="key:2"), 0.0)
    claimed(store, names(b"more"), SECONDS_KEPT + 1)
    store.close()


def test_a_store_whose_folder_comes_later(tmp_path: Path) -> None:
    """Beside an audit trail whose folder is not mounted yet: until it is, keys cannot be looked up, and no more."""
    store = Store(tmp_path / "mounted-later" / "store", may_come_later=True)
    with pytest.raises(sqlite3.OperationalError, match="No such file or directory"):
        store.claim(names(), 0.0)
    (tmp_path / "mounted-later").mkdir()
    claimed(store, names(), 0.0)
    assert len(store.salt) == 32
    store.close()
    with pytest.raises(Unusable, match="No such file or directory"):
        Store(tmp_path / "never" / "store")
