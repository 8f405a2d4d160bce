"""The pack in use is one verified pack; another takes its place whole, or not at all and says why."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from model.pack import Pack, Refused
from service.held_pack import HeldPack, Loaded
from service.rendered import rendered
from tests.service.folders import point, spoilt


class Maker:
    """Notes which packs something was made of."""

    def __init__(self) -> None:
        self.made_of: list[str] = []

    def __call__(self, pack: Pack) -> str:
        self.made_of.append(pack.id)
        return f"made of {pack.id}"


@pytest.fixture
def link(pack_folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "champion"
    point(path, pack_folder)
    return path


def test_it_holds_the_first_pack_and_what_is_made_of_it(link: Path, pack: Pack) -> None:
    held = HeldPack(link, Maker())
    assert (held.current.pack.id, held.current.made, held.problem) == (pack.id, f"made of {pack.id}", None)


def test_the_first_pack_must_verify(pack_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"calibration\.json"):
        HeldPack(spoilt(pack_folder, tmp_path / "bad"), Maker())
    with pytest.raises(Refused, match=r"manifest\.json"):
        HeldPack(tmp_path / "nothing", Maker())


def test_a_link_that_points_elsewhere_swaps(link: Path, other_pack_folder: Path, other_pack: Pack) -> None:
    held = HeldPack(link, Maker())
    first = held.current
    point(link, other_pack_folder)
    held.look()
    assert (held.current.pack.id, held.current.made) == (other_pack.id, f"made of {other_pack.id}")
    assert first.made == f"made of {first.pack.id}"  # who still uses the first has all of it


def test_nothing_is_loaded_while_the_link_stays(link: Path) -> None:
    make = Maker()
    held = HeldPack(link, make)
    first = held.current
    for _ in range(5):
        held.look()
    assert held.current is first
    assert len(make.made_of) == 1


def test_going_back_takes_what_is_in_memory(
    link: Path, pack_folder: Path, other_pack_folder: Path, pack: Pack, other_pack: Pack
) -> None:
    make = Maker()
    held = HeldPack(link, make)
    first = held.current
    for folder in (other_pack_folder, pack_folder, other_pack_folder, pack_folder):
        point(link, folder)
        held.look()
    assert held.current is first
    assert make.made_of == [pack.id, other_pack.id]


def test_a_copy_of_the_pack_in_use_changes_nothing(link: Path, pack_folder: Path, tmp_path: Path) -> None:
    make = Maker()
    held = HeldPack(link, make)
    first = held.current
    point(link, Path(shutil.copytree(pack_folder, tmp_path / "copy")))
    held.look()
    assert held.current is first
    assert (held.problem, len(make.made_of)) == (None, 1)


def removed(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def longer(folder: Path) -> None:
    with (folder / "card.json").open("ab") as file:
        file.write(b" ")


def extra(folder: Path) -> None:
    (folder / "code.py").write_text("raise SystemExit", "utf-8")


def no_pack(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}", "utf-8")


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (longer, "digest"),
        (extra, "digest"),
        (removed("model.json"), "unreadable"),
        (removed("manifest.json"), "unreadable"),
        (no_pack, "contents"),
        (shutil.rmtree, "not_found"),
    ],
)
@pytest.mark.parametrize("which", ["new", "before"])
def test_what_is_refused_leaves_the_pack_in_use(
    link: Path,
    pack_folder: Path,
    other_pack_folder: Path,
    tmp_path: Path,
    harm: Callable[[Path], None],
    problem: str,
    which: str,
) -> None:
    """Be it a new pack or a copy of the one before, which is in memory."""
    held = HeldPack(link, Maker())
    if which == "before":
        for folder in (other_pack_folder, pack_folder):
            point(link, folder)
            held.look()
    first = held.current
    bad = Path(shutil.copytree(other_pack_folder, tmp_path / "bad"))
    harm(bad)
    point(link, bad)
    held.look()
    assert held.current is first
    assert held.problem == problem
    point(link, pack_folder)
    held.look()
    assert (held.current, held.problem) == (first, None)


def test_golden_answers_that_differ_are_refused(link: Path, tmp_path: Path, pack_folder: Path) -> None:
    """A pack whose digests agree, but which does not answer as it did when it was made."""
    import hashlib
    import json

    bad = Path(shutil.copytree(pack_folder, tmp_path / "bad"))
    golden = json.loads((bad / "golden.json").read_bytes())
    answered = next(item for item in golden if "progression_rate" in item["answer"])
    answered["answer"]["progression_rate"] += 1.0
    data = json.dumps(golden).encode()
    manifest = json.loads((bad / "manifest.json").read_bytes())
    manifest["files"]["golden.json"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (bad / "golden.json").write_bytes(data)
    (bad / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    held = HeldPack(link, Maker())
    first = held.current
    point(link, bad)
    held.look()
    assert (held.current, held.problem) == (first, "golden_answers")


def test_a_refused_pack_is_not_tried_again_until_it_changes(
    link: Path, other_pack_folder: Path, other_pack: Pack, tmp_path: Path
) -> None:
    tried: list[str] = []

    def make(pack: Pack) -> str:
        tried.append(pack.id)
        if len(tried) == 2:
            raise RuntimeError("a fault of the application")
        return ""

    held = HeldPack(link, make)
    bad = Path(shutil.copytree(other_pack_folder, tmp_path / "bad"))
    point(link, bad)
    for _ in range(5):
        held.look()
    assert (held.problem, len(tried)) == ("fault", 2)
    data = (bad / "card.json").read_bytes()
    (bad / "card.json").unlink()
    (bad / "card.json").write_bytes(data)
    held.look()
    assert (held.problem, held.current.pack.id) == (None, other_pack.id)


def test_a_pack_mended_in_its_place_is_served(
    link: Path, other_pack_folder: Path, other_pack: Pack, tmp_path: Path
) -> None:
    held = HeldPack(link, Maker())
    bad = spoilt(other_pack_folder, tmp_path / "bad")
    point(link, bad)
    held.look()
    assert held.problem == "digest"
    shutil.copy2(other_pack_folder / "calibration.json", bad)  # sets the time of modification back
    held.look()
    assert (held.problem, held.current.pack.id) == (None, other_pack.id)


def test_a_pinned_pack_is_never_swapped(link: Path, pack: Pack, other_pack_folder: Path) -> None:
    held = HeldPack(link, Maker(), pack_id=pack.id)
    held.start()
    point(link, other_pack_folder)
    time.sleep(0.7)
    held.stop()
    assert (held.current.pack.id, held.problem) == (pack.id, None)
    with pytest.raises(Refused, match=r"manifest\.json: the pack's id is"):
        HeldPack(link, Maker(), pack_id=pack.id)


def test_while_it_is_started_it_looks_by_itself(link: Path, pack_folder: Path, other_pack_folder: Path) -> None:
    held: HeldPack[str] = HeldPack(link, Maker())
    first: Loaded[str] = held.current
    held.start()
    try:
        point(link, other_pack_folder)
        until = time.monotonic() + 5
        while held.current is first and time.monotonic() < until:
            time.sleep(0.01)
        assert held.current is not first
    finally:
        held.stop()
    second = held.current
    point(link, pack_folder)
    time.sleep(0.7)
    assert held.current is second


def test_a_pack_that_was_dropped_leaves_the_memory(link: Path, tmp_path: Path, pack_folder: Path) -> None:
    """Nothing of a pack refers to itself: what is no longer held goes at once, without a collection."""
    import gc
    import json

    def version(number: int) -> Path:
        """The same pack under another name, so with another id."""
        folder = Path(shutil.copytree(pack_folder, tmp_path / f"pack{number}"))
        manifest = json.loads((folder / "manifest.json").read_bytes())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "name": f"name-{number}"}), "utf-8")
        return folder

    held = HeldPack(link, rendered)
    gc.collect()
    gc.disable()
    try:
        counts = []
        for number in range(6):
            point(link, version(number))
            held.look()
            assert held.problem is None
            counts.append(sum(isinstance(item, Pack) for item in gc.get_objects()))
    finally:
        gc.enable()
    assert len(set(counts[1:])) == 1
