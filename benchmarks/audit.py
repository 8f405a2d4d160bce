"""What the audit trail costs: records a second, latency and processor time, beside one bare write and fdatasync.

    python benchmarks/audit.py [--folder FOLDER] [--postgres URI] [--seconds 3] [--work-us 150]
    python benchmarks/audit.py --verify 1000000 [--folder FOLDER]

FOLDER must be on the disk that is meant, not in memory. A record has an output of 4,000 bytes. The floor is
measured before each figure, because a shared disk changes by the minute: take the ratios. With ``--work-us`` each
caller computes that long before each record, as a service does, and competes with the writer for the interpreter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).parents[1]))

from service.audit.anchor import Anchor
from service.audit.chain import Head, link
from service.audit.key import InputKey
from service.audit.record import Caller, Entry
from service.audit.search import Wanted, search
from service.audit.sqlite_store import SqliteStore
from service.audit.store_uri import PostgresUri, SqliteUri, StoreUri, open_reader, open_store
from service.audit.trail import AuditTrail
from service.audit.verify import verify

KEY = InputKey(bytes(range(32)))
SENT = json.dumps({"visits": [{"value": i / 7} for i in range(60)]}).encode()
OUTPUT = json.dumps({"contributions": [{"points_per_month": i / 7} for i in range(200)]}).encode()[:4000]
CALLERS = (1, 8, 64)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--postgres")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--work-us", type=float, default=0.0)
    parser.add_argument("--verify", type=int, metavar="RECORDS")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=said.folder, prefix="audit-benchmark-") as name:
        folder = Path(name)
        if said.verify:
            measure_verify(folder, said.verify)
            return
        stores: list[tuple[str, StoreUri]] = [("SQLite", SqliteUri(folder / "audit.db"))]
        if said.postgres:
            stores.append(("PostgreSQL", PostgresUri(said.postgres)))
        print(f"{'':11s} callers  records/s   p50 ms   p99 ms  CPU us, user, system | floor: /s   p50 ms   p99 ms")
        for store, uri in stores:
            for callers in CALLERS:
                measure(store, uri, callers, folder, said.seconds, said.work_us)


def measure(store: str, uri: StoreUri, callers: int, folder: Path, seconds: float, work_us: float) -> None:
    floor = bare_writes(folder, seconds / 3)
    trail = AuditTrail(open_store(uri), Anchor(folder / store), KEY, made_by="tregcast 0.1.0")
    latencies, (user, system) = asyncio.run(run_callers(trail, callers, seconds, work_us))
    trail.close()
    print(f"{store:11s} {callers:7d} {len(latencies) / seconds:10.0f} {figures(latencies)}", end=" ")
    count = 1e6 / len(latencies)
    print(
        f"{count * user - work_us:21.0f} {count * system:8.0f} | {len(floor) / (seconds / 3):9.0f} {figures(floor)}"
    )


async def run_callers(
    trail: AuditTrail, callers: int, seconds: float, work_us: float
) -> tuple[list[float], tuple[float, float]]:
    """The latency of each `record`, and the processor time of all threads, user and system."""
    await trail.record([answer(0)])  # the store is open
    latencies: list[float] = []
    began, end = os.times(), perf_counter() + seconds

    async def caller(number: int) -> None:
        while perf_counter() < end:
            busy_until = perf_counter() + work_us / 1e6
            while perf_counter() < busy_until:
                pass
            entry = answer(number)
            start = perf_counter()
            await trail.record([entry])
            latencies.append(perf_counter() - start)

    await asyncio.gather(*(caller(number) for number in range(callers)))
    ended = os.times()
    return latencies, (ended.user - began.user, ended.system - began.system)


def answer(number: int) -> Entry:
    request_id, caller = f"{number:016x}", Caller("clinic-7", "key")
    return Entry(request_id, caller, "ab" * 32, KEY.digest(SENT), "prediction", (), OUTPUT)


def bare_writes(folder: Path, seconds: float) -> list[float]:
    """The time of each write and fdatasync of the bytes of one record, one after the other."""
    row = link(Head(0, "ab" * 32), answer(0), "tregcast 0.1.0")
    content = row.body + OUTPUT
    file = os.open(folder / "floor", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    taken: list[float] = []
    end = perf_counter() + seconds
    while perf_counter() < end:
        start = perf_counter()
        os.write(file, content)
        os.fdatasync(file)
        taken.append(perf_counter() - start)
    os.close(file)
    return taken


def figures(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    return " ".join(f"{1e3 * ordered[int(share * (len(ordered) - 1))]:8.2f}" for share in (0.5, 0.99))


def measure_verify(folder: Path, records: int) -> None:
    store = SqliteStore(folder / "audit.db")
    done = 0
    while done < records:
        count = min(2000, records - done)
        with store.session(create=True) as session:
            head, rows = session.head, []
            for number in range(done, done + count):
                rows.append(link(head, answer(number), "tregcast 0.1.0"))
                head = Head(rows[-1].seq, rows[-1].hash)
            session.insert(rows)
        done += count
    store.close()
    size = (folder / "audit.db").stat().st_size / 1e9
    start, cpu = perf_counter(), process_time()
    with open_reader(SqliteUri(folder / "audit.db")) as reader:
        verdict = verify(reader, expected=[head])
    assert verdict.fault is None
    taken, used = perf_counter() - start, process_time() - cpu
    print(f"{records} records, {size:.2f} GB: verified in {taken:.1f} s, {used:.1f} s of processor time")
    start = perf_counter()
    with open_reader(SqliteUri(folder / "audit.db")) as reader:
        found = len(list(search(reader, Wanted(f"{records - 1:016x}"))))
    print(f"one request among them: {found} found in {perf_counter() - start:.1f} s")
    with Path("/proc/self/status").open() as status:
        print(next(line for line in status if line.startswith("VmHWM")).strip())


if __name__ == "__main__":
    main()
