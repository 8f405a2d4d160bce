"""A row that comes out differently alone and among many ends the run."""

from __future__ import annotations

import numpy as np
import pytest

from features.problem import Problem
from model.predictor import Predictor
from scoring.rows.forecasts import Forecasts
from scoring.rows.rules import ABSTENTIONS, CAUTIONS
from scoring.rows.sample import Disagreement, require_same, require_same_numbers, sampled
from scoring.rows.understood import Understood
from scoring.settings import ScoreSettings
from service.metrics import codes
from tests.scoring.test_scorer import TODAY

ROWS = np.arange(10, 14)
AT = np.array([1, 3])


def understood() -> Understood:
    found = Understood.nothing_yet(4, 2)
    found.month[:], found.design[:, 0] = 12.0, [1.0, 2.0, 3.0, 4.0]
    return found


def test_rows_by_their_number_and_the_first_of_each_chunk() -> None:
    assert sampled(np.arange(1, 5001)).tolist() == [0, 999, 1999, 2999, 3999, 4999]
    assert sampled(np.array([], np.int64)).tolist() == []


def test_what_is_the_same_passes() -> None:
    require_same(AT, ROWS, understood(), understood())


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("the month of the visit", lambda found: found.month.__setitem__(3, 12.000000000000002)),
        ("the design row", lambda found: found.design.__setitem__((3, 0), np.nextafter(4.0, 5.0))),
        ("the design row", lambda found: found.design.__setitem__((3, 1), 0.0)),
        ("whether it is answered", lambda found: found.abstained.__setitem__(3, True)),
        ("reasons", lambda found: found.codes.__setitem__(3, "stale_input")),
        ("problems", lambda found: found.problems.__setitem__(3, (Problem("x", "row 4", None, "is", "send"),))),
    ],
)
def test_one_bit_is_enough(what: str, change: object) -> None:
    other = understood()
    change(other)  # type: ignore[operator]
    with pytest.raises(Disagreement, match=f"row 13: {what} came out differently"):
        require_same(AT, ROWS, other, understood())


def test_rows_that_are_not_sampled_are_not_compared() -> None:
    other = understood()
    other.month[0] = 13.0
    require_same(AT, ROWS, other, understood())
    with pytest.raises(Disagreement, match="row 10: the month"):
        require_same(np.array([0, *AT]), ROWS, other, understood())


def test_numbers_are_held_to_the_last_bit(predictor: Predictor) -> None:
    settings = ScoreSettings("all", 0.9, TODAY)
    design = np.full((4, len(predictor.matrix.columns)), np.nan)
    many, single = (Forecasts.of(predictor.fitted, rows, settings) for rows in (design, design[AT]))
    require_same_numbers(AT, ROWS, many, single)
    many.answers[3, 0] = np.nextafter(many.answers[3, 0], 9.0)
    with pytest.raises(Disagreement, match="row 13: the numbers"):
        require_same_numbers(AT, ROWS, many, single)


def test_every_rule_of_a_single_record_has_its_column_of_many() -> None:
    many = {code for code, _ in (*ABSTENTIONS, *CAUTIONS)}
    assert many == set(codes.REASONS) | set(codes.CAUTIONS)
