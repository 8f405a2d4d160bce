"""A pack that was spoilt on its way is refused before a parser sees a byte of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.pack import FILES, LARGEST_FILE, LARGEST_MANIFEST, MANIFEST, Refused, load_pack

if TYPE_CHECKING:
    from tests.conftest import Trained


@pytest.mark.parametrize("where", ["first", "middle", "last"])
@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_one_changed_byte(trained: Trained, folder: Path, name: str, where: str) -> None:
    data = bytearray((folder / name).read_bytes())
    at = {"first": 0, "middle": len(data) // 2, "last": len(data) - 1}[where]
    data[at] ^= 1
    (folder / name).write_bytes(bytes(data))
    with pytest.raises(Refused) as refused:
        load_pack(folder, expected_id=trained.pack.id)
    assert name in str(refused.value)
    with pytest.raises(Refused):  # nor without an id to hold it to
        load_pack(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0, 0.5, -1])
def test_truncated(folder: Path, name: str, kept: float) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * kept)] if kept >= 0 else data[:-1])
    with pytest.raises(Refused, match=rf"{name}: \d+ bytes, the manifest says {len(data)}"):
        load_pack(folder)


def test_grown(folder: Path) -> None:
    with (folder / "card.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(Refused, match=r"card\.json: \d+ bytes"):
        load_pack(folder)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(Refused, match=f"{name}: not a regular file"):
        load_pack(folder)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"manifest\.json: not a regular file"):
        load_pack(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["__init__.py", "model.pkl", ".hidden", "Card.json"])
def test_an_extra_file(folder: Path, name: str) -> None:
    (folder / name).write_text("", "utf-8")
    with pytest.raises(Refused, match=f"{name}: not in the manifest"):
        load_pack(folder)


def test_an_extra_folder(folder: Path) -> None:
    (folder / "code").mkdir()
    with pytest.raises(Refused, match="code: not in the manifest"):
        load_pack(folder)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_link_in_place_of_a_file(folder: Path, tmp_path: Path, name: str) -> None:
    """Even one to the very same bytes: what it points to may change after the check."""
    elsewhere = tmp_path / "elsewhere"
    (folder / name).rename(elsewhere)
    (folder / name).symlink_to(elsewhere)
    with pytest.raises(Refused, match=f"{name}: not a regular file"):
        load_pack(folder)


def test_a_folder_in_place_of_a_file(folder: Path) -> None:
    (folder / "model.json").unlink()
    (folder / "model.json").mkdir()
    with pytest.raises(Refused, match=r"model\.json: not a regular file"):
        load_pack(folder)


@pytest.mark.parametrize(("name", "most"), [(MANIFEST, LARGEST_MANIFEST), ("tables.npz", LARGEST_FILE)])
def test_larger_than_any_pack(folder: Path, name: str, most: int) -> None:
    with (folder / name).open("r+b") as file:
        file.truncate(most + 1)  # sparse: no disk is used
    with pytest.raises(Refused, match=f"{name}: larger than {most} bytes"):
        load_pack(folder)


# ----------------------------------------------------------------------------------------------------- the manifest


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (b"", "manifest.json: "),
        (b"pickle", "manifest.json: "),
        (b"\x80\x04K\x01.", "manifest.json: "),
        (b"[]", "manifest.json: "),
        (b"null", "manifest.json: "),
        (b'{"format": 3}', "manifest.json: KeyError('files')"),
        (b'{"format": 3, "files": []}', "manifest.json: "),
        (b'{"format": 3, "files": {}}', "manifest.json: missing or unexpected files"),
        (b'{"format": 3, "files": {"../x": {"size": 1, "sha256": ""}}}', "missing or unexpected files"),
        (b'{"format": 3, "files": {"model.json": 5}}', "manifest.json: "),
        (b'{"format": 3, "files": {"model.json": {"size": NaN, "sha256": ""}}}', "NaN is not a number in JSON"),
        (b'{"format": 3, "files": {"model.json": {"size": 1e999, "sha256": ""}}}', "manifest.json: "),
        (
            b'{"format": 2, "files": {}}',
            "manifest.json: format 2 is not the format 3 that this version reads; ",
        ),
        (b'{"format": "3", "files": {}}', "manifest.json: format '3' is not the format 3"),
        (b"[" * 100_000, "manifest.json: "),
    ],
)
def test_a_manifest_that_is_none(folder: Path, manifest: bytes, says: str) -> None:
    (folder / MANIFEST).write_bytes(manifest)
    with pytest.raises(Refused) as refused:
        load_pack(folder)
    assert says in str(refused.value)


def test_a_manifest_that_leaves_a_file_out(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    del manifest["files"]["golden.json"]
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(Refused, match=r"manifest\.json: missing or unexpected files \['golden\.json'\]"):
        load_pack(folder)
