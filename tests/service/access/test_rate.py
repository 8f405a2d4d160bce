"""How often a key may be used."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from service.access.access import Access
from service.access.key_store import every
from service.access.rate import Buckets
from tests.service.access.conftest import NOW, document, header, made


@given(
    per_minute=st.integers(1, 100),
    waits=st.lists(st.floats(0, 30), min_size=1, max_size=200),
)
def test_no_stretch_of_time_sees_more_than_a_bucket_and_what_flows_in(per_minute: int, waits: list[float]) -> None:
    buckets, now, taken = Buckets(), 0.0, list[float]()
    for wait in waits:
        now += wait
        if buckets.take("k", per_minute, now) == 0:
            taken.append(now)
    for first, begun in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= per_minute + (taken[last] - begun) * per_minute / 60 + 1e-6


def test_after_the_seconds_that_are_told_there_is_one_to_take() -> None:
    buckets = Buckets()
    for per_minute in (1, 7, 1000):
        while (seconds := buckets.take(str(per_minute), per_minute, 0.0)) == 0:
            pass
        assert buckets.take(str(per_minute), per_minute, seconds * 0.99) > 0
        assert buckets.take(str(per_minute), per_minute, seconds + 1e-9) == 0


def test_buckets_are_kept_for_a_minute_and_a_clock_set_back_fills_none() -> None:
    buckets = Buckets()
    for number in range(1000):
        buckets.take(str(number), 5, number / 10)
    assert len(buckets) == 600
    assert buckets.take("x", 1, 200.0) == 0
    assert len(buckets) == 1
    assert buckets.take("x", 1, 100.0) > 0
    assert buckets.take("x", 1, 100.0) > 0
    assert buckets.take("x", 1, 160.0) == 0


def test_a_key_beyond_its_rate_is_told_when_to_come_again_and_others_are_not_held_up(
    store: Path, by_key: Access
) -> None:
    slow, other, free = made(store, per_minute=2), made(store, per_minute=2), made(store)
    for _ in range(2):
        by_key.admit(header(slow), "predict", NOW)
    found = document(by_key, slow)
    assert (found.status, found.headers) == (429, {"Retry-After": "30"})
    for _ in range(2):
        by_key.admit(header(other), "predict", NOW)
    for _ in range(100):
        by_key.admit(header(free), "predict", NOW)
    assert by_key.admit(header(slow), "predict", NOW + 30).id == slow[9:17]


def test_no_number_of_strangers_locks_a_caller_out(store: Path, by_key: Access) -> None:
    text = made(store, per_minute=1)
    for number in range(2000):
        assert document(by_key, f"{text[:18]}{number:043d}").status == 401
    assert len(by_key._buckets) == 0
    assert by_key.admit(header(text), "predict", NOW).id == every(store)[0].id


def test_a_key_without_the_scope_is_told_which_is_missing(store: Path, by_key: Access) -> None:
    text = made(store, "predict", "batch")
    assert by_key.admit(header(text), "batch", NOW).kind == "key"
    found = document(by_key, text, "admin")
    assert (found.status, found.detail) == (403, "This route wants the scope admin.")
    assert 'scope="admin"' in found.headers["WWW-Authenticate"]
