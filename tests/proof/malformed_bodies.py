"""Bodies that are no JSON in UTF-8, or JSON that is not to be taken."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Iterator
from typing import Any

from tests.proof.raw_request import CANARY, CANARY_NUMBER, Named

REQUIRED = ("visits", "records", "record")
ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "cp037")
ODD_BYTES = (
    ("overlong slash", b"\xc0\xaf"),
    ("overlong NUL", b"\xc0\x80"),
    ("three-byte overlong", b"\xe0\x80\xaf"),
    ("encoded surrogate", b"\xed\xa0\x80"),
    ("beyond Unicode", b"\xf4\x90\x80\x80"),
    ("continuation alone", b"\x80"),
    ("cut character", b"\xe2\x82"),
    ("byte ff", b"\xff"),
)
ESCAPES = (
    *(r"\ud800", r"\udfff", r"\ud800\u0041", r"\u0000", r"\u001b[31m", r"\u202e"),
    *("\x00", "\x1f", "\\x41"),
)
NUMBERS = (
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "nan", "inf", "0x10", "01", "+1", ".5", "5.", "1_0.5"),
    *("1" * 400, "1" * 5000, "1e", "--1", "1.2.3", '"61"', "true", "null", "[61]", "{}", f'"{CANARY}"', "1e400"),
    *("-1", "99999999999999999999", CANARY_NUMBER, "١٢", "1,5"),
)
WRONG_VALUES: tuple[Any, ...] = (1, True, [], "x", {"value": 1}, [[]], {"unit": "a"}, [None])
UNKNOWN_KEYS = (
    *(CANARY, "__proto__", "constructor", "", "pickle", "visits ", "Visits"),
    *("x" * 5000, "\U0001d567isits"),
)


def malformed_bodies(sent: dict[str, Any]) -> Iterator[Named]:
    """All of them, from a body that would be answered."""
    text = json.dumps(sent, ensure_ascii=False)
    yield from _encoded(text)
    yield from _escaped(text)
    yield from _numbers(text)
    yield from _no_object(text)
    yield from _deep(text)
    yield from _pickled(sent)
    yield from _keys(sent)
    yield from _unknown_keys(sent)
    yield "5 MiB and more", b" " * (5 * 2**20) + text.encode()


def _encoded(text: str) -> Iterator[Named]:
    whole = text.encode()
    for encoding in ENCODINGS:
        yield f"in {encoding}", text.encode(encoding)
    yield "in latin-1", text.replace(CANARY, f"{CANARY}é").encode("latin-1")
    yield "BOM", b"\xef\xbb\xbf" + whole
    for name, odd in ODD_BYTES:
        yield f"{name} in a text", whole.replace(CANARY.encode(), CANARY.encode() + odd)
        yield f"{name} before", odd + whole
        yield f"{name} after", whole + odd


def _escaped(text: str) -> Iterator[Named]:
    for escape in ESCAPES:
        yield f"escape {escape!r} in the reference", text.replace(CANARY, escape).encode()
        yield f"escape {escape!r} in a key", text.replace('"reference"', f'"{escape}"').encode()


def _numbers(text: str) -> Iterator[Named]:
    """The first measured value, as something else."""
    start = text.index('"measurements"')
    at = text.index('"value": ', start) + len('"value": ')
    end = min(found for found in (text.find(",", at), text.find("}", at)) if found > 0)
    for number in NUMBERS:
        yield f"{number[:12]} as a value", (text[:at] + number + text[end:]).encode()


def _no_object(text: str) -> Iterator[Named]:
    whole = text.encode()
    yield from (
        ("empty", b""),
        ("blank", b" \r\n\t "),
        ("null", b"null"),
        ("a list", b"[" + whole + b"]"),
        ("a text", json.dumps(text).encode()),
        ("a number", CANARY_NUMBER.encode()),
        ("true", b"true"),
        ("two objects", whole + whole),
        ("an object and more", whole + b" x"),
        ("cut", whole[:-1]),
        ("half", whole[: len(whole) // 2]),
        ("comma at the end", whole[:-1] + b",}"),
        ("comment", b"/* x */" + whole),
        ("quotes", text.replace('"', "'").encode()),
        ("NUL after", whole + b"\0"),
        ("NULs", b"\0" * 100),
        ("a form", f"visits={CANARY}&age=61".encode()),
        ("XML", f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "{CANARY}">]><x>&a;</x>'.encode()),
        ("YAML", f"visits:\n  - {CANARY}: !!python/object/apply:os.system [id]".encode()),
        ("prefix", b")]}',\n" + whole),
        ("lines", b"{}\n" + whole),
        ("gzip unsaid", gzip.compress(whole)),
        ("msgpack", b"\x81\xa6visits\x90"),
    )


def _deep(text: str) -> Iterator[Named]:
    for depth in (100, 1000, 5000, 60_000):
        yield f"{depth} lists deep", b"[" * depth
        yield f"{depth} lists deep and closed", b"[" * depth + b"]" * depth
        yield f"{depth} objects deep", b'{"visits":' * depth + b"1" + b"}" * depth
        yield f"{depth} deep within", text[:-1].encode() + b',"x":' + b"[" * depth + b"]" * depth + b"}"


def _pickled(sent: dict[str, Any]) -> Iterator[Named]:
    for protocol in range(6):
        yield f"pickle {protocol}", pickle.dumps(sent, protocol)
    yield "pickle that runs", b"cos\nsystem\n(S'echo CANARY7f3aTEXT'\ntR."


def _keys(sent: dict[str, Any]) -> Iterator[Named]:
    """Each key twice, gone or null, and with a value that it may not have."""
    whole = json.dumps(sent, ensure_ascii=False).encode()
    for key, value in sent.items():
        yield f"{key} twice", whole[:-1] + b"," + json.dumps({key: value}).encode()[1:]
        if key in REQUIRED:
            yield f"without {key}", json.dumps({k: v for k, v in sent.items() if k != key}).encode()
        else:
            yield f"{key} null", json.dumps({**sent, key: None}).encode()
        for wrong in WRONG_VALUES:
            if not _may_be(key, wrong):
                yield f"{key} as {wrong!r}", json.dumps({**sent, key: wrong}).encode()


def _may_be(key: str, wrong: object) -> bool:
    return (key == "reference" and wrong == "x") or (key == "records" and wrong == [None])


def _unknown_keys(sent: dict[str, Any]) -> Iterator[Named]:
    for key in UNKNOWN_KEYS:
        yield f"with the key {key[:12]}", json.dumps({**sent, key: 1}).encode()
    yield "5,000 unknown keys", json.dumps({**sent, **{f"k{at}": 1 for at in range(5000)}}).encode()
    yield "same hash keys", json.dumps({**sent, **{str(2**61 - 1 + at): 1 for at in range(2000)}}).encode()
