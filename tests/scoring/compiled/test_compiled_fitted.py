"""A compiled model answers as the model does, to the last bit: estimate, contributions, distribution."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.distribution import PredictiveDistribution
from model.fitted import FittedModel
from model.regressor import ProgressionRegressor
from scoring.compiled.copula import CompiledCopula
from scoring.compiled.fitted import compiled
from scoring.compiled.tables import CompiledTables
from tests.model.test_copula import DIRECTIONS, draw


def cohort(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of four markers, a score, and what an earlier visit left in every other patient; rates."""
    X, y, _ = draw(n, seed)
    rng = np.random.default_rng(seed)
    score = np.round(rng.uniform(5, 48, n))
    earlier = np.where(rng.random(n) < 0.5, y + rng.normal(size=n), np.nan)
    return np.column_stack([X, score, earlier]), y


def fit() -> FittedModel:
    X, y = cohort(600, seed=1)
    learner = ProgressionRegressor(
        monotone=(*DIRECTIONS, 0, 1), history=(5,), score_range=(4, 48.0, 12.0), n_trees=30
    )
    learner.fit(X, y)
    return learner.model_


MODEL = fit()
COMPILED = compiled(MODEL)
ROWS = cohort(2000, seed=2)[0]


def bits(distribution: PredictiveDistribution) -> list[bytes]:
    numbers = (
        distribution.location,
        distribution.scale,
        distribution.quantiles((0.05, 0.25, 0.5, 0.75, 0.95)),
        distribution.interval(0.8),
        distribution.band_probabilities(),
        distribution.which,
        distribution.possible,
    )
    return [each.tobytes() for each in numbers]


def assert_same(rows: np.ndarray, model: FittedModel = MODEL, other: FittedModel = COMPILED) -> None:
    assert other.estimate(rows).tobytes() == model.estimate(rows).tobytes()
    assert other.contributions(rows).tobytes() == model.contributions(rows).tobytes()
    assert bits(other.distribution(rows)) == bits(model.distribution(rows))
    (around, shares), (around_plain, shares_plain) = other.explained(rows), model.explained(rows)
    assert bits(around) == bits(around_plain)
    assert shares.tobytes() == shares_plain.tobytes()


def test_every_part_is_compiled() -> None:
    assert len(MODEL.situations) == 2
    kinds = {type(part.source) for situation in COMPILED.situations for part in situation.location}
    assert kinds == {CompiledTables, CompiledCopula}


@pytest.mark.parametrize("count", [0, 1, 2, 129, 2000])
def test_same_answers(count: int) -> None:
    assert_same(ROWS[:count])


def test_same_answers_where_trees_make_the_scale() -> None:
    tables = next(part.source for part in MODEL.situations[0].location if part.kind == "trees")
    wider = {**tables.to_arrays(), "n_features": np.array(7)}  # reads the location as well
    wider["feature"], wider["slot_feature"] = (
        np.where(wider[name] == 4, 6, wider[name]).astype(np.int32) for name in ("feature", "slot_feature")
    )
    scale = replace(MODEL.situations[0].scale, tables=type(tables).from_arrays(wider))
    model = replace(MODEL, situations=tuple(replace(each, scale=scale) for each in MODEL.situations))
    assert len(set(model.distribution(ROWS).scale.tolist())) > 100
    assert_same(ROWS, model, compiled(model))


VALUES = st.one_of(st.just(float("nan")), st.floats(-10, 60), st.floats(allow_infinity=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(VALUES, min_size=6, max_size=6), min_size=1, max_size=12))
def test_same_answers_for_any_numbers(drawn: list[list[float]]) -> None:
    assert_same(np.array(drawn))


def test_a_row_alone_is_the_row_in_a_batch() -> None:
    together = COMPILED.contributions(ROWS[:200])
    alone = np.concatenate([COMPILED.contributions(row[None]) for row in ROWS[:200]])
    assert together.tobytes() == alone.tobytes()


def test_compiled_twice_is_compiled_once() -> None:
    assert_same(ROWS[:50], other=compiled(COMPILED))
    assert fit_arrays(compiled(COMPILED)) == fit_arrays(MODEL)


def fit_arrays(model: FittedModel) -> list[bytes]:
    """What a pack would store of the parts."""
    stored = [part.source.to_arrays() for situation in model.situations for part in situation.location]
    return [array.tobytes() for arrays in stored for array in arrays.values()]


def test_threads_get_the_same_answers() -> None:
    fresh, expected = compiled(MODEL), MODEL.contributions(ROWS).tobytes()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: fresh.contributions(ROWS).tobytes(), range(8)))
    assert set(found) == {expected}


def test_survives_pickling_after_it_answered() -> None:
    """As a cluster sends it to its workers."""
    COMPILED.explained(ROWS)
    assert_same(ROWS[:300], other=pickle.loads(pickle.dumps(COMPILED)))
