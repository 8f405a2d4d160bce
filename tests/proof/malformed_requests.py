"""Requests that are malformed on purpose, as the bytes that go over a socket; each has a name.

All of them carry the marks `CANARY` and `CANARY_NUMBER` where they can.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.proof.malformed_bodies import malformed_bodies
from tests.proof.malformed_heads import malformed_headers, malformed_lines
from tests.proof.raw_request import CANARY, PATHS, Named, raw


def requests(record: dict[str, Any]) -> Iterator[Named]:
    """Every request of the corpus, from a record that would be answered."""
    marked = {**record, "reference": CANARY}
    for path in PATHS:
        for name, body in malformed_bodies(_wrapped(path, marked)):
            yield f"{path} {name}", raw(body, path=path)
        for name, head in malformed_headers(json.dumps(_wrapped(path, marked)).encode(), path):
            yield f"{path} {name}", head
    yield from malformed_lines(json.dumps(marked).encode())


def _wrapped(path: str, record: dict[str, Any]) -> dict[str, Any]:
    if path.endswith("batch"):
        return {"records": [record]}
    vary = {"nfl": {"values": [20.0, 60.0], "unit": "pg/mL"}}
    return {"record": record, "vary": vary} if path.endswith("whatif") else record
