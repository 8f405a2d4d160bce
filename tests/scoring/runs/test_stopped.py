"""A run that is killed, stopped or out of disk goes on, and ends with the bytes of one that was not."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.proof.scale import scaled
from tests.scoring.command import AS_OF, KNOWN, ROOT, command, done, files_of, here, interrupted

KILLS = scaled(100, least=4)
pytestmark = pytest.mark.xdist_group("stopped")  # what nothing stops is run once for all


@pytest.fixture(scope="module")
def inputs(visits: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The visits in the order of patients, and shuffled; some rows are ragged and some wrong."""
    folder = tmp_path_factory.mktemp("inputs")
    found = {}
    for name, frame in (("together", visits), ("scattered", visits.sample(frac=1, random_state=2))):
        found[name] = folder / f"{name}.csv"
        lines = frame.to_csv(index=False).splitlines()
        lines[20] += ",one too many"
        lines[90] = lines[90].replace("male", "mail")
        found[name].write_text("\n".join(lines))
    return found


def arguments(source: Path, folder: Path, pack: Path, *more: object) -> list[object]:
    asked = ["--pack", pack, *AS_OF, "--chunk-rows", 8, "--max-rejects", "100%", "--workers", 2]
    return [source, folder / "a.csv", *asked, *more]


@pytest.fixture(scope="module")
def whole(
    inputs: dict[str, Path], pack_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[dict[str, bytes], float]]:
    """What runs leave that nothing stops, and the seconds that they take."""
    found = {}
    for name, source in inputs.items():
        folder = tmp_path_factory.mktemp(name)
        begun = time.monotonic()
        result = done(*arguments(source, folder, pack_folder))
        assert result.returncode == 0, result.stderr
        found[name] = files_of(folder), time.monotonic() - begun
        assert json.loads(found[name][0]["a.summary.json"])["problems"]["ragged_row"] == 1
    return found


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(KILLS))
def test_killed_at_random_and_resumed(
    turn: int,
    inputs: dict[str, Path],
    pack_folder: Path,
    whole: dict[str, tuple[dict[str, bytes], float]],
    tmp_path: Path,
) -> None:
    """From the moment its folder is there; killed up to three times."""
    chance = random.Random(turn)
    name = list(inputs)[turn % 2]
    expected, seconds = whole[name]
    asked = arguments(inputs[name], tmp_path, pack_folder, "--resume")
    work = tmp_path / ".a.csv.parts"
    killed = 0
    for _ in range(chance.randint(1, 3)):
        result = interrupted(asked, signal.SIGKILL, work.exists, chance.uniform(0, 0.4 * seconds))
        killed += result.returncode == -signal.SIGKILL
        if not work.exists():
            break
    if work.exists():
        resumed = here(*asked)
        assert resumed.exit_code == 0, resumed.stderr
    shutil.rmtree(tmp_path / ".a.csv.parts.done", ignore_errors=True)  # was killed while it tidied up
    assert files_of(tmp_path) == expected


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_and_resumed(
    sent: signal.Signals,
    code: int,
    inputs: dict[str, Path],
    pack_folder: Path,
    whole: dict[str, tuple[dict[str, bytes], float]],
    tmp_path: Path,
) -> None:
    work = tmp_path / ".a.csv.parts"
    asked = arguments(inputs["together"], tmp_path, pack_folder)
    result = interrupted(asked, sent, lambda: any(work.glob("*.answers.arrow")))
    assert result.returncode == code, result.stderr
    assert "Stopped; --resume goes on with it" in result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [work.name]
    refused = here(*asked)
    assert refused.exit_code == 2
    assert "a run was stopped here; --resume goes on with it, --overwrite starts anew" in refused.stderr
    other = here(*asked, "--resume", "--coverage", "0.8", "--explain", "none")
    assert other.exit_code == 2
    assert "--explain, --coverage differs from the run that was stopped" in other.stderr
    kept = {path.name: path.stat().st_mtime_ns for path in work.glob("*.answers.arrow")}
    assert kept
    plan = json.loads((work / "plan.json").read_text())
    assert plan["plan"]["as_of"] == "2026-01-01"
    later = [each for each in asked if each not in AS_OF]  # another day: the one it began with is kept
    resumed = here(*later, "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    assert files_of(tmp_path) == whole["together"][0]


def test_what_differs_is_named(
    inputs: dict[str, Path], pack_folder: Path, other_pack_folder: Path, tmp_path: Path
) -> None:
    source, work = tmp_path / "c.csv", tmp_path / "out" / ".a.csv.parts"
    work.parent.mkdir()
    shutil.copy(inputs["together"], source)
    asked = arguments(source, work.parent, pack_folder)
    interrupted(asked, signal.SIGKILL, lambda: any(work.glob("*.answers.arrow")))
    source.write_text(source.read_text() + "\n")
    plan = json.loads((work / "plan.json").read_text())
    plan["plan"] |= {"version": "0.0.9", "code": "of another commit"}
    (work / "plan.json").write_text(json.dumps(plan))
    other = here(*[other_pack_folder if each == pack_folder else each for each in asked], "--resume")
    assert other.exit_code == 2
    assert "the input, the pack, Tregcast's version, Tregcast's code or a library that it counts with differs" in (
        other.stderr
    )
    (work / "plan.json").write_text("{}")
    assert "no plan of a run" in here(*asked, "--resume").stderr
    assert here(*asked, "--overwrite").exit_code == 0
    assert sorted(files_of(work.parent)) == ["a.csv", "a.rejects.csv", "a.summary.json"]


def test_a_full_disk(
    inputs: dict[str, Path],
    pack_folder: Path,
    whole: dict[str, tuple[dict[str, bytes], float]],
    tmp_path: Path,
) -> None:
    """A small disk of its own: full in the midst of the parts or of the files; with room, it goes on."""
    for name, size in (("together", 40), ("scattered", 60), ("together", 150)):
        folder, kept = tmp_path / f"{name}{size}", tmp_path / f"kept{name}{size}"
        folder.mkdir()
        asked = arguments(inputs[name], folder, pack_folder)
        script = f"""
            mount -t tmpfs -o size={size}k none {folder} || exit 99
            {" ".join(command(*asked))}; echo "exit code $?" >&2
            cp -a {folder} {kept}
        """
        result = subprocess.run(
            ["unshare", "-rm", "sh", "-c", script],
            capture_output=True,
            text=True,
            timeout=300,
            env=KNOWN,
            cwd=ROOT,
            check=False,
        )
        if result.returncode == 99 or "unshare" in result.stderr:
            pytest.skip(f"no disk can be mounted here: {result.stderr.strip()}")
        assert "exit code 2" in result.stderr
        assert "the disk is full; make room, then --resume goes on" in result.stderr
        assert "Traceback" not in result.stderr
        assert [path.name for path in kept.iterdir()] == [".a.csv.parts"]
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        resumed = here(*asked, "--resume")
        assert resumed.exit_code == 0, resumed.stderr
        assert files_of(folder) == whole[name][0]
