"""Contribution tables against XGBoost's own `pred_contribs`, and against Shapley's definition written out here."""

from __future__ import annotations

import io
import itertools
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from model.tables import TreeTables

P = 6


def make_rows(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, P)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.3] = np.nan
    rows[:, 4] = np.round(rows[:, 4])  # ties with thresholds
    rows[:, 5] = np.where(np.isnan(rows[:, 5]), np.nan, 1)  # measured or not is all it says
    return rows


def make_booster(**changes: Any) -> tuple[xgboost.Booster, np.ndarray]:
    rows = make_rows(400, seed=1)
    rng = np.random.default_rng(2)
    y = np.nansum(rows[:, :4], axis=1) + 2 * np.isnan(rows[:, 5]) + rng.normal(size=len(rows)) + 3
    weight = rng.uniform(0.2, 3, len(rows)) if changes.pop("weighted", False) else None
    n_trees = changes.pop("n_trees", 60)
    data = xgboost.DMatrix(rows, y, weight=weight)
    parameters = {"max_depth": 4, "nthread": 1, "subsample": 0.8, "learning_rate": 0.1, **changes}
    return xgboost.train(parameters, data, n_trees), rows


def make_tables(booster: xgboost.Booster) -> TreeTables:
    return TreeTables.from_booster_json(bytes(booster.save_raw("json")))


@pytest.fixture(scope="module")
def tables() -> TreeTables:
    return make_tables(make_booster()[0])


BOOSTERS: dict[str, dict[str, Any]] = {
    **{f"depth {depth}": {"max_depth": depth} for depth in (1, 2, 3, 4, 5)},
    "depth 8": {"max_depth": 8, "n_trees": 8},
    "weighted": {"weighted": True},
    "monotone": {"monotone_constraints": (1, 1, 0, -1, 0, 0)},
    "exact": {"tree_method": "exact"},
    "by loss": {"grow_policy": "lossguide", "max_leaves": 6},
    "pruned": {"gamma": 20.0},
    "forest": {"num_parallel_tree": 3, "n_trees": 10},
    "single leaves": {"min_child_weight": 1e6, "n_trees": 5},
    "pseudo-Huber": {"objective": "reg:pseudohubererror"},
}


@pytest.mark.parametrize("changes", BOOSTERS.values(), ids=BOOSTERS)
def test_agrees_with_xgboost(changes: dict[str, Any]) -> None:
    booster, rows = make_booster(**changes)
    tables = make_tables(booster)
    fresh = np.concatenate([rows, make_rows(200, seed=3)])
    data = xgboost.DMatrix(fresh)
    np.testing.assert_allclose(
        tables.contributions(fresh) * tables.unit, booster.predict(data, pred_contribs=True), rtol=0, atol=1e-5
    )
    np.testing.assert_allclose(tables.estimate(fresh) * tables.unit, booster.predict(data), rtol=0, atol=1e-5)


# A tree by hand: x0 < 0 ? (x1 < 5 ? 1 : (x0 < -3 ? 7 : 2)) : 10, of 100 training rows.
HAND_MADE: dict[str, Any] = {
    "learner": {
        "learner_model_param": {"num_feature": "3", "base_score": "[5E-1]", "num_target": "1", "num_class": "0"},
        "objective": {"name": "reg:squarederror"},
        "gradient_booster": {
            "name": "gbtree",
            "model": {
                "trees": [
                    {
                        "id": 0,
                        "tree_param": {"size_leaf_vector": "1"},
                        "left_children": [1, 3, -1, -1, 5, -1, -1],
                        "right_children": [2, 4, -1, -1, 6, -1, -1],
                        "split_indices": [0, 1, 0, 0, 0, 0, 0],
                        "split_conditions": [0.0, 5.0, 10.0, 1.0, -3.0, 7.0, 2.0],
                        "default_left": [0, 1, 0, 0, 1, 0, 0],
                        "split_type": [0] * 7,
                        "sum_hessian": [100.0, 60.0, 40.0, 45.0, 15.0, 5.0, 10.0],
                    }
                ]
            },
        },
    }
}


def expectation(x0: float | None, x1: float | None) -> float:
    """The hand-made tree's expected value where only some features are known (None: not known)."""
    deepest = (5 * 7 + 10 * 2) / 15 if x0 is None else (7.0 if x0 < -3 else 2.0)
    middle = (45 * 1 + 15 * deepest) / 60 if x1 is None else (1.0 if x1 < 5 else deepest)
    return 0.5 + ((60 * middle + 40 * 10) / 100 if x0 is None else (middle if x0 < 0 else 10.0))


def shapley_by_permutations(game: Callable[[frozenset[int]], float], players: int) -> list[float]:
    totals = [0.0] * players
    for order in itertools.permutations(range(players)):
        for place, player in enumerate(order):
            before = frozenset(order[:place])
            totals[player] += game(before | {player}) - game(before)
    return [total / math.factorial(players) for total in totals]


@pytest.mark.parametrize("x0", [-5.0, -3.0, -1.0, 0.0, 2.0])
@pytest.mark.parametrize("x1", [4.0, 5.0, 6.0])
def test_is_shapleys_value_of_a_hand_made_tree(x0: float, x1: float) -> None:
    def game(known: frozenset[int]) -> float:
        return expectation(x0 if 0 in known else None, x1 if 1 in known else None)

    tables = TreeTables.from_booster_json(HAND_MADE)
    found = tables.contributions(np.array([[x0, x1, 99.0]]))[0] * tables.unit
    expected = [*shapley_by_permutations(game, 3), game(frozenset())]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)
    assert tables.estimate(np.array([[x0, x1, 99.0]]))[0] * tables.unit == game(frozenset({0, 1, 2}))


def test_not_measured_goes_the_default_way() -> None:
    tables = TreeTables.from_booster_json(HAND_MADE)
    rows = np.array([[np.nan, 0, 0], [-1, np.nan, 0], [-5, np.nan, np.nan]])
    assert (tables.estimate(rows) * tables.unit).tolist() == [10.5, 1.5, 1.5]


def test_compares_as_float32() -> None:
    booster = json.loads(json.dumps(HAND_MADE))
    booster["learner"]["gradient_booster"]["model"]["trees"][0]["split_conditions"][0] = 0.1
    tables = TreeTables.from_booster_json(booster)
    below_in_double_only = np.array([[float(np.float32(0.1)) - 1e-12, 0.0, 0.0]])
    assert tables.estimate(below_in_double_only)[0] * tables.unit == 10.5


def test_beyond_float32_is_its_largest_number(tables: TreeTables) -> None:
    huge, largest = np.full((1, P), 1e300), np.full((1, P), np.finfo(np.float32).max)
    for sign in (1, -1):
        assert np.array_equal(tables.contributions(sign * huge), tables.contributions(sign * largest))


def test_contributions_add_up_exactly(tables: TreeTables) -> None:
    rows = make_rows(5000, seed=4)
    assert np.array_equal(tables.contributions(rows).sum(axis=1), tables.estimate(rows))


def test_every_table_row_sums_to_a_leaf_or_none() -> None:
    tables = TreeTables.from_booster_json(HAND_MADE)
    base_of_group = np.array([0.6 * 0.75 * 1 + 0, 0.4 * 10, 0.6 * 0.25 * (7 * 5 + 2 * 10) / 15])
    leaves = {0.0, 1.0, 2.0, 7.0, 10.0}
    for sums in tables.row_sums * tables.unit:
        assert any({round(s, 6) for s in sums + base} <= leaves for base in base_of_group)


ROWS = st.lists(
    st.lists(st.one_of(st.just(math.nan), st.floats(-4, 4, width=32)), min_size=P, max_size=P),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_a_row_alone_is_the_row_in_a_batch(tables: TreeTables, drawn: list[list[float]]) -> None:
    rows = np.array(drawn)
    together, estimates = tables.contributions(rows), tables.estimate(rows)
    alone = np.concatenate([tables.contributions(row[None]) for row in rows])
    assert np.array_equal(together, alone)
    assert np.array_equal(tables.contributions(rows[::-1].astype(np.float32)), together[::-1])
    assert estimates.tolist() == [int(tables.estimate(row[None])[0]) for row in rows]


def test_batches_longer_than_a_chunk(tables: TreeTables) -> None:
    rows = make_rows(4000, seed=5)
    halves = [tables.contributions(half) for half in (rows[:1777], rows[1777:])]
    assert np.array_equal(tables.contributions(rows), np.concatenate(halves))


def test_permuted_columns_give_the_same_answer() -> None:
    order = np.random.default_rng(6).permutation(P)
    booster, rows = make_booster()
    model = json.loads(booster.save_raw("json"))
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        tree["split_indices"] = [int(np.argsort(order)[i]) for i in tree["split_indices"]]
    found = TreeTables.from_booster_json(model).contributions(rows[:, order])
    expected = make_tables(booster).contributions(rows)
    assert np.array_equal(found[:, :-1], expected[:, order])
    assert np.array_equal(found[:, -1], expected[:, -1])


def test_entries_leave_two_bits(tables: TreeTables) -> None:
    largest = int(np.abs(tables.table.astype(np.int64)).max())
    assert 2**26 < largest <= 2**29 + 8


@pytest.mark.parametrize("size", [1e-20, 1e20])
def test_the_grid_follows_the_size_of_the_outcome(size: float) -> None:
    model = json.loads(json.dumps(HAND_MADE))
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    tree["split_conditions"] = [c * size if leaf < 0 else c for c, leaf in zip(tree["split_conditions"],
                                tree["left_children"], strict=True)]  # fmt: skip
    model["learner"]["learner_model_param"]["base_score"] = "0"
    tables = TreeTables.from_booster_json(model)
    found = tables.estimate(np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])) * tables.unit
    np.testing.assert_allclose(found, [10 * size, size], rtol=1e-6)


def test_a_large_base_keeps_its_sums_exact_in_a_double() -> None:
    model = json.loads(json.dumps(HAND_MADE))
    model["learner"]["learner_model_param"]["base_score"] = "1E12"
    tables = TreeTables.from_booster_json(model)
    assert tables.estimate(np.array([[1.0, 0.0, 0.0]]))[0] * tables.unit == float(np.float32(1e12)) + 10
    TreeTables.from_arrays(tables.to_arrays())


def test_rows_of_another_width_are_refused(tables: TreeTables) -> None:
    for evaluate in (tables.estimate, tables.contributions):
        with pytest.raises(ValueError, match=r"rows have shape \(2, 5\); expected \(n, 6\)"):
            evaluate(np.zeros((2, 5)))
    assert tables.contributions(np.zeros((0, P))).shape == (0, P + 1)


def test_round_trip_through_npz(tables: TreeTables) -> None:
    file = io.BytesIO()
    np.savez(file, **tables.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        again = TreeTables.from_arrays(stored)
    rows = make_rows(50, seed=7)
    assert np.array_equal(again.contributions(rows), tables.contributions(rows))
    assert (again.n_features, again.grid, again.base) == (tables.n_features, tables.grid, tables.base)


def with_value(name: str, value: float, at: tuple[int, ...]) -> Callable[[dict[str, Any]], None]:
    def change(arrays: dict[str, Any]) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name][at] = value

    return change


DAMAGE: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "missing": (lambda a: a.pop("table"), "expected .*'table'"),
    "surplus": (lambda a: a.update(code=np.zeros(1)), "arrays are .*'code'"),
    "dtype": (lambda a: a.update(threshold=a["threshold"].astype(float)), "threshold is float64; expected float32"),
    "objects": (lambda a: a.update(table=a["table"].astype(object)), "table is object; expected int32"),
    "number's shape": (lambda a: a.update(base=np.zeros(2, np.int64)), r"base has shape \(2,\); expected \(\)"),
    "depth": (lambda a: a.update(feature=np.zeros((3, 9), np.int32)), "feature has shape .* D from 1 to 8"),
    "groups": (lambda a: a.update(threshold=a["threshold"][1:]), "threshold has shape"),
    "patterns": (lambda a: a.update(table=a["table"][:, :-1]), "table has shape"),
    "feature": (with_value("feature", P, (0, 0)), "feature has the value 6; expected 0 to 5"),
    "slot": (with_value("slot_feature", -2, (0, 0)), "slot_feature has the value -2"),
    "NaN": (with_value("threshold", np.nan, (0, 0)), "threshold has the value nan"),
    "infinity": (with_value("threshold", np.inf, (0, 0)), "threshold has the value inf"),
    "empty first": (with_value("slot_feature", -1, (0, 0)), "an empty slot"),
    "grid": (lambda a: a.update(grid=np.array(1000)), "grid has the value 1000"),
    "n_features": (lambda a: a.update(n_features=np.array(0)), "n_features has the value 0"),
    "base": (lambda a: a.update(base=np.array(2**60)), "base and table add up"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_arrays_are_refused(
    tables: TreeTables, damage: Callable[[dict[str, Any]], Any], message: str
) -> None:
    arrays = tables.to_arrays()
    damage(arrays)
    with pytest.raises(ValueError, match=message):
        TreeTables.from_arrays(arrays)


def test_slots_must_belong_to_their_group() -> None:
    arrays = TreeTables.from_booster_json(HAND_MADE).to_arrays()
    group = int(np.flatnonzero(arrays["slot_feature"][:, 1] == 1)[0])  # a group that reads x0 and x1
    for value, message in ((2, "no condition of its group"), (0, "twice"), (-1, "empty slot")):
        damaged = dict(arrays)
        with_value("slot_feature", value, (group, 1))(damaged)
        with pytest.raises(ValueError, match=message):
            TreeTables.from_arrays(damaged)


def train(rows: np.ndarray, y: np.ndarray, n_trees: int = 3, **parameters: Any) -> bytes:
    data = xgboost.DMatrix(rows, y)
    return bytes(xgboost.train({"nthread": 1, **parameters}, data, n_trees).save_raw("json"))


def test_what_tables_cannot_hold_is_refused() -> None:
    rows, y = np.nan_to_num(make_rows(300, seed=8)), np.random.default_rng(9).normal(size=300)
    two = np.stack([y, -y], axis=1)
    refused = {
        "'dart'": train(rows, y, booster="dart"),
        "'gblinear'": train(rows, y, booster="gblinear"),
        "deeper than 8": train(rows, y, max_depth=9, min_child_weight=0.1, reg_lambda=0),
        "several outputs": train(rows, two, multi_strategy="multi_output_tree", tree_method="hist"),
        "one booster per output": train(rows, two),
        "'reg:gamma'": train(rows, np.exp(y), objective="reg:gamma"),
    }
    categories = xgboost.DMatrix(np.floor(np.abs(rows[:, :1]) * 9), y, feature_types=["c"], enable_categorical=True)
    refused["categorical"] = bytes(xgboost.train({"nthread": 1}, categories, 3).save_raw("json"))
    for reason, model in refused.items():
        with pytest.raises(ValueError, match=reason):
            TreeTables.from_booster_json(model)


def test_a_node_without_cover_is_refused() -> None:
    model = json.loads(json.dumps(HAND_MADE))
    model["learner"]["gradient_booster"]["model"]["trees"][0]["sum_hessian"][5] = 0.0
    with pytest.raises(ValueError, match="cover 0"):
        TreeTables.from_booster_json(model)
