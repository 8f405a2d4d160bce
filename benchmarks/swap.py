"""What swapping a pack costs a server, and how soon a moved alias answers.

    python benchmarks/swap.py PACK

PACK is the folder of any pack. Copies of it under other names, so with other ids, are swapped in. Spells without
swaps, with swaps between two packs in memory, and with swaps to a new pack each time alternate on the same server,
with eight connections that send a record every 20 ms each. Then a real ``mlflow server``, ``tregcast pull --watch``
and the server together. Times on a shared machine wander: compare what one run prints.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from threading import Event

import httpx
from cryptography.fernet import Fernet
from mlflow import MlflowClient

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.pack import load_pack
from tests.servers import await_ready, mlflow_server, running
from training.registry import PACK_IN_MODEL, PACK_TAG
from training.tracking import open_store

ROOT = Path(__file__).parents[1]
CONNECTIONS, PAUSE, SPELL, EVERY, ROUNDS = 8, 0.02, 8.0, 0.8, 3
MOVES = 7
NAME = "als-progression"
SERVE = (
    "import sys; from pathlib import Path; from service.server import serve; "
    "serve(Path(sys.argv[1]), '127.0.0.1', int(sys.argv[2]))"
)
WEBHOOKS = {
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    "MLFLOW_WEBHOOK_CACHE_TTL": "1",  # s; MLflow hears of a new webhook that late, 60 by default
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
}
SECRET = "a-secret-for-this-measurement"


def main() -> None:
    pack = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="tregcast-swap-") as scratch:
        folder = Path(scratch)
        under_load(pack, folder / "load")
        from_alias_to_answer(pack, folder / "alias")


def under_load(pack: Path, folder: Path) -> None:
    folder.mkdir()
    body = json.dumps(load_pack(pack).golden[0].record).encode()
    copies = [copy_of(pack, folder, number) for number in range(2 + round(ROUNDS * SPELL / EVERY))]
    link = folder / "champion"
    point(link, copies[0])
    fresh, held = iter(copies[2:]), cycle(copies[:2])
    found: dict[str, list[float]] = {"none": [], "back and forth": [], "new packs": []}
    with serving(link, folder) as (url, pid):
        spell(url, body, None)
        print(f"memory with one pack held: {memory(pid):.1f} MiB")
        for _ in range(ROUNDS):
            found["none"] += spell(url, body, None)
            for _ in range(2):  # both are held from here on
                point(link, next(held))
                time.sleep(1)
            print(f"memory with two packs held: {memory(pid):.1f} MiB")
            found["back and forth"] += spell(url, body, lambda: point(link, next(held)))
            found["new packs"] += spell(url, body, lambda: point(link, next(fresh, copies[-1])))
        time.sleep(1)
        assert httpx.get(f"{url}/readyz", trust_env=False).json()["pack"] == load_pack(link.resolve()).id
    for name, taken in found.items():
        cuts = quantiles(taken, n=1000)
        print(
            f"swaps: {name:<14} {len(taken)} requests, p50 {cuts[499]:.1f} ms, p99 {cuts[989]:.1f} ms, "
            f"p99.9 {cuts[998]:.1f} ms, most {max(taken):.0f} ms"
        )


def spell(url: str, body: bytes, swap: Callable[[], None] | None) -> list[float]:
    """Milliseconds of each request of one spell; any request that fails ends it all."""
    ended, taken = Event(), list[float]()

    def ask() -> None:
        headers = {"content-type": "application/json"}
        with httpx.Client(base_url=url, timeout=10, trust_env=False, headers=headers) as client:
            while not ended.is_set():
                started = time.perf_counter()
                client.post("/v1/predict", content=body).raise_for_status()
                taken.append((time.perf_counter() - started) * 1e3)
                time.sleep(PAUSE)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        tasks = [pool.submit(ask) for _ in range(CONNECTIONS)]
        until = time.monotonic() + SPELL
        while time.monotonic() < until:
            time.sleep(EVERY)
            if swap is not None:
                swap()
        ended.set()
        for task in tasks:
            task.result()
    return taken


def from_alias_to_answer(pack: Path, folder: Path) -> None:
    folder.mkdir()
    database = f"sqlite:///{folder / 'mlflow.db'}"
    open_store(database)
    client = MlflowClient(database, database)
    client.create_registered_model(NAME)
    for number in range(MOVES + 1):
        model = folder / f"version{number}"
        made = copy_of(pack, model / "artifacts", number)
        made.rename(model / PACK_IN_MODEL)
        version = client.create_model_version(NAME, source=model.as_uri()).version
        client.set_model_version_tag(NAME, version, PACK_TAG, load_pack(model / PACK_IN_MODEL).id)
    secret = folder / "secret"
    secret.write_text(SECRET, "utf-8")
    webhook = ("--every", "1h", "--webhook", "127.0.0.1:0", "--webhook-secret", secret)
    with mlflow_server(database, folder, **WEBHOOKS) as uri:
        for name, options in (("--every 2s", ("--every", "2s")), ("webhook", webhook)):
            taken = sorted(moved(folder / name.split()[-1], uri, options))
            print(f"alias moved to first answer, {name}: median {median(taken):.2f} s, most {taken[-1]:.2f} s")


def moved(folder: Path, uri: str, options: tuple[object, ...]) -> Iterator[float]:
    """Seconds from each move of the alias, through the server, to ``/readyz`` of the service."""
    folder.mkdir()
    client = MlflowClient(uri, uri)
    client.set_registered_model_alias(NAME, "champion", "1")
    link = folder / "mlruns" / "packs" / f"{NAME}@champion"
    watch = [sys.executable, "-m", "cli", "pull", "--watch", "--tracking-uri", uri, *options]
    with running(watch, folder / "log", signal.SIGTERM, env=environment(), cwd=folder) as watcher:
        await_ready(link.exists, watcher, folder / "log")
        if "--webhook" in options:
            address = (folder / "log").read_text("utf-8").split("wake it at ")[1].split()[0]
            client.create_webhook("swap", address, ["model_version_alias.created"], secret=SECRET)
            time.sleep(2)
        with serving(link, folder) as (url, _), httpx.Client(base_url=url, trust_env=False) as service:
            for version in range(2, MOVES + 2):
                expected = client.get_model_version(NAME, str(version)).tags[PACK_TAG]
                time.sleep(0.37 * version)
                started = time.monotonic()
                client.set_registered_model_alias(NAME, "champion", str(version))
                while service.get("/readyz").json()["pack"] != expected:
                    time.sleep(0.01)
                yield time.monotonic() - started


@contextmanager
def serving(link: Path, folder: Path) -> Iterator[tuple[str, int]]:
    log = folder / "service"
    command = [sys.executable, "-c", SERVE, link, "0"]
    with running(command, log, signal.SIGTERM, env=environment(), cwd=folder) as process:
        await_ready(lambda: "is ready on " in log.read_text("utf-8"), process, log)
        yield log.read_text("utf-8").split("is ready on ")[1].split()[0], process.pid


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def copy_of(pack: Path, folder: Path, number: int) -> Path:
    """The pack under another name, which changes its manifest and so its id, and nothing that it answers with."""
    made = Path(shutil.copytree(pack, folder / f"pack{number}"))
    manifest = json.loads((made / "manifest.json").read_bytes())
    (made / "manifest.json").write_text(json.dumps({**manifest, "name": f"{NAME}-{number}"}), "utf-8")
    return made


def point(link: Path, folder: Path) -> None:
    fresh = link.with_name(".fresh")
    fresh.symlink_to(folder)
    fresh.replace(link)


def memory(pid: int) -> float:
    """MiB that the process has for itself."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


if __name__ == "__main__":
    main()
