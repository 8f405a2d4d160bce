"""Requests that are malformed on purpose, as the bytes that go over a socket; each has a name.

All of them carry the marks `CANARY` and `CANARY_NUMBER` where they can, which must not be in anything that the
service writes.
"""

from __future__ import annotations

import gzip
import json
import pickle
import random
import zlib
from collections.abc import Iterator
from typing import Any

CANARY, CANARY_NUMBER = "CANARY7f3aTEXT", "987654.32125"
PATHS = ("/v1/predict", "/v1/predict/batch", "/v1/whatif")
Named = tuple[str, bytes]


def raw(
    body: bytes,
    *,
    path: str = "/v1/predict",
    method: str = "POST",
    version: str = "1.1",
    length: bytes | None = None,
    content_type: bytes = b"application/json",
    more: bytes = b"",
) -> bytes:
    """A request with its length as it is (or ``length`` as its header lines), after which the connection closes."""
    told = f"content-length: {len(body)}\r\n".encode() if length is None else length
    line = f"{method} {path} HTTP/{version}\r\n".encode("utf-8", "surrogateescape")
    kind = b"content-type: " + content_type + b"\r\n" if content_type else b""
    return line + b"host: x\r\nconnection: close\r\n" + kind + told + more + b"\r\n" + body


def requests(record: dict[str, Any]) -> Iterator[Named]:
    """Every request of the corpus, from a record that would be answered."""
    marked = {**record, "reference": CANARY}
    for path in PATHS:
        for name, body in _bodies(_wrapped(path, marked)):
            yield f"{path} {name}", raw(body, path=path)
        for name, head in _headers(json.dumps(_wrapped(path, marked)).encode(), path):
            yield f"{path} {name}", head
    yield from _lines(json.dumps(marked).encode())


def _wrapped(path: str, record: dict[str, Any]) -> dict[str, Any]:
    if path.endswith("batch"):
        return {"records": [record]}
    vary = {"nfl": {"values": [20.0, 60.0], "unit": "pg/mL"}}
    return {"record": record, "vary": vary} if path.endswith("whatif") else record


def _bodies(sent: dict[str, Any]) -> Iterator[Named]:
    """Bodies that are no JSON in UTF-8, or JSON that is not to be taken."""
    text = json.dumps(sent, ensure_ascii=False)
    whole = text.encode()
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "cp037"):
        yield f"in {encoding}", text.encode(encoding)
    yield "in latin-1", text.replace(CANARY, f"{CANARY}é").encode("latin-1")
    yield "BOM", b"\xef\xbb\xbf" + whole
    for name, odd in (
        ("overlong slash", b"\xc0\xaf"),
        ("overlong NUL", b"\xc0\x80"),
        ("three-byte overlong", b"\xe0\x80\xaf"),
        ("encoded surrogate", b"\xed\xa0\x80"),
        ("beyond Unicode", b"\xf4\x90\x80\x80"),
        ("continuation alone", b"\x80"),
        ("cut character", b"\xe2\x82"),
        ("byte ff", b"\xff"),
    ):
        yield f"{name} in a text", whole.replace(CANARY.encode(), CANARY.encode() + odd)
        yield f"{name} before", odd + whole
        yield f"{name} after", whole + odd
    for escape in (
        r"\ud800",
        r"\udfff",
        r"\ud800\u0041",
        r"\u0000",
        r"\u001b[31m",
        r"\u202e",
        "\x00",
        "\x1f",
        "\\x41",
    ):
        yield f"escape {escape!r} in the reference", whole.replace(CANARY.encode(), escape.encode())
        yield f"escape {escape!r} in a key", whole.replace(b'"reference"', f'"{escape}"'.encode())
    for number in (
        *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "nan", "inf", "0x10", "01", "+1", ".5", "5.", "1_0.5"),
        *(
            "1" * 400,
            "1" * 5000,
            "1e",
            "--1",
            "1.2.3",
            '"61"',
            "true",
            "null",
            "[61]",
            "{}",
            f'"{CANARY}"',
            "1e400",
        ),
        *("-1", "1e-400", "99999999999999999999", CANARY_NUMBER, "١٢", "1,5"),
    ):
        spoilt = _with_number(text, number).encode()
        if number != "1e-400":
            yield f"{number[:12]} as a value", spoilt
    for name, body in (
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
    ):
        yield name, body
    for depth in (100, 1000, 5000, 60_000):
        yield f"{depth} lists deep", b"[" * depth
        yield f"{depth} lists deep and closed", b"[" * depth + b"]" * depth
        yield f"{depth} objects deep", b'{"visits":' * depth + b"1" + b"}" * depth
        yield f"{depth} deep within", whole[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"
    for protocol in range(6):
        yield f"pickle {protocol}", pickle.dumps(sent, protocol)
    yield "pickle that runs", b"cos\nsystem\n(S'echo CANARY7f3aTEXT'\ntR."
    for key in list(sent):
        yield f"{key} twice", whole[:-1] + b"," + json.dumps({key: sent[key]}).encode()[1:]
        yield (
            f"without {key}" if key in ("visits", "records", "record") else f"{key} null",
            json.dumps(
                {k: v for k, v in sent.items() if k != key}
                if key in ("visits", "records", "record")
                else {**sent, key: None}
            ).encode(),
        )
        for wrong in (1, True, [], "x", {"value": 1}, [[]], {"unit": "a"}, [None]):
            if not _may_be(key, wrong):
                yield f"{key} as {wrong!r}", json.dumps({**sent, key: wrong}).encode()
    for key in (
        CANARY,
        "__proto__",
        "constructor",
        "",
        "pickle",
        "visits ",
        "Visits",
        "x" * 5000,
        "\U0001d567isits",
    ):
        yield f"with the key {key[:12]}", json.dumps({**sent, key: 1}).encode()
    yield "5,000 unknown keys", json.dumps({**sent, **{f"k{at}": 1 for at in range(5000)}}).encode()
    yield "same hash keys", json.dumps({**sent, **{str(2**61 - 1 + at): 1 for at in range(2000)}}).encode()
    yield "5 MiB and more", b" " * (5 * 2**20) + whole


def _may_be(key: str, wrong: object) -> bool:
    return (key == "reference" and wrong == "x") or (key in ("records",) and wrong == [None])


def _with_number(text: str, number: str) -> str:
    """The first measured value, as something else."""
    start = text.index('"measurements"')
    at = text.index('"value": ', start) + len('"value": ')
    end = min(found for found in (text.find(",", at), text.find("}", at)) if found > 0)
    return text[:at] + number + text[end:]


def _headers(body: bytes, path: str) -> Iterator[Named]:
    """A good body, told of wrongly."""
    kinds: list[bytes] = [
        *(b"", b"text/json", b"text/plain", b"text/html", b"application/xml", b"application/x-www-form-urlencoded"),
        *(b"multipart/form-data; boundary=x", b"application/vnd.bentoml+pickle", b"application/octet-stream"),
        *(b"application/x-pickle", b"application/json; charset=latin-1", b"application/json; charset=utf-16"),
        *(b"application/json, text/html", b"application/json; boundary=x", b"application/jsonp", b"json", b"*/*"),
        *(b"application/problem+json", b"application/x-ndjson", b"application/json\x0bx", b"\xff\xfe", b";", b"=?"),
        *(b"application/json; charset=\xff", CANARY.encode()),
    ]
    for kind in kinds:
        yield f"content-type {kind!r}", raw(body, path=path, content_type=kind)
    for coding, coded in (
        ("gzip", gzip.compress(body)),
        ("deflate", zlib.compress(body)),
        ("br", body),
        ("gzip, gzip", gzip.compress(gzip.compress(body))),
        ("GZIP", gzip.compress(body)),
        ("x-unknown", body),
        ("gzip", gzip.compress(b"0" * 2**24)),
    ):
        yield f"coded {coding}", raw(coded, path=path, more=f"content-encoding: {coding}\r\n".encode())
    parts = b'--x\r\ncontent-disposition: form-data; name="record"\r\n\r\n' + body + b"\r\n--x--\r\n"
    yield "multipart", raw(parts, path=path, content_type=b"multipart/form-data; boundary=x")
    yield "multipart said to be JSON", raw(parts, path=path)
    size = str(len(body)).encode()
    chunked, chunks = b"transfer-encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    inner = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    for name, length, sent in (
        ("CL.TE", b"content-length: 4\r\n" + chunked, chunks),
        ("TE.CL", chunked + b"content-length: " + size + b"\r\n", body),
        ("CL.CL same", b"content-length: " + size + b"\r\ncontent-length: " + size + b"\r\n", body),
        ("CL.CL other", b"content-length: " + size + b"\r\ncontent-length: 3\r\n", body),
        ("CL list", b"content-length: " + size + b", " + size + b"\r\n", body),
        ("CL plus", b"content-length: +" + size + b"\r\n", body),
        ("CL minus", b"content-length: -1\r\n", body),
        ("CL hex", b"content-length: 0x10\r\n", body),
        ("CL text", b"content-length: " + CANARY.encode() + b"\r\n", body),
        ("CL huge", b"content-length: 99999999999999999999999\r\n", body),
        ("CL past int64", b"content-length: 9223372036854775808\r\n", body),
        ("CL spaces", b"content-length: 1 2\r\n", body),
        ("CL empty", b"content-length: \r\n", body),
        ("CL short", b"content-length: 5\r\n", body),
        ("CL zero", b"content-length: 0\r\n", body),
        ("TE unknown", b"transfer-encoding: x" + CANARY.encode() + b"\r\n", chunks),
        ("TE xchunked", b"transfer-encoding: xchunked\r\n", chunks),
        ("TE chunked twice", chunked + chunked, chunks),
        ("TE chunked, identity", b"transfer-encoding: chunked, identity\r\n", chunks),
        ("TE identity, chunked twice", b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", chunks),
        ("TE space before colon", b"transfer-encoding : chunked\r\n", chunks),
        ("TE folded", b"transfer-encoding:\r\n chunked\r\n", chunks),
        ("TE vertical tab", b"transfer-encoding: \x0bchunked\r\n", chunks),
        ("TE NUL", b"transfer-encoding: chunked\0\r\n", chunks),
        ("chunk of no size", chunked, b"\r\n" + body + b"\r\n0\r\n\r\n"),
        ("chunk of negative size", chunked, b"-1\r\n" + body + b"\r\n0\r\n\r\n"),
        ("chunk of size 0x", chunked, b"0x5\r\n12345\r\n0\r\n\r\n"),
        ("chunk too long", chunked, b"5\r\n1234567890\r\n0\r\n\r\n"),
        ("chunk of huge size", chunked, b"ffffffffffffffffff\r\n1\r\n0\r\n\r\n"),
        ("chunk of text size", chunked, b"zz\r\n1\r\n0\r\n\r\n"),
        ("chunk without CR", chunked, b"5\n12345\n0\n\n"),
        ("long extension", chunked, b"5;" + b"a" * 40_000 + b"\r\n12345\r\n0\r\n\r\n"),
        ("smuggled behind chunks", chunked, b"0\r\n\r\n" + inner),
        ("smuggled behind a length", b"content-length: 2\r\n", b"{}" + inner),
    ):
        yield name, raw(sent, path=path, length=length)
    for name, more in (
        ("NUL in a header", b"x-a: \0" + CANARY.encode() + b"\r\n"),
        ("NUL in a name", b"x\0a: 1\r\n"),
        ("header without colon", CANARY.encode() + b"\r\n"),
        ("header of spaces", b" : 1\r\n"),
        ("name with a space", b"x a: 1\r\n"),
        ("name with a tab", b"x\ta: 1\r\n"),
        ("empty name", b": 1\r\n"),
        ("non-ASCII name", b"x\xff: 1\r\n"),
        ("bare CR", b"x-a: 1\rx-b: 2\r\n"),
        ("a header without end", b"x-a: " + b"a" * 40_000 + b"\r\n"),
        ("4,000 headers", b"".join(b"x-%d: 1\r\n" % at for at in range(4000))),
    ):
        yield name, raw(body, path=path, more=more)


def _lines(body: bytes) -> Iterator[Named]:
    """Request lines that name no route, no method of it, or are none."""
    for method in (
        *(
            "GET",
            "PUT",
            "PATCH",
            "DELETE",
            "OPTIONS",
            "TRACE",
            "PROPFIND",
            "MKCOL",
            "SEARCH",
            "PURGE",
            "post",
            "POSTX",
        ),
        *(CANARY, "CONNECT", "", "P\0ST", "PRI", "M-SEARCH"),
    ):
        for path in PATHS:
            yield f"{method!r} {path}", raw(body, path=path, method=method)
    yield "HEAD", raw(b"", method="HEAD")
    for path in (
        *(
            "/v1/predict/",
            "//v1/predict",
            "/v1//predict",
            "/V1/PREDICT",
            "/v1/predict/..",
            "/v1/predict;x=1",
            "/v1",
        ),
        *("/v1/predict%00", "/v1%2fpredict", "/v1/predict%2f", "/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd"),
        *("/v1/%70redict%0d%0ax-a:1", "/v1/predict%", "/v1/predict%zz", "/v1/predict%c0%af", "/v1/predict%ff"),
        *("/v1/predict\\", "/v1/pre\tdict", f"/{CANARY}/{CANARY_NUMBER}", "/v1/predict\0", "*", "v1/predict", ""),
        *(
            "http://",
            "http:///v1",
            "http://x:99999/v1",
            f"http://x/{CANARY}",
            "https://[::1/v1",
            "x" * 40_000,
            "/é",
        ),
        *(
            "/v1/predict#x/..",
            "/metrics",
            "/predict",
            "/healthz",
            "/docs.json",
            "/docs/oauth2-redirect",
            "/static/x",
        ),
        *("/v1/models", "/invocations", "/.git/config", "/v1/predict/batch/1", "/v1/audit", "/admin"),
    ):
        for method in ("POST", "GET"):
            yield f"{method} {path[:40]!r}", raw(body, path=path, method=method)
    for version in ("0.9", "1.2", "2.0", "3", "x", "", "1.1.1", "99.99", CANARY):
        yield f"HTTP/{version}", raw(body[:-1], version=version)
    yield from (
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"),
        ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 500),
        ("a body alone", body),
        ("NULs", b"\0" * 2000),
        ("line feeds and junk", b"\n" * 50 + CANARY.encode() + b"\r\n\r\n"),
        ("HTTP/0.9", b"GET /\r\n\r\n"),
        ("a response", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        ("SMTP", b"EHLO x\r\nMAIL FROM:<a@b>\r\n\r\n"),
        ("redis", b"*1\r\n$4\r\nPING\r\n\r\n"),
        ("spaces in the line", b"POST  /v1/predict   HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
        ("no version", b"POST /v1/predict\r\nhost: x\r\n\r\n"),
        ("lower http", b"POST /v1/predict http/1.1\r\nhost: x\r\n\r\n"),
    )


def spoilt_bodies(record: dict[str, Any], rng: random.Random) -> bytes:
    """The bytes of a record with one to four random spoilings; some may by chance still be a record."""
    value: Any = json.loads(json.dumps(record))
    for _ in range(rng.randint(1, 3)):
        _spoil(value, rng)
    data = bytearray(json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass"))
    for _ in range(rng.choice([0, 0, 1, 1, 3])):
        at = rng.randrange(len(data))
        act = rng.randrange(5)
        if act == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif act == 1:
            del data[at : at + rng.randint(1, 30)]
        elif act == 2:
            data[at:at] = rng.choice(
                [b"\0", b"\xff", b",", b"}", b"[", b'"', b"NaN", b"1e999", b"\xed\xa0\x80", b"\\u"]
            )
        elif act == 3:
            data[at:at] = data[at : at + rng.randint(1, 60)]
        else:
            data = data[: max(1, at)]
    return bytes(data)


def _spoil(value: Any, rng: random.Random) -> None:
    """Change something somewhere inside."""
    places = list(_places(value))
    holder, key = rng.choice(places)
    odd = rng.choice(
        [
            None,
            True,
            "",
            CANARY,
            "61",
            [],
            {},
            -1,
            0,
            1e308,
            10**40,
            float(CANARY_NUMBER),
            "\ud800",
            [[1]],
            {"value": 1},
        ]
    )
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
