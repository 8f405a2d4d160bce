"""Packs that were spoilt, by accident or on purpose: each is a change to a folder, with its name and its kind."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MANIFEST = "manifest.json"
Change = Callable[[Path, random.Random], str]


@dataclass(frozen=True)
class Kind:
    """A way to spoil. ``sealed``: all digests are made right again, so only the contents can tell."""

    name: str
    change: Change
    sealed: bool = False


def spoil(kind: Kind, folder: Path, rng: random.Random) -> str:
    """Spoil a copy of a pack; what was done, in words."""
    manifest = (folder / MANIFEST).read_bytes()
    said = kind.change(folder, rng)
    if kind.sealed:
        _seal(folder, json.loads(manifest))
    return f"{kind.name}: {said}"


def _seal(folder: Path, manifest: dict[str, Any]) -> None:
    for name, entry in manifest["files"].items():
        data = (folder / name).read_bytes()
        entry.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")


def _any_file(folder: Path, rng: random.Random) -> Path:
    return rng.choice(sorted(folder.iterdir()))


def _listed(folder: Path, rng: random.Random) -> Path:
    return rng.choice([path for path in sorted(folder.iterdir()) if path.name != MANIFEST])


def _flip(folder: Path, rng: random.Random) -> str:
    path = _any_file(folder, rng)
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 2, 9])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(data))
    return path.name


def _flip_sealed(folder: Path, rng: random.Random) -> str:
    path = folder / "tables.npz"
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data))
    data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(data))
    return f"{path.name} at {at}"


def _cut(folder: Path, rng: random.Random) -> str:
    path = _any_file(folder, rng)
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))])
    return path.name


def _grow(folder: Path, rng: random.Random) -> str:
    path = _any_file(folder, rng)
    more = rng.choice([b"\0", b"{}", path.read_bytes(), b"\x80\x04."])
    path.write_bytes(path.read_bytes() + more)
    return path.name


def _swap(folder: Path, rng: random.Random) -> str:
    whole: dict[Path, bytes] = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    first = rng.choice(list(whole))
    second = rng.choice([path for path in whole if whole[path] != whole[first]])
    first.write_bytes(whole[second])
    second.write_bytes(whole[first])
    return f"{first.name} and {second.name}"


def _add(folder: Path, rng: random.Random) -> str:
    name = rng.choice(["model.pkl", "__init__.py", ".hidden", "MANIFEST.json", "x" * 200, "model.json~", "é.json"])
    (folder / name).write_bytes(rng.choice([b"", b"import os", b"\x80\x04."]))
    return name[:20]


def _add_folder(folder: Path, rng: random.Random) -> str:
    name = rng.choice(["code", "__pycache__", ".git"])
    (folder / name).mkdir()
    return name


def _remove(folder: Path, rng: random.Random) -> str:
    path = _any_file(folder, rng)
    path.unlink()
    return path.name


def _replace_by_link(folder: Path, rng: random.Random) -> str:
    path = _any_file(folder, rng)
    target = rng.choice([folder.parent / "elsewhere", Path("/dev/zero"), Path("/etc/hostname"), path])
    if target.name == "elsewhere":
        shutil.copy(path, target)
    path.unlink()
    path.symlink_to(target)
    return f"{path.name} -> {target.name}"


def _replace_by_folder(folder: Path, rng: random.Random) -> str:
    path = _any_file(folder, rng)
    path.unlink()
    path.mkdir()
    return path.name


def _numbers(value: Any) -> list[tuple[Any, Any]]:
    """Where numbers stand in a JSON value."""
    found, waiting = [], [value]
    while waiting:
        holder = waiting.pop()
        for key, item in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            if isinstance(item, (dict, list)):
                waiting.append(item)
            elif isinstance(item, (int, float)) and not isinstance(item, bool):
                found.append((holder, key))
    return found


def _edit(folder: Path, rng: random.Random) -> str:
    """One number of a JSON file that answers are computed from."""
    path = folder / rng.choice(["model.json", "calibration.json", "applicability.json", "golden.json"])
    value = json.loads(path.read_bytes())
    holder, key = rng.choice(_numbers(value))
    before = holder[key]
    holder[key] = rng.choice(
        [before * 1.01 + 1e-3, -before - 1, 1e308, float("nan"), float("inf"), 10**400, "1", None]
    )
    path.write_text(json.dumps(value), "utf-8")
    return f"{path.name} {key}: {before!r} -> {str(holder[key])[:20]}"


def _edit_and_digest(folder: Path, rng: random.Random) -> str:
    """A file is changed, and half of what the manifest says of it."""
    said = _edit(folder, rng)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    name = said.split()[0]
    data = (folder / name).read_bytes()
    entry = manifest["files"][name]
    half = {"size": len(data)} if rng.random() < 0.5 else {"sha256": hashlib.sha256(data + b" ").hexdigest()}
    manifest["files"][name] = {**entry, **half}
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    return said


def _edit_manifest(folder: Path, rng: random.Random) -> str:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    name = rng.choice(sorted(manifest["files"]))
    act = rng.randrange(8)
    if act == 0:
        manifest["format"] = rng.choice([0, 1, 2, "3", None, True, 10**400, 2.5, [2]])
    elif act == 1:
        manifest["files"][name]["sha256"] = rng.choice(["0" * 64, "", None, 7, [], "x" * 10**6])
    elif act == 2:
        manifest["files"][name]["size"] = rng.choice([0, -1, 10**400, None, "x", float("nan"), float("inf"), []])
    elif act == 3:
        del manifest["files"][name]
    elif act == 4:
        manifest["files"]["../" + name] = manifest["files"].pop(name)
    elif act == 5:
        del manifest[rng.choice(["files", "format"])]
    elif act == 6:
        manifest["files"][name] = rng.choice([None, 1, [], "x", {}])
    else:
        manifest["files"] = rng.choice([None, [], 1, {}, "x"])
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    return f"{act} {name}"


def _deep(folder: Path, rng: random.Random) -> str:
    return _deep_in(folder / rng.choice([MANIFEST, "model.json", "card.json", "golden.json"]), rng)


def _deep_below(folder: Path, rng: random.Random) -> str:
    return _deep_in(folder / rng.choice(["model.json", "card.json", "golden.json"]), rng)


def _deep_in(path: Path, rng: random.Random) -> str:
    depth = rng.choice([2000, 100_000])
    path.write_bytes(rng.choice([b"[" * depth, b'{"a":' * depth + b"1" + b"}" * depth]))
    return path.name


def _not_json(folder: Path, rng: random.Random) -> str:
    path = rng.choice([folder / name for name in ("model.json", "card.json", "golden.json", "calibration.json")])
    path.write_bytes(
        rng.choice([b"", b"\x80\x04K\x01.", b"\xff\xfe{}", b"{", b"null", b"[]", b"1" * 5000, b"nan", b'"x"'])
    )
    return path.name


def _rename(folder: Path, rng: random.Random) -> str:
    path = folder / "model.json"
    model = json.loads(path.read_bytes())
    columns = model["columns"]
    at, other = rng.sample(range(len(columns)), 2)
    act = rng.randrange(4)
    if act == 0:
        columns[at] = rng.choice(["unknown", "", None, 7, columns[at].upper(), f"{columns[at]} "])
    elif act == 1:
        columns[at] = columns[other]
    elif act == 2:
        del columns[at]
    else:
        model["scale"] = rng.choice(["alsfrs", "", None, 48])
    path.write_text(json.dumps(model), "utf-8")
    return f"{act} {at}"


def _edit_tables(folder: Path, rng: random.Random) -> str:
    path, buffer = folder / "tables.npz", io.BytesIO()
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files}
    key = rng.choice(sorted(arrays))
    act = rng.randrange(5)
    if act == 0:
        del arrays[key]
    elif act == 1:
        arrays[key] = arrays[key].astype(rng.choice([np.float16, np.complex128, "U5"]))
    elif act == 2:
        arrays[key] = arrays[key][None] if arrays[key].ndim == 0 else arrays[key][:-1]
    elif act == 3:
        arrays[f"{key}x"] = arrays.pop(key)
    else:
        arrays[key] = np.full_like(arrays[key], True if arrays[key].dtype == bool else 10**6)
        if np.array_equal(arrays[key], np.load(path)[key]):
            del arrays[key]
    np.savez_compressed(buffer, **arrays)
    path.write_bytes(buffer.getvalue())
    return f"{act} {key}"


def _drop_key(folder: Path, rng: random.Random) -> str:
    path = folder / rng.choice(["model.json", "applicability.json", "calibration.json"])
    value = json.loads(path.read_bytes())
    key = rng.choice(sorted(value))
    value[rng.choice(["", key.upper()])] = value.pop(key)
    path.write_text(json.dumps(value), "utf-8")
    return f"{path.name} {key}"


def _words(folder: Path, rng: random.Random) -> str:
    """What only people read, and what only training reads again: nothing in the pack contradicts it."""
    name, key = rng.choice(
        [
            ("model.json", "statement"),
            ("model.json", "cohort_digest"),
            ("card.json", "limits"),
            ("location.json", ""),
        ]
    )
    value = json.loads((folder / name).read_bytes())
    if key:
        value[key] = "Trained on patients." if name == "model.json" else ["None."]
    (folder / name).write_text(json.dumps(value), "utf-8")
    return f"{name} {key}"


UNSEALED = (
    *(Kind("bits flipped", _flip), Kind("cut", _cut), Kind("grown", _grow), Kind("files swapped", _swap)),
    *(Kind("file added", _add), Kind("folder added", _add_folder), Kind("file removed", _remove)),
    *(Kind("link", _replace_by_link), Kind("folder for a file", _replace_by_folder)),
    *(Kind("number edited", _edit), Kind("edited, half of its entry too", _edit_and_digest)),
    *(Kind("manifest edited", _edit_manifest), Kind("deep nesting", _deep), Kind("no JSON", _not_json)),
    *(Kind("feature renamed", _rename), Kind("tables edited", _edit_tables), Kind("key renamed", _drop_key)),
)
SEALED = (
    *(Kind("number edited, sealed", _edit, True), Kind("key renamed, sealed", _drop_key, True)),
    *(Kind("deep nesting, sealed", _deep_below, True), Kind("no JSON, sealed", _not_json, True)),
    *(Kind("feature renamed, sealed", _rename, True), Kind("tables edited, sealed", _edit_tables, True)),
    *(Kind("bits of the tables flipped, sealed", _flip_sealed, True), Kind("words, sealed", _words, True)),
)
