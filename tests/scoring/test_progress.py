"""What a run says of how far it is: a bar on a terminal, lines elsewhere, counts alone."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

from commands.score_progress import Telling
from scoring.progress import Step
from tests.scoring.command import AS_OF, KNOWN, ROOT, command, done, files_of


def test_lines_come_now_and_then() -> None:
    said: list[str] = []
    tell = Telling(False, said.append)
    for at in range(1, 1001):
        tell(Step("scoring", at / 1000, at))
    tell(Step("writing", 0.0, 1000))
    assert [line.split("  ")[0] for line in said] == ["scoring", "scoring", "writing"]
    assert said[1].startswith("scoring  100 %, 1,000 rows, ")


def test_a_terminal_has_a_bar_with_the_rate_and_the_time_left(
    visits_file: Path, pack_folder: Path, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    asked = command(visits_file, tmp_path / "a.csv", "--pack", pack_folder, *AS_OF, "--chunk-rows", 10)
    process = subprocess.Popen(asked, env=KNOWN, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""
    try:
        while more := os.read(ours, 4096):
            seen += more
    except OSError:  # a terminal that nobody writes to any more
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0
    pictures = seen.decode().split("\r")
    assert any("scoring  [" in picture and "#" in picture for picture in pictures)
    assert any("rows/s" in picture and " left" in picture for picture in pictures)
    assert "sim-0" not in seen.decode()


def test_of_two_runs_at_once_one_is_refused_and_the_other_is_whole(
    visits_file: Path, pack_folder: Path, tmp_path: Path
) -> None:
    """Several processes that begin together: who is refused leaves the others' work alone."""
    expected = tmp_path / "expected"
    expected.mkdir()
    end = ["--pack", pack_folder, *AS_OF, "--chunk-rows", 10, "--overwrite"]
    assert done(visits_file, expected / "a.csv", *end).returncode == 0
    (tmp_path / "out").mkdir()
    asked = command(visits_file, tmp_path / "out" / "a.csv", *end)
    together = [
        subprocess.Popen(asked, env=KNOWN, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ends = [(process.communicate(timeout=120)[1], process.returncode) for process in together]
    assert {code for _, code in ends} <= {0, 2}
    assert 0 in {code for _, code in ends}
    assert all("another run writes this output now" in said for said, code in ends if code == 2)
    assert files_of(tmp_path / "out") == files_of(expected)
