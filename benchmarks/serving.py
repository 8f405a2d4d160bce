"""Requests a second over HTTP, all answers from one pack, all servers measured in turns in one run.

    python benchmarks/serving.py PACK [--mlflow-model MODEL] [--seconds 2] [--rounds 3] [--only ours audited]

PACK is a folder with a pack; MODEL a model URI or folder that `mlflow models serve` serves. Each server has one
worker. The record is the first golden one that is answered. What is compared:

    work      the work itself in process: bytes to bytes, no server
    frame     a bare Starlette app that does this work, under the same server (uvicorn, uvloop, httptools)
    ours      the service, who may call and audit off
    shadowed  the service with a challenger: the same pack, which is asked about each record again
    audited   the service with keys and a durable audit trail in SQLite
    native    BentoML's own endpoint doing the same work, as `bentoml serve` starts it
    mlflow    `mlflow models serve` on the registered model, with a row of the same pack's example

For 1, 8 and 64 connections: requests/s (median of the rounds), p50 and p99 in ms, and the ratio to the frame.
Absolute figures mean little on a shared machine; the ratios are what is compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from features.today import latest_date
from model.answer import render
from model.pack import load_pack
from service.answering import answer_body
from service.json_response import json_bytes

ROOT = Path(__file__).parents[1]
CONNECTIONS = (1, 8, 64)
READY_SECONDS = 90

FRAME = """
import socket, sys
from datetime import UTC, datetime
from pathlib import Path
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from features.today import latest_date
from model.answer import render
from model.pack import load_pack
from service.answering import answer_body
from service.json_response import json_bytes
predictor = load_pack(Path(sys.argv[1])).predictor

async def predict(request):
    body = await request.body()
    answer = answer_body(predictor, body, today=latest_date(datetime.now(UTC)))
    return Response(json_bytes(render(answer)), media_type="application/json")

app = Starlette(routes=[Route("/v1/predict", predict, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[2]), loop="uvloop", http="httptools", log_config=None, access_log=False)
"""
OURS = """
import sys
from pathlib import Path
from service.server import serve
serve(Path(sys.argv[1]), "127.0.0.1", int(sys.argv[2]))
"""
NATIVE = """
import os
from datetime import UTC, datetime
from pathlib import Path
import bentoml
from features.parse import parse_record
from features.today import latest_date
from model.answer import render
from model.pack import load_pack

@bentoml.service(workers=1)
class Native:
    def __init__(self) -> None:
        self.predictor = load_pack(Path(os.environ["BENCHMARK_PACK"])).predictor

    @bentoml.api
    async def predict(self, record: dict) -> dict:
        return render(self.predictor.predict(parse_record(record, today=latest_date(datetime.now(UTC)))))
"""


@dataclass(frozen=True)
class Target:
    """A server that runs, and what it is sent."""

    name: str
    port: int
    request: bytes


@dataclass(frozen=True)
class Measured:
    """Of one round."""

    rate: float  # requests/s
    p50: float  # ms
    p99: float


def main(pack: Path, mlflow_model: str | None, seconds: float, rounds: int, only: list[str] | None) -> None:
    loaded = load_pack(pack)
    golden = next(each for each in loaded.golden if each.answer["outcome"] != "abstained")
    body = json.dumps(golden.record).encode()
    print(f"record of {len(body):,} bytes, {len(loaded.predictor.matrix.columns)} features\n")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        servers = _servers(Path(folder), pack.resolve(), body, mlflow_model)
        wanted = [make for name, make in servers if only is None or name == "frame" or name in only]
        targets = [running.enter_context(make()) for make in wanted]
        found: dict[tuple[str, int], list[Measured]] = {}
        work: list[float] = []
        for _ in range(rounds):
            work.append(_work(loaded.predictor, body, seconds / 2))
            for connections in CONNECTIONS:
                for target in targets:
                    measured = asyncio.run(_load(target, connections, seconds))
                    found.setdefault((target.name, connections), []).append(measured)
    print(f"work in process: {median(work):,.0f} records/s, {1000 / median(work):.3f} ms\n")
    print("| server | connections | requests/s | p50 ms | p99 ms | of the frame |\n|---|---|---|---|---|---|")
    for (name, connections), several in found.items():
        rate, p50, p99 = (median(getattr(each, key) for each in several) for key in ("rate", "p50", "p99"))
        frame = median(each.rate for each in found["frame", connections])
        print(f"| {name} | {connections} | {rate:,.0f} | {p50:.2f} | {p99:.2f} | {rate / frame:.2f} |")


def _work(predictor: object, body: bytes, seconds: float) -> float:
    today, count = latest_date(datetime.now(UTC)), 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        json_bytes(render(answer_body(predictor, body, today=today)))  # type: ignore[arg-type]
        count += 1
    return count / (time.perf_counter() - started)


Make = Callable[[], AbstractContextManager[Target]]


def _servers(folder: Path, pack: Path, body: bytes, mlflow_model: str | None) -> Iterator[tuple[str, Make]]:
    def server(
        name: str, command: list[str], path: str, body: bytes, *more: str, **settings: str
    ) -> tuple[str, Make]:
        return name, partial(_server, name, folder, command, path, body, *more, **settings)

    yield server("frame", [sys.executable, "-c", FRAME, str(pack)], "/v1/predict", body)
    yield server("ours", [sys.executable, "-c", OURS, str(pack)], "/v1/predict", body)
    command = [sys.executable, "-c", OURS, str(pack)]
    yield server("shadowed", command, "/v1/predict", body, TREGCAST_SHADOW=str(pack))
    key = _tregcast("keys", "add", "--name", "bench", "--scope", "predict", "--store", folder / "keys.db").strip()
    _tregcast("audit", "key", folder / "audit.key")
    settings = {
        "TREGCAST_AUTH": "keys",
        "TREGCAST_KEYS": str(folder / "keys.db"),
        "TREGCAST_AUDIT": f"sqlite:///{folder / 'audit.db'}",
        "TREGCAST_AUDIT_KEY": str(folder / "audit.key"),
    }
    yield server("audited", command, "/v1/predict", body, f"authorization: Bearer {key}\r\n", **settings)
    (folder / "native.py").write_text(NATIVE, "utf-8")
    bentoml = [str(Path(sys.executable).with_name("bentoml")), "serve", "native:Native", "--port"]
    wrapped = json.dumps({"record": json.loads(body)}).encode()
    yield server("native", bentoml, "/predict", wrapped, BENCHMARK_PACK=str(pack))
    if mlflow_model is not None:
        mlflow = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", mlflow_model]
        options = ["--env-manager", "local", "--workers", "1", "--port"]
        row = (Path(mlflow_model) / "serving_input_example.json").read_bytes()
        yield server("mlflow", [*mlflow, *options], "/invocations", row)


@contextmanager
def _server(
    name: str, folder: Path, command: list[str], path: str, body: bytes, headers: str = "", **settings: str
) -> Iterator[Target]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path_to_programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    known = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": path_to_programs}
    known |= {"BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(port)], cwd=folder, env=known | settings, stdout=log, stderr=log, start_new_session=True
        )
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{headers}"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    target = Target(name, port, request)
    try:
        _await(target, process, folder / f"{name}.log")
        yield target
    finally:
        process.terminate()  # the workers of `bentoml serve` are in groups of their own, and end with it
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _await(target: Target, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            asyncio.run(_load(target, 1, 0.01))
        except (OSError, AssertionError, asyncio.IncompleteReadError):
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"{target.name} does not answer:\n{log.read_text('utf-8', 'replace')[-3000:]}")


async def _load(target: Target, connections: int, seconds: float) -> Measured:
    """So many connections, each asking again as soon as it is answered; every answer must be a 200."""
    until = time.perf_counter() + seconds
    taken: list[float] = []

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        while True:
            started = time.perf_counter()
            writer.write(target.request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            ended = time.perf_counter()
            taken.append(ended - started)
            if ended > until:
                break
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(connections)))
    elapsed = time.perf_counter() - started
    taken.sort()
    return Measured(len(taken) / elapsed, 1e3 * taken[len(taken) // 2], 1e3 * taken[int(0.99 * (len(taken) - 1))])


def _tregcast(*arguments: object) -> str:
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    known = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=known, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--mlflow-model")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="SERVER", help="these beside the frame; default all")
    asked = parser.parse_args()
    main(asked.pack, asked.mlflow_model, asked.seconds, asked.rounds, asked.only)
