"""A server that asks who calls and records what it answers: no answer leaves without either."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from cli import main
from model.pack import Pack
from tests.service.conftest import ROOT, SERVE, WARNINGS, await_line, environment, start, stop

NOBODY = {"authorization": "Bearer tregcast_00000000_" + "A" * 43}


@dataclass(frozen=True)
class Guarded:
    """A server with keys and a trail, and what an operator has of it."""

    url: str
    admin: str  # address of the admin port
    process: subprocess.Popen[bytes]
    keys: Path
    trail: Path
    keyed: dict[str, dict[str, str]]  # scope -> headers of a key that has it alone

    def post(self, path: str, body: object, headers: dict[str, str] | None = None) -> httpx.Response:
        return httpx.post(self.url + path, json=body, headers=headers, timeout=20, trust_env=False)

    def verify(self) -> dict[str, Any]:
        result = tregcast("audit", "verify", "--store", f"sqlite:///{self.trail}", "--json")
        return dict(json.loads(result))

    def shown(self, request_id: str) -> list[dict[str, Any]]:
        said = tregcast("audit", "show", "--store", f"sqlite:///{self.trail}", "--request-id", request_id, "--json")
        return [json.loads(line) for line in said.splitlines()]


def tregcast(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(word) for word in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def guarded(pack_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    keys, trail, secret = folder / "keys.db", folder / "audit.db", folder / "audit.key"
    keyed = {}
    for scope in ("predict", "batch"):
        key = tregcast("keys", "add", "--name", f"clinic {scope}", "--scope", scope, "--store", keys).strip()
        keyed[scope] = {"authorization": f"Bearer {key}"}
    tregcast("audit", "key", secret)
    settings = {
        "TREGCAST_AUTH": "keys",
        "TREGCAST_KEYS": str(keys),
        "TREGCAST_AUDIT": f"sqlite:///{trail}",
        "TREGCAST_AUDIT_KEY": str(secret),
    }
    command = [sys.executable, *WARNINGS, "-c", SERVE, str(pack_folder), "0"]
    process = start(command, folder / "output", environment(folder, **settings), ROOT)
    try:
        line = await_line(process, folder / "output", "Tregcast is ready on ")
        pages = await_line(process, folder / "output", "Tregcast's pages are on ")
        yield Guarded(line.split()[4], pages.split()[4], process, keys, trail, keyed)
    finally:
        stop(process)


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch", "/v1/whatif"])
@pytest.mark.parametrize("headers", [None, NOBODY, {"authorization": "Basic YTpi"}], ids=["none", "wrong", "basic"])
def test_who_is_not_known_gets_no_answer_and_reads_no_reason(
    guarded: Guarded, record: dict[str, Any], path: str, headers: dict[str, str] | None
) -> None:
    response = guarded.post(path, record, headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["type"] == "urn:tregcast:problem:unauthenticated"


def test_a_scope_opens_its_routes_and_no_others(guarded: Guarded, record: dict[str, Any]) -> None:
    assert guarded.post("/v1/predict", record, guarded.keyed["predict"]).status_code == 200
    refused = guarded.post("/v1/predict/batch", {"records": [record]}, guarded.keyed["predict"])
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:tregcast:problem:forbidden")
    assert guarded.post("/v1/predict/batch", {"records": [record]}, guarded.keyed["batch"]).status_code == 200


def test_documents_and_probes_need_no_key(guarded: Guarded) -> None:
    for path in ("/livez", "/readyz", "/v1/model", "/v1/schema", "/v1/vocabulary", "/openapi.json"):
        assert httpx.get(guarded.url + path, trust_env=False).status_code == 200


def test_what_leaves_is_recorded_to_the_byte(guarded: Guarded, pack: Pack, record: dict[str, Any]) -> None:
    response = guarded.post("/v1/predict", record, guarded.keyed["predict"])
    [kept] = guarded.shown(response.headers["x-request-id"])
    assert kept["outcome"] == response.json()["outcome"]
    assert kept["pack"] == pack.id
    assert kept["caller"]["kind"] == "key"
    assert kept["output"] == response.text
    assert guarded.verify()["fault"] is None


def test_a_rejection_is_recorded_with_codes_and_without_values(guarded: Guarded, record: dict[str, Any]) -> None:
    record["visits"][-1]["measurements"]["crp"] = {"value": 987654.25, "unit": "mg/L"}
    response = guarded.post("/v1/predict", record, guarded.keyed["predict"])
    assert response.status_code == 422
    [kept] = guarded.shown(response.headers["x-request-id"])
    assert (kept["outcome"], kept["codes"]) == ("rejected", ["out_of_range"])
    assert "987654" not in json.dumps(kept)


def test_each_record_of_a_batch_has_its_own(guarded: Guarded, record: dict[str, Any]) -> None:
    response = guarded.post("/v1/predict/batch", {"records": [record, {}, record]}, guarded.keyed["batch"])
    kept = guarded.shown(response.headers["x-request-id"])
    assert [each["position"] for each in kept] == [0, 1, 2]
    assert [each["outcome"] for each in kept] == [each["outcome"] for each in response.json()["answers"]]


def test_a_whatif_is_recorded_whole(guarded: Guarded, record: dict[str, Any]) -> None:
    vary = {"nfl": {"values": [40, 80], "unit": "pg/mL"}}
    response = guarded.post("/v1/whatif", {"record": record, "vary": vary}, guarded.keyed["predict"])
    [kept] = guarded.shown(response.headers["x-request-id"])
    assert kept["output"] == response.text


def test_without_a_trail_no_answer_leaves(guarded: Guarded, record: dict[str, Any], tmp_path: Path) -> None:
    """The last test of this server: its store is taken away, and put back."""
    kept = [path for path in guarded.trail.parent.iterdir() if path.name.startswith("audit.db")]
    for path in kept:
        shutil.move(path, tmp_path / path.name)
    response = guarded.post("/v1/predict", record, guarded.keyed["predict"])
    assert response.status_code == 503
    assert "progression_rate" not in response.text
    assert response.headers["retry-after"]
    ready = httpx.get(f"{guarded.url}/readyz", trust_env=False)
    assert ready.status_code == 503


@pytest.mark.parametrize(
    ("host", "settings", "says"),
    [
        ("0.0.0.0", {}, "TREGCAST_AUTH is off and '0.0.0.0' is not a loopback address"),
        ("127.0.0.1", {"TREGCAST_AUTH": "keys", "TREGCAST_KEYS": "keys.db"}, "TREGCAST_AUDIT is not set"),
        ("127.0.0.1", {"TREGCAST_AUDIT": "sqlite:///a.db"}, "TREGCAST_AUDIT_KEY is not set"),
    ],
)
def test_settings_that_would_open_a_hole_do_not_start(
    launcher: Any, pack_folder: Path, host: str, settings: dict[str, str], says: str
) -> None:
    code = SERVE.replace("127.0.0.1", host)
    process, output = launcher.run([sys.executable, *WARNINGS, "-c", code, str(pack_folder), "0"], **settings)
    assert process.wait(30) == 2
    assert says in output.read_text("utf-8")


@pytest.mark.slow
def test_bentomls_own_command_opens_no_hole_either(
    launcher: Any, pack_folder: Path, record: dict[str, Any]
) -> None:
    """It listens where it is told; answers to callers that nobody asked for stay on this machine."""
    address = _address_of_this_machine()
    if address is None:
        pytest.skip("this machine has no address but the loopback one")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ("serve", "service.bento:Tregcast", "--host", "0.0.0.0", "--port", str(port))
    process, output = launcher.bentoml(*arguments, TREGCAST_PACK=str(pack_folder))
    with httpx.Client(timeout=10, trust_env=False, transport=httpx.HTTPTransport(retries=60)) as client:
        here = client.post(f"http://127.0.0.1:{port}/v1/predict", json=record)
        assert here.status_code == 200, output.read_text("utf-8")
        there = client.post(f"http://{address}:{port}/v1/predict", json=record)
    assert there.status_code == 503
    assert "progression_rate" not in there.text
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)


def _address_of_this_machine() -> str | None:
    try:
        found = {address[0] for *_, address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    except OSError:
        return None
    return next((str(address) for address in sorted(found) if not str(address).startswith("127.")), None)
