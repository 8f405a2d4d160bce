"""The pack: what training makes, MLflow keeps, service and batch load. Data only, no code, nothing pickled.

A folder of the files in `FILES` and ``manifest.json``, which holds name, size and sha256 of each. The pack's id is
the sha256 of the manifest, so the same cohort, seed and versions give the same id. Loading reads each file once and
checks name, size and digest **before** a parser sees a byte; then it replays the golden answers and refuses a pack
that answers otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model.canonical import canonical_json
from model.contents import BOOSTERS, Contents, decode, encode, parse_json, reading
from model.golden import GoldenAnswer, replay
from model.predictor import Predictor

FORMAT = 3  # 2: least-squares changes (decisions/0015), and nothing of how Treg values were measured (0016)
MANIFEST = "manifest.json"
LARGEST_FILE = 256 * 2**20
LARGEST_MANIFEST = 2**20
FILES = (
    "applicability.json",
    "calibration.json",
    "card.json",
    "golden.json",
    "model.json",
    "tables.npz",
    *(f"{name}.json" for name in BOOSTERS),
)


# Why a pack is refused: it cannot be read, is not what its manifest or its id says, is no model that this version
# knows, answers otherwise than when it was made, or (where it is served) others than its owner may write it.
RefusalCode = Literal["unreadable", "digest", "contents", "golden_answers", "writable_by_others"]


class Refused(ValueError):
    """A pack that is not what its manifest says, or does not answer as it did when it was made.

    >>> Refused("card.json: 7 bytes, the manifest says 8").code
    'digest'
    """

    def __init__(self, words: str, code: RefusalCode = "digest") -> None:
        self.code = code
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class Pack:
    """A verified pack: its id, its card (trained on what, how good, for what), and the predictor it holds."""

    id: str
    card: Mapping[str, object]
    predictor: Predictor
    golden: tuple[GoldenAnswer, ...]


def write_pack(folder: Path, contents: Contents) -> str:
    """Write a pack into ``folder`` (new or empty) and return its id.

    Raises:
        FileExistsError: the folder holds something.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; a pack needs a folder of its own")
    files = encode(contents)
    manifest = _manifest(contents, files)
    for name, data in {**files, MANIFEST: manifest}.items():
        (folder / name).write_bytes(data)
    keep_from_others(folder)
    return hashlib.sha256(manifest).hexdigest()


def keep_from_others(folder: Path) -> None:
    """Let nobody but the owner write a pack folder and its files, whatever the umask: the service asks for that."""
    for path in (folder, *folder.iterdir()):
        path.chmod(path.stat().st_mode & 0o755)


def load_pack(folder: Path, *, expected_id: str | None = None) -> Pack:
    """Verify a pack folder, load it, and replay its golden answers.

    Args:
        folder: the pack folder.
        expected_id: the id it must have, where the caller knows it from elsewhere.

    Raises:
        Refused: with the file and the rule it breaks.
    """
    with _refusing(folder):
        pack_id, files = _read_files(folder, expected_id)
        contents = decode(files)
        predictor = contents.predictor(pack_id)
        with reading("golden.json"):
            wrong = replay(predictor, contents.golden)
    if wrong:
        raise Refused(f"golden.json: golden answers differ: {'; '.join(wrong[:3])}", "golden_answers")
    return Pack(pack_id, contents.card, predictor, contents.golden)


def verify_files(folder: Path) -> str:
    """The id of a pack folder, once names, sizes and digests are what the manifest says. No model is parsed.

    Raises:
        Refused: with the file and the rule it breaks.
    """
    with _refusing(folder):
        return _read_files(folder, None)[0]


@contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(f"{error.filename or folder}: {error.strerror or error}", "unreadable") from error
    except Refused:
        raise
    except ValueError as error:
        raise Refused(f"{error} (not what format {FORMAT} asks)", "contents") from error


def _read_files(folder: Path, expected_id: str | None) -> tuple[str, dict[str, bytes]]:
    """The pack's id and its verified files."""
    manifest = _read(folder, MANIFEST, LARGEST_MANIFEST)
    pack_id = hashlib.sha256(manifest).hexdigest()
    if expected_id is not None and pack_id != expected_id:
        raise Refused(f"{MANIFEST}: the pack's id is {pack_id}, not {expected_id} as expected")
    return pack_id, _verified(folder, _listed(manifest))


def _manifest(contents: Contents, files: Mapping[str, bytes]) -> bytes:
    return canonical_json(
        {
            "format": FORMAT,
            "name": contents.name,
            "cohort_digest": contents.cohort_digest,
            "versions": dict(contents.versions),
            "files": {
                name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, data in files.items()
            },
        }
    )


def _listed(manifest: bytes) -> dict[str, tuple[int, str]]:
    with reading(MANIFEST):
        table = parse_json(manifest)
        if table["format"] != FORMAT:
            raise Refused(
                f"{MANIFEST}: format {table['format']!r} is not the format {FORMAT} that this version reads; "
                "train the model again with this version, or answer with the version that made it",
                "contents",
            )
        listed = {name: (int(entry["size"]), str(entry["sha256"])) for name, entry in table["files"].items()}
    if set(listed) != set(FILES):
        odd = sorted(set(listed) ^ set(FILES))
        raise Refused(f"{MANIFEST}: missing or unexpected files {odd}")
    return listed


def _verified(folder: Path, listed: Mapping[str, tuple[int, str]]) -> dict[str, bytes]:
    strange = sorted(path.name for path in folder.iterdir() if path.name not in {MANIFEST, *listed})
    if strange:
        raise Refused(f"{strange[0]}: not in the manifest")
    files: dict[str, bytes] = {}
    for name, (size, digest) in listed.items():
        data = _read(folder, name, LARGEST_FILE)
        if len(data) != size:
            raise Refused(f"{name}: {len(data)} bytes, the manifest says {size}")
        if hashlib.sha256(data).hexdigest() != digest:
            raise Refused(f"{name}: its sha256 is not the one in the manifest")
        files[name] = data
    return files


def _read(folder: Path, name: str, most: int) -> bytes:
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise Refused(f"{name}: not a regular file of the pack", "unreadable")
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise Refused(f"{name}: larger than {most} bytes")
    return data
