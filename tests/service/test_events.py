"""Each event that the service can log stands in the table of docs/operations.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def logged() -> Iterator[str]:
    """The event of each call ``log.write(level, event, ...)``; of one that is put together, its fixed parts."""
    for path in (ROOT / "service").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) in {"log.write", "write"}):
                continue
            if len(node.args) < 2 or not ast.unparse(node.args[0]).startswith("logging."):
                continue
            event = node.args[1]
            if isinstance(event, ast.Constant):
                yield str(event.value)
            elif isinstance(event, ast.JoinedStr):
                fixed = [str(part.value).strip() for part in event.values if isinstance(part, ast.Constant)]
                yield next(part for part in fixed if part)


def test_the_table_of_events_is_whole() -> None:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    table = text.partition("| event | |")[2].partition("\n\n")[0]
    events = set(logged())
    assert len(events) > 15
    assert sorted(event for event in events if event.partition(":")[0] not in table) == []
