"""Used tokens are remembered as long as they could be used, and no more of them than there is room for."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.access import Access
from service.access.replay import Full, Replays
from service.problem import Unanswered
from tests.service.access.conftest import NOW, Issuer, document, header, refused


@given(
    tokens=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("ab"), st.floats(0, 400)), max_size=30),
)
def test_a_token_is_first_once_before_it_expires(tokens: list[tuple[str, str, float]]) -> None:
    replays, now, until = Replays(), 0.0, dict[tuple[str, str], float]()
    for issuer, jti, life in tokens:
        now += life / 10
        first = replays.is_first(issuer, jti, until=now + life, now=now)
        if until.get((issuer, jti), -1.0) >= now:
            assert not first
        if first:
            until[issuer, jti] = now + life


def test_issuer_and_jti_are_kept_apart() -> None:
    replays = Replays()
    assert replays.is_first("a b", "c", until=9, now=0)
    assert replays.is_first("a", "b c", until=9, now=0)


def test_what_has_expired_makes_room() -> None:
    replays = Replays(most=3)
    for name in "abc":
        assert replays.is_first("i", name, until=100, now=0)
    assert not replays.is_first("i", "a", until=100, now=0)
    with pytest.raises(Full):
        replays.is_first("i", "d", until=100, now=99)
    assert replays.is_first("i", "d", until=300, now=120)
    assert len(replays) == 1


@pytest.mark.parametrize("jump", [0.0, 30.0, 3600.0, 366 * 86_400.0])
@pytest.mark.parametrize("back", [0.0, 299.0])
def test_a_clock_that_goes_forward_and_back_admits_no_token_twice(
    bearer: Access, issuer: Issuer, jump: float, back: float
) -> None:
    token = issuer.token()
    assert bearer.admit(header(token), "predict", NOW + 10).kind == "bearer"
    with suppress(Unanswered):
        bearer.admit(header(issuer.token(iat=int(NOW + jump), exp=int(NOW + jump) + 300)), "predict", NOW + jump)
    assert refused(bearer, token, now=NOW + 10 - min(back, 60)) == 401
    assert refused(bearer, token, now=NOW + 20) == 401


def test_after_such_a_jump_new_tokens_are_admitted_within_minutes(bearer: Access, issuer: Issuer) -> None:
    bearer.admit(header(issuer.token()), "predict", NOW)
    far = NOW + 366 * 86_400
    assert bearer.admit(header(issuer.token(iat=int(far), exp=int(far) + 300)), "predict", far).kind == "bearer"
    later = NOW + 480
    fresh = issuer.token(iat=int(later), exp=int(later) + 300)
    assert bearer.admit(header(fresh), "predict", later).kind == "bearer"


def test_a_full_memory_refuses_rather_than_forgets(bearer: Access, issuer: Issuer) -> None:
    assert bearer._bearer is not None
    bearer._bearer.used._most = 1
    used, other = issuer.token(), issuer.token()
    bearer.admit(header(used), "predict", NOW)
    found = document(bearer, other)
    assert (found.status, found.headers["Retry-After"]) == (503, "60")
    assert document(bearer, used).status == 401
    later = issuer.token(iat=int(NOW) + 421, exp=int(NOW) + 500)
    assert bearer.admit(header(later), "predict", NOW + 421).kind == "bearer"


def test_a_strangers_tokens_are_not_remembered(bearer: Access, issuer: Issuer) -> None:
    assert bearer._bearer is not None
    for _ in range(5):
        document(bearer, issuer.token()[:-8] + "AAAAAAAA")
    assert len(bearer._bearer.used) == 0


@pytest.mark.slow
def test_two_hundred_thousand_tokens_take_no_more_memory_than_said() -> None:
    tracemalloc.start()
    replays = Replays()
    for number in range(200_000):
        replays.is_first("https://issuer", f"{number:036d}", until=300 + number % 60, now=0)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 25e6
