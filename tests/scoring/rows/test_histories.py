"""What is known of a patient at each visit, for many patients at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.change import weight
from features.derive import CHANGE, SCALE_MAXIMUM, derive, readings_of
from features.record import Measurement, PatientRecord, Visit
from features.vocabulary import vocabulary
from scoring.rows.patients import Patients
from scoring.rows.slopes import trend

SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=6)


@settings(deadline=None)  # the first call waits for the compiler
@given(SIZES, st.randoms(use_true_random=False))
def test_changes_are_those_of_one_record(sizes: list[int], random: object) -> None:
    rng = np.random.default_rng(random.randrange(2**32))  # type: ignore[attr-defined]
    count, starts = sum(sizes), np.cumsum([0, *sizes[:-1]])
    month = np.concatenate([np.sort(rng.choice(60, size, replace=False) / 3.0) for size in sizes])
    values = np.where(rng.random(count) < 0.3, np.nan, rng.integers(0, 4, count) / 3.0 + 0.1)
    beyond = rng.random(count) < 0.2
    quantity = "alsfrs_r_total" if rng.random() < 0.5 else "crp"
    found = trend(values, beyond, month, starts, SCALE_MAXIMUM.get(quantity))
    for first, size in zip(starts.tolist(), sizes, strict=True):
        for last in range(first, first + size):
            visits = tuple(
                Visit(
                    float(month[at]),
                    {}
                    if np.isnan(values[at])
                    else {quantity: Measurement(float(values[at]), "<" if beyond[at] else None)},
                )
                for at in range(first, last + 1)
            )
            column = vocabulary().quantities[quantity].column
            expected = derive(PatientRecord(visits), "alsfrs_r_total").get(column + CHANGE)
            assert (None if np.isnan(found.change[last]) else found.change[last]) == expected
            readings = readings_of(PatientRecord(visits)).get(quantity, [])
            exact = [(at, item.value) for at, item in readings if item.comparator is None]
            share = weight(exact) if len(exact) >= 2 else None
            assert (None if np.isnan(found.weight[last]) else found.weight[last]) == share
            assert found.without_limits[last] == (len(readings) >= 2 and len(exact) < len(readings))


@given(SIZES, st.randoms(use_true_random=False))
def test_what_is_said_of_a_patient_is_said_of_its_rows_alone(sizes: list[int], random: object) -> None:
    rng = np.random.default_rng(random.randrange(2**32))  # type: ignore[attr-defined]
    who = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    clock = rng.random(len(who))
    patients = Patients.of(who, clock)
    mask, values = (
        rng.random(len(who)) < 0.4,
        np.where(rng.random(len(who)) < 0.5, np.nan, rng.integers(0, 2, len(who))),
    )
    owner, ordered = who[patients.order], clock[patients.order]
    constant, differ = patients.constant(values)
    for at in range(len(who)):
        own = np.flatnonzero(owner == owner[at])
        assert own.tolist() == list(range(own[0], own[-1] + 1))
        assert (np.diff(ordered[own]) >= 0).all()
        assert (patients.first[at], patients.last[at]) == (own[0], own[-1])
        before = [row for row in own if row <= at and mask[row]]
        assert patients.latest(mask)[at] == (before[-1] if before else -1)
        assert patients.so_far(mask)[at] == bool(before)
        there = [row for row in own if mask[row]]
        assert patients.earliest(mask)[at] == (there[0] if there else -1)
        assert patients.any(mask)[at] == bool(there)
        said = {values[row] for row in own if not np.isnan(values[row])}
        assert differ[at] == (len(said) > 1)
        assert not said or constant[at] == min(said)


def test_a_time_that_is_not_known_is_last() -> None:
    assert Patients.of(np.array([0, 0, 1]), np.array([np.nan, 2.0, 1.0])).order.tolist() == [1, 0, 2]
