"""A thousand spoilt packs: refused, each with a code, and nothing of them parsed where a digest is wrong."""

from __future__ import annotations

import json
import random
import resource
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

from features.problem import Rejected
from model import contents
from model.pack import Refused, load_pack
from model.predictor import Predictor
from tests.proof.many_patients import answered
from tests.proof.random_patients import RandomPatients
from tests.proof.scale import scaled
from tests.proof.spoilt_packs import SEALED, UNSEALED, spoil

CODES = {"unreadable", "digest", "contents", "golden_answers"}
MOST_SECONDS = 60  # of one pack, on a busy machine
MOST_GROWTH_KIB = 400 * 1024


def attempt(folder: Path, spoilt: Path, kind_number: int, sealed: bool, seed: int) -> tuple[str, str | Predictor]:
    """What was done, and the code of the refusal, or the predictor where it was taken."""
    shutil.rmtree(spoilt, ignore_errors=True)
    shutil.copytree(folder, spoilt, symlinks=True)
    said = spoil((SEALED if sealed else UNSEALED)[kind_number], spoilt, random.Random(seed))
    started = time.monotonic()
    try:
        found: str | Predictor = load_pack(spoilt).predictor
    except Refused as error:
        found = error.code
    assert time.monotonic() - started < MOST_SECONDS, said
    return said, found


@pytest.mark.slow
def test_packs_whose_digests_are_wrong_are_refused_before_they_are_parsed(
    pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    decode = contents.decode
    monkeypatch.setattr("model.pack.decode", lambda files: parsed.append("decoded") or decode(files))
    codes: Counter[str] = Counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(scaled(1000, least=102)):
        said, found = attempt(pack_folder, tmp_path / "pack", number % len(UNSEALED), False, number)
        assert found in CODES, said
        assert parsed == [], said
        codes[str(found)] += 1
    print(f"refused {dict(codes)}")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_GROWTH_KIB
    load_pack(pack_folder)
    assert parsed, "a sound pack is decoded where this test looks"


@pytest.mark.slow
def test_packs_that_are_sealed_again_are_refused_or_answer_the_same(pack_folder: Path, tmp_path: Path) -> None:
    """All digests are right, as only somebody who writes a pack could make them, and no id is asked for.

    What is taken must be one of the kinds that nothing in the pack can tell; and unless it was a number that no
    golden record comes to, it answers patients as the sound pack does.
    """
    codes: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    other: Counter[str] = Counter()
    pack_id = load_pack(pack_folder).id
    sound, patients = load_pack(pack_folder).predictor, RandomPatients(pack_folder)
    records = [patients.record(number) for number in range(40)]
    expected = [numbers(sound, record) for record in records]
    for number in range(scaled(1000, least=64)):
        said, found = attempt(pack_folder, tmp_path / "pack", number % len(SEALED), True, number)
        with pytest.raises(Refused):  # whoever knows the id of the pack is never deceived
            load_pack(tmp_path / "pack", expected_id=pack_id)
        if isinstance(found, str):
            assert found in CODES, said
            codes[found] += 1
            continue
        same = [numbers(found, record) for record in records] == expected
        (taken if same else other)[said.split(":")[0]] += 1
        if not same:
            print("answers otherwise:", said)
    print(f"refused {dict(codes)}; taken, same answers {dict(taken)}; taken, other answers {dict(other)}")
    assert set(taken) <= {"words, sealed", "number edited, sealed", "bits of the tables flipped, sealed"}
    assert set(other) <= {"number edited, sealed"}


def numbers(predictor: Predictor, record: dict[str, object]) -> str:
    try:
        answer = answered(predictor, record)
    except Rejected:
        return "rejected"
    return json.dumps({key: value for key, value in answer.items() if key not in ("pack", "statement")})
