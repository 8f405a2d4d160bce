"""What only people can say of a model (who paid, who approved, who was asked), from a small TOML file.

::

    [statements]                 # item of the checklist = a text
    18a = "Paid for by the clinic's own funds; nobody else had a part in the work."
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

TABLE = "statements"
LONGEST = 5000  # characters


class StatementsError(ValueError):
    """A file of statements that cannot be used; every problem is in the text."""


def read_statements(path: Path, items: Collection[str]) -> dict[str, str]:
    """The statements that a file makes, by item; empty ones are left out.

    Args:
        path: TOML with one table, ``statements``.
        items: what there can be a statement on.

    Raises:
        StatementsError: it is not such a file.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StatementsError(f"statements {path}: {error}") from error
    found = document.get(TABLE)
    problems = [
        f"{key!r} is not a key here; the only one is the table [{TABLE}]" for key in document if key != TABLE
    ]
    if not isinstance(found, dict):
        problems.append(f"there is no table [{TABLE}]; `tregcast report --write-statements FILE` writes one")
        found = {}
    problems += [text for item, said in found.items() for text in _problems(item, said, items)]
    if problems:
        raise StatementsError(f"statements {path}: " + "; ".join(problems))
    return {item: said.strip() for item, said in found.items() if said.strip()}


def write_template(path: Path, asked: Mapping[str, str]) -> None:
    """Write a file with an empty statement for each item asked about, under the question.

    Raises:
        FileExistsError: there is a file of that name, perhaps with what people said.
        OSError: it cannot be written.
    """
    lines = ["# What only people can say of a model, for `tregcast report --statements FILE`.", f"[{TABLE}]"]
    for item, question in asked.items():
        lines += ["", f"# {question}", f'{item} = ""']
    with path.open("x", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _problems(item: str, said: object, items: Collection[str]) -> list[str]:
    if item not in items:
        return [f"{item!r} is not an item of the checklist (1 to 27c)"]
    if not isinstance(said, str):
        return [f"{item} is not a text; put it in quotes"]
    if len(said) > LONGEST:
        return [f"{item} has {len(said)} characters, more than {LONGEST}; shorten it"]
    return []
