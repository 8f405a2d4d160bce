"""What people say: a template that asks for it, and every problem of a file at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.report.statements import StatementsError, read_statements, write_template
from training.report.tripod import ASKED, NUMBERS


def read(path: Path, text: str) -> dict[str, str]:
    path.write_text(text, "utf-8")
    return read_statements(path, NUMBERS)


def test_the_template_asks_and_says_nothing_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "statements.toml"
    write_template(path, ASKED)
    assert read_statements(path, NUMBERS) == {}
    text = path.read_text("utf-8")
    assert all(f"\n# {question}\n{item} = " in text for item, question in ASKED.items())
    with pytest.raises(FileExistsError):
        write_template(path, ASKED)
    assert path.read_text("utf-8") == text


def test_what_is_said_is_read(tmp_path: Path) -> None:
    found = read(tmp_path / "s.toml", '[statements]\n18a = " The clinic\'s own funds. "\n17 = ""\n3a = "More."\n')
    assert found == {"18a": "The clinic's own funds.", "3a": "More."}


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = f'title = "x"\n[statements]\n18z = "a"\n18a = 4\n18b = "{"b" * 5001}"\n18c = "fine"\n'
    with pytest.raises(StatementsError) as caught:
        read(tmp_path / "s.toml", text)
    for part in (
        "'title' is not a key here",
        "'18z' is not an item of the checklist",
        "18a is not a text",
        "18b has 5001 characters",
    ):
        assert part in str(caught.value)
    assert "18c" not in str(caught.value)


@pytest.mark.parametrize("text", ["[statements", "statements = 3", 'x = "y"', ""])
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(StatementsError, match=r"statements .*s\.toml: "):
        read(tmp_path / "s.toml", text)
