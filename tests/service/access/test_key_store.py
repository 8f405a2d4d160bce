"""The store of keys: what is in it, who may write it, and several writers at once."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from stat import S_IMODE

import pytest

from service.access.access import Access
from service.access.grant import Grant
from service.access.key_store import StoreError, add, every, revoke
from tests.service.access.conftest import NOW, header, made, refused

ROOT = Path(__file__).parents[3]
GRANT = Grant("ward 7", frozenset({"predict", "batch"}), 30, 60)


def test_a_key_has_256_bits_after_an_id_and_no_two_are_the_same(store: Path) -> None:
    texts = [made(store) for _ in range(50)]
    found = [re.fullmatch(r"tregcast_([0-9a-f]{8})_([A-Za-z0-9_-]{43})", text) for text in texts]
    assert [key.id for key in sorted(every(store), key=lambda key: key.id)] == sorted(
        match[1] for match in found if match
    )
    assert len({match[2] for match in found if match}) == 50


def test_the_file_holds_a_digest_and_nowhere_the_key(store: Path) -> None:
    text, key = add(store, GRANT, NOW)
    assert key.digest == hashlib.sha256(text.encode()).digest()
    for file in store.parent.iterdir():
        assert text[18:].encode() not in file.read_bytes()
    with sqlite3.connect(store) as connection:
        (row,) = connection.execute("SELECT * FROM keys").fetchall()
    connection.close()
    assert row[:7] == (key.id, "ward 7", "predict batch", 60, int(NOW), int(NOW) + 30 * 86_400, None)
    assert len(row) == 8
    assert text[18:] not in repr(key)
    assert key.digest.hex() not in repr(key)
    assert every(store) == [key]


def test_the_file_is_for_its_owner_alone_whatever_the_umask(store: Path) -> None:
    code = (
        "import os, sys; os.umask(0); from tests.service.access.conftest import made, Path; made(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(store)], cwd=ROOT, check=True)
    assert S_IMODE(store.stat().st_mode) == 0o600


def test_two_processes_that_add_at_once_lose_no_key(store: Path) -> None:
    code = """
import sys
from tests.service.access.conftest import made, Path
for _ in range(25): print(made(Path(sys.argv[1])))
"""
    command = [sys.executable, "-c", code, str(store)]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    texts = [line for process in processes for line in process.communicate(timeout=30)[0].split()]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(key.id for key in every(store)) == sorted(text[9:17] for text in texts)
    assert len(texts) == 50


def test_revoking_is_for_ever_and_keeps_the_first_time(store: Path) -> None:
    key_id = made(store)[9:17]
    before, again = revoke(store, key_id, NOW + 5), revoke(store, key_id, NOW + 9)
    assert before is not None
    assert again is not None
    assert (before.revoked, again.revoked) == (None, int(NOW) + 5)
    assert [(key.revoked, key.state(NOW)) for key in every(store)] == [(int(NOW) + 5, "revoked")]
    assert revoke(store, "00000000", NOW) is None


def test_what_is_no_store_is_refused_and_left_as_it_is(store: Path, tmp_path: Path) -> None:
    store.write_bytes(b"not a database, but quite as long as the header of one is" * 20)
    before = store.read_bytes()
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()
    for path in (store, other):
        with pytest.raises(StoreError, match=r"^it is not a store of keys"):
            add(path, GRANT, NOW)
        with pytest.raises(StoreError, match=r"^it is not a store of keys"):
            every(path)
    assert store.read_bytes() == before
    with pytest.raises(StoreError, match="it is missing"):
        every(tmp_path / "nothing")
    with pytest.raises(StoreError, match="it is missing"):
        add(tmp_path / "no folder" / "keys", GRANT, NOW)
    assert not (tmp_path / "nothing").exists()


def test_a_store_that_others_may_write_is_refused(store: Path) -> None:
    made(store)
    store.chmod(0o602)
    with pytest.raises(StoreError, match=r"^other users may write it: chmod 600$"):
        every(store)


def test_a_writer_killed_in_the_middle_leaves_what_was_before_once_the_store_is_mended(
    store: Path, by_key: Access
) -> None:
    text = made(store)
    by_key.admit(header(text), "predict", NOW)
    code = """
import os, signal, sys
from service.access.key_store import _writing
from tests.service.access.conftest import Path
with _writing(Path(sys.argv[1])) as connection:
    connection.execute("UPDATE keys SET scopes = 'admin'")
    connection.execute("PRAGMA cache_spill = 1"); connection.execute("PRAGMA cache_size = 1")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)"
    connection.execute(f"CREATE TABLE t AS {numbers} SELECT i, hex(randomblob(200)) FROM n")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code, str(store)], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert store.with_name(store.name + "-journal").exists()
    assert refused(by_key, text, "admin", now=NOW + 1) == 503  # a reader cannot undo what was half done
    assert [key.scopes for key in every(store)] == [{"predict"}]
    assert refused(by_key, text, "admin", now=NOW + 2) == 403
    assert by_key.admit(header(text), "predict", NOW + 2).kind == "key"
