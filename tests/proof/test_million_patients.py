"""Random valid patients: the product's answers are those of an evaluator that shares no code with it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.pack import load_pack
from tests.proof.comparison import Comparison
from tests.proof.evaluator import Evaluator
from tests.proof.many_patients import answered, compared
from tests.proof.random_patients import RandomPatients
from tests.proof.scale import scaled

HERE = Path(__file__).parent
OWN = ("evaluator", "joint_normal", "patient_facts", "unused_facts", "tree_walk", "random_patients", "comparison")
OUTSIDE = {
    *("__future__", "collections", "dataclasses", "datetime", "fractions", "functools", "io", "itertools", "json"),
    *("math", "numpy", "pathlib", "random", "tomllib", "typing"),
}


@pytest.mark.slow
def test_the_service_answers_as_the_evaluator(pack_folder: Path) -> None:
    patients = scaled(1_000_000, least=1000)
    found = compared(pack_folder, range(patients))
    assert found.differences == []
    assert sum(found.outcomes.values()) == patients
    assert found.outcomes["prediction_with_cautions"] > 0.2 * patients
    assert found.outcomes["abstained"] > 0.05 * patients
    assert found.rates_same_bits > 0.999 * found.rates
    assert len(found.codes) >= 8, "rules that no patient came to are not proved"


@pytest.mark.parametrize("name", OWN)
def test_the_evaluator_shares_no_code_with_the_product(name: str) -> None:
    tree = ast.parse((HERE / f"{name}.py").read_text("utf-8"))
    imported = [
        word
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for word in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)])
    ]
    assert imported
    for word in imported:
        assert word.split(".")[0] in OUTSIDE or word in {f"tests.proof.{each}" for each in OWN}, word
    called = {
        node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"__import__", "eval", "exec", "compile"}


ALTERED: dict[str, Callable[[Evaluator], None]] = {
    "residuals": lambda own: own.residuals.__setitem__(0, own.residuals[0] * 1.001),
    "a limit": lambda own: own.cohort.__setitem__("limit", own.cohort["limit"] - 1.5),
    "importance": lambda own: own.model["importance"][0].__setitem__(3, 0.01),
    "a range": lambda own: own.cohort["ranges"][-1].__setitem__(2, own.cohort["ranges"][-1][1]),
    "the floor of the scale": lambda own: own.situations[0].error.__setitem__("floor", 0.5),
}


@pytest.mark.parametrize("altered", ALTERED)
def test_an_answer_that_is_otherwise_is_found(pack_folder: Path, altered: str) -> None:
    """The proof can fail: were the product's numbers others than those of its files, there would be differences."""
    evaluator, patients = Evaluator(pack_folder), RandomPatients(pack_folder)
    predictor = load_pack(pack_folder).predictor
    records = [patients.record(number) for number in range(300)]
    answers = [answered(predictor, record) for record in records]
    assert differences(answers, evaluator.answers(records)) == []
    ALTERED[altered](evaluator)
    assert differences(answers, evaluator.answers(records))


def differences(answers: list[dict[str, Any]], own: list[dict[str, Any]]) -> list[str]:
    found = Comparison()
    for number, (product, evaluated) in enumerate(zip(answers, own, strict=True)):
        found.add(number, product, evaluated)
    return found.differences
