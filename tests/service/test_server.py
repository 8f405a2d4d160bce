"""Starting and stopping: `service.server.serve` and ``bentoml serve`` are the same service."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from model.pack import Pack
from tests.service.folders import spoilt

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bad_pack(pack_folder: Path, tmp_path: Path) -> Path:
    """A pack of which one byte of one file is another."""
    return spoilt(pack_folder, tmp_path / "bad")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_bad_pack_ends_it_with_3(launcher: Any, bad_pack: Path) -> None:
    process, output = launcher.serve(bad_pack)
    assert process.wait(15) == 3
    words = (
        f"Tregcast does not start: the pack in {bad_pack} is refused: calibration.json: its sha256 is not the one"
    )
    assert output.read_text("utf-8").startswith(words)
    assert output.read_text("utf-8").count("\n") == 1


def test_no_pack_ends_it_with_3(launcher: Any, tmp_path: Path) -> None:
    process, output = launcher.serve(tmp_path / "nothing")
    assert process.wait(15) == 3
    assert "there is no pack in" in output.read_text("utf-8")
    assert "nothing; `tregcast pull` places one" in output.read_text("utf-8")


def test_a_port_in_use_ends_it_with_1(launcher: Any, pack_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process, output = launcher.serve(pack_folder, port)
        assert process.wait(15) == 1
        assert f"Tregcast does not start: cannot listen on 127.0.0.1 port {port}" in output.read_text("utf-8")


def test_another_pack_than_expected_ends_it_with_3(launcher: Any, pack_folder: Path) -> None:
    process, output = launcher.serve(pack_folder, 0, "0" * 64)
    assert process.wait(15) == 3
    assert "manifest.json: the pack's id is" in output.read_text("utf-8")


def test_it_says_when_it_is_ready_and_stops_in_order(launcher: Any, pack_folder: Path, pack: Pack) -> None:
    process, output = launcher.serve(pack_folder)
    url = launcher.await_line(process, output, "Tregcast is ready on ").split()[4]
    assert httpx.get(f"{url}/readyz", trust_env=False).json()["pack"] == pack.id
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert time.monotonic() - started < 5
    events = [json.loads(line)["event"] for line in output.read_text("utf-8").splitlines() if line.startswith("{")]
    assert events[0] == "audit_off"
    assert events[1] == "started"
    assert events[-1] == "stopped"


@pytest.mark.parametrize("target", [[], ["service.bento:Tregcast"]], ids=["plain", "named"])
def test_bentoml_serve_is_the_same_service(
    launcher: Any, pack_folder: Path, client: httpx.Client, record: dict[str, Any], target: list[str]
) -> None:
    port = free_port()
    process, output = launcher.bentoml("serve", *target, "--port", str(port), TREGCAST_PACK=str(pack_folder))
    launcher.await_line(process, output, '{"time"')
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as other:
        for path in ("/readyz", "/livez", "/v1/model", "/openapi.json", "/v1/schema"):
            ours = client.get(path, headers={"host": "localhost"}).content
            assert other.get(path, headers={"host": "localhost"}).content == ours
        answer = other.post("/v1/predict", json={**record, "reference": "CANARYTEXT"})
        assert answer.content == client.post("/v1/predict", json={**record, "reference": "CANARYTEXT"}).content
        for path in (
            "/",
            "/metrics",
            "/healthz",
            "/docs.json",
            "/static_content/index.css",
            "/CANARYTEXT",
        ):
            problem = other.get(path)
            assert (problem.status_code, problem.json()["type"]) == (404, "urn:tregcast:problem:not_found")
        assert other.post("/v1/predict", json={"CANARYTEXT": 987654.321}).status_code == 422
    process.send_signal(signal.SIGTERM)
    process.wait(15)
    written = output.read_text("utf-8")
    assert "CANARYTEXT" not in written
    assert "987654" not in written
    assert "listening on http://127.0.0.1:" in written  # loopback, where BentoML's own default is every address


def test_bentoml_serve_refuses_a_bad_pack_and_ends(launcher: Any, bad_pack: Path) -> None:
    process, output = launcher.bentoml("serve", "--port", str(free_port()), TREGCAST_PACK=str(bad_pack))
    assert process.wait(20) == 3
    assert "calibration.json: its sha256 is not the one" in output.read_text("utf-8")
    assert "Traceback" not in output.read_text("utf-8")


def test_bentoml_serve_refuses_unusable_settings(launcher: Any) -> None:
    process, output = launcher.bentoml("serve", TREGCAST_PACK_ID="champion")
    assert process.wait(20) == 2
    assert "TREGCAST_PACK_ID = 'champion' is not a pack's id" in output.read_text("utf-8")


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_importing_the_service_loads_no_pack_and_none_of_the_training_packages() -> None:
    code = "import sys, service.bento, service.server; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = set(python(code).split())
    assert {"service", "model", "bentoml"} <= loaded
    assert loaded.isdisjoint({"training", "mlflow", "xgboost", "sklearn", "pandas", "scipy", "shap", "matplotlib"})


def test_bentoml_is_told_not_to_report_even_where_its_command_has_already_asked() -> None:
    code = """
from bentoml._internal.utils.analytics.usage_stats import do_not_track
before = do_not_track()
import service.bento
print(before, do_not_track())
"""
    assert python("import os; os.environ.pop('BENTOML_DO_NOT_TRACK', None)\n" + code).split() == ["False", "True"]


def test_bentomls_own_metrics_access_log_and_tracing_are_off() -> None:
    code = """
from service.bento import Tregcast
print(Tregcast.config["metrics"]["enabled"], Tregcast.config["logging"]["access"]["enabled"])
print(Tregcast.config["tracing"]["excluded_urls"], Tregcast.config["http"]["host"])
"""
    assert python(code).split() == ["False", "False", ".*", "127.0.0.1"]
