"""The lists of codes hold every code that the source gives to a problem, a caution or a reason."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from service.metrics.codes import CAUTIONS, REASONS, RULES

ROOT = Path(__file__).parents[3]
FILES = [
    *(ROOT / "features").glob("*.py"),
    *(ROOT / "model").glob("*.py"),
    *(ROOT / "service" / name for name in ("batch.py", "stream.py", "varied.py", "whatif.py")),
]
CALLED = {"Problem": "rules", "add": "rules", "Caution": "cautions", "Reason": "reasons"}
HANDED_ON = {"past", "period"}  # the code is their third argument


def codes_in_the_source() -> dict[str, set[str]]:
    """First arguments that are words, of whatever makes a problem, a caution or a reason."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in HANDED_ON and isinstance(node.args[-1], ast.Constant):
                found["rules"].add(node.args[-1].value)
            if not isinstance(node.args[0], ast.Constant):
                continue
            told = len(node.args) > 1 or bool(node.keywords)  # set.add takes one
            if name in CALLED and told and isinstance(node.args[0].value, str):
                found[CALLED[name]].add(node.args[0].value)
    return found


def test_every_code_of_the_source_is_on_its_list() -> None:
    found = codes_in_the_source()
    assert found["cautions"] == set(CAUTIONS)
    assert found["reasons"] == set(REASONS)
    assert found["rules"] == set(RULES)
