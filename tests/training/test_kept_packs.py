"""Packs that are linked to, and the last ones that were, stay; nothing but packs is ever deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.kept_packs import drop_old, mark_used

IDS = tuple(f"{number:064x}" for number in range(8))


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    """Eight packs; the first was used longest ago."""
    for number, pack_id in enumerate(IDS):
        (tmp_path / pack_id).mkdir()
        (tmp_path / pack_id / "manifest.json").write_text("{}", "utf-8")
        os.utime(tmp_path / pack_id, (number, number))
    return tmp_path


def kept(packs: Path) -> list[int]:
    return [number for number, pack_id in enumerate(IDS) if (packs / pack_id).is_dir()]


@pytest.mark.parametrize("keep", [3, 5, 8, 100])
def test_the_last_ones_stay(packs: Path, keep: int) -> None:
    dropped = drop_old(packs, keep)
    assert kept(packs) == list(range(8))[-keep:]
    assert set(dropped) == set(IDS[:-keep])
    assert drop_old(packs, keep) == ()


def test_one_that_was_used_again_is_one_of_the_last(packs: Path) -> None:
    mark_used(packs / IDS[0])
    drop_old(packs, 3)
    assert kept(packs) == [0, 6, 7]


def test_what_any_link_points_to_stays_however_old(packs: Path) -> None:
    for number, alias in enumerate(("champion", "challenger", "canary", "other")):
        (packs / f"als-progression@{alias}").symlink_to(IDS[number])
    drop_old(packs, 3)
    assert kept(packs) == [0, 1, 2, 3]


def test_fewer_than_three_are_never_kept(packs: Path) -> None:
    with pytest.raises(ValueError, match="keep = 2 is below 3"):
        drop_old(packs, 2)
    assert kept(packs) == list(range(8))


def test_what_is_no_pack_is_left_alone_but_what_a_killed_process_left(packs: Path) -> None:
    names = ("notes", "F" * 64, "a" * 63, ".pull-7-new", ".pull-7-old", ".drop-old")
    for name in names:
        (packs / name).mkdir()
    for name in names:
        if not name.endswith("new"):
            os.utime(packs / name, (0, 0))
    (packs / "file").write_text("", "utf-8")
    (packs / "broken@champion").symlink_to("nothing")
    drop_old(packs, 8)
    others = {path.name for path in packs.iterdir()} - set(IDS)
    assert others == {"notes", "F" * 64, "a" * 63, ".pull-7-new", "file", "broken@champion"}
