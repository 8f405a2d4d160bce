"""Whatever stands in the header, it is a caller that is known or a problem document, never another exception."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.access.access import Access
from service.access.credential import authorization
from service.access.settings import AccessSettings
from service.problem import Unanswered
from tests.service.access.conftest import (
    AUDIENCE,
    ISSUER,
    NOW,
    Issuer,
    await_true,
    b64,
    b64_json,
    document,
    header,
    made,
)

SEGMENT = st.one_of(
    st.binary(max_size=60).map(b64),
    st.text("abcXYZ019-_=.", max_size=30),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ).map(b64_json),
    st.fixed_dictionaries(
        {
            "alg": st.sampled_from(["RS384", "ES384", "none", "HS384", "", None, 1, ["RS384"]]),
            "kid": st.sampled_from(["r", "e", None, [], {}, 0, "x"]),
        },
        optional={"b64": st.just(False), "crit": st.just(["b64"]), "typ": st.integers()},
    ).map(b64_json),
)
CREDENTIALS = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")),
    st.from_regex(r"\Atregcast_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\Z").map(str.encode),
    st.tuples(SEGMENT, SEGMENT, SEGMENT).map(lambda parts: ".".join(parts).encode()),
)
HEADERS = st.none() | st.tuples(st.sampled_from([b"", b"Bearer ", b"bearer  ", b"Basic "]), CREDENTIALS).map(
    b"".join
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Access]:
    """Keys and tokens; one key and the issuer's keys are there."""
    folder = tmp_path_factory.mktemp("both")
    made(folder / "keys")
    (folder / "jwks").write_text(json.dumps(issuer.jwks()), "utf-8")
    access = Access(
        AccessSettings("keys+bearer", folder / "keys", str(folder / "jwks"), (ISSUER,), (AUDIENCE,)),
    )
    await_true(lambda: access._bearer is not None and access._bearer.keys._keys is not None)
    yield access
    access.close()


@settings(max_examples=200, deadline=None)
@given(sent=HEADERS)
def test_no_header_admits_or_breaks_anything(both: Access, sent: bytes | None) -> None:
    with pytest.raises(Unanswered) as caught:
        both.admit(sent, "predict", NOW)
    assert caught.value.document.status in (401, 503)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_good_token_with_one_byte_changed_is_not_admitted(
    both: Access, issuer: Issuer, place: int, byte: int
) -> None:
    token = bytearray(issuer.token().encode())
    place %= len(token)
    if token[place] == byte:
        byte = (byte + 1) % 256
    token[place] = byte
    with pytest.raises(Unanswered):
        both.admit(b"Bearer " + bytes(token), "predict", NOW)


def test_both_kinds_are_known_where_both_are_switched_on(both: Access, issuer: Issuer, tmp_path: Path) -> None:
    assert both.admit(header(issuer.token()), "predict", NOW).kind == "bearer"
    assert document(both, made(tmp_path / "of another store")).status == 401


def test_the_scheme_is_bearer_in_any_case_and_there_is_one_word(by_key: Access, store: Path) -> None:
    text = made(store).encode()
    for good in (b"Bearer " + text, b"bearer " + text, b"BEARER   " + text + b" "):
        assert by_key.admit(good, "predict", NOW).kind == "key"
    for bad in (b"", text, b"Bearer", b"Bearer ", b"Bearer\t" + text, b"Basic " + text, b"Bearer " + text + b", x",
                b"Bearer " + text + b" " + text, b" Bearer " + text, b"Bearer " + text + b"\n", None):  # fmt: skip
        assert document(by_key, bad).status == 401


def test_two_headers_are_refused_even_if_they_are_the_same() -> None:
    one = (b"authorization", b"Bearer x")
    assert authorization([(b"accept", b"*/*"), one]) == b"Bearer x"
    assert authorization([]) is None
    for second in (one, (b"Authorization", b"Bearer x"), (b"authorization", b"")):
        with pytest.raises(Unanswered, match="unauthenticated"):
            authorization([one, second])


def test_a_credential_of_more_than_8_kib_is_refused_before_it_is_read(
    opened: Callable[[AccessSettings], Access], jwks_file: Path, issuer: Issuer
) -> None:
    access = opened(AccessSettings("bearer", None, str(jwks_file), (ISSUER,), (AUDIENCE,)))
    short = len(issuer.token(extra=""))
    fitting = issuer.token(extra="a" * ((8192 - short) * 3 // 4 - 8))
    assert 8160 <= len(fitting) <= 8192
    assert access.admit(header(fitting), "predict", NOW).kind == "bearer"
    longer = issuer.token(extra="a" * ((8192 - short) * 3 // 4 + 8))
    assert 8192 < len(longer) < 8230
    assert document(access, longer).status == 401
    assert document(access, b"Bearer " + b"a." * 5_000_000).status == 401
