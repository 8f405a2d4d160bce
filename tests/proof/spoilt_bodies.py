"""Records that are spoilt at random: values and keys first, then the bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from tests.proof.raw_request import CANARY, CANARY_NUMBER

ODD_BYTES = (b"\0", b"\xff", b",", b"}", b"[", b'"', b"NaN", b"1e999", b"\xed\xa0\x80", b"\\u")


def spoilt_body(record: dict[str, Any], rng: random.Random) -> bytes:
    """A record of which one to three values and up to three places are spoilt; by chance it may still be one."""
    value: Any = json.loads(json.dumps(record))
    for _ in range(rng.randint(1, 3)):
        _spoil(value, rng)
    data = bytearray(json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass"))
    for _ in range(rng.choice([0, 0, 1, 1, 3])):
        _spoil_bytes(data, rng)
    return bytes(data)


def _spoil_bytes(data: bytearray, rng: random.Random) -> None:
    """Flip a bit, or take out, put in, repeat or cut off some bytes."""
    at = rng.randrange(len(data))
    act = rng.randrange(5)
    if act == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif act == 1:
        del data[at : at + rng.randint(1, 30)]
    elif act == 2:
        data[at:at] = rng.choice(ODD_BYTES)
    elif act == 3:
        data[at:at] = data[at : at + rng.randint(1, 60)]
    else:
        del data[max(1, at) :]


def _spoil(value: Any, rng: random.Random) -> None:
    """Change something somewhere inside."""
    places = list(_places(value))
    holder, key = rng.choice(places)
    numbers = (-1, 0, 1e308, 10**40, float(CANARY_NUMBER))
    odd = rng.choice([None, True, "", CANARY, "61", [], {}, *numbers, "\ud800", [[1]], {"value": 1}])
    act = rng.randrange(4)
    if act == 0:
        holder[key] = odd
    elif act == 1 and isinstance(holder, dict):
        del holder[key]
    elif act == 2 and isinstance(holder, dict):
        holder[rng.choice([CANARY, "value", "unit", "x", "visits", "comparator", "date"])] = odd
    elif isinstance(holder[key], (int, float)):
        holder[key] = holder[key] * rng.choice([-1, 1000, 1e-4, 1e20])
    else:
        holder[key] = odd


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)
