"""Settings of the trail are usable or name all that is wrong, and no password; a key is random and kept secret."""

from __future__ import annotations

import hmac
from hashlib import sha256
from pathlib import Path

import pytest

from service.audit.key import make_key, read_key
from service.audit.settings import AuditSettings, read_audit_settings
from service.audit.store_uri import PostgresUri, SqliteUri
from service.audit.trail import AuditTrail, open_trail
from service.settings import Unusable
from tests.service.audit.trails import append, entry, request_ids

SECRET_URI = "postgresql://tregcast:hunter2@db/audit"


def test_all_set() -> None:
    found = read_audit_settings(
        {
            "TREGCAST_AUDIT": SECRET_URI,
            "TREGCAST_AUDIT_KEY": "/run/key",
            "TREGCAST_AUDIT_ANCHOR": "/var/head",
            "TREGCAST_AUDIT_DEADLINE": "0.5",
        }
    )
    assert found == AuditSettings(PostgresUri(SECRET_URI), Path("/run/key"), Path("/var/head"), 0.5)
    assert "hunter2" not in repr(found)


def test_defaults() -> None:
    found = read_audit_settings({"TREGCAST_AUDIT": "sqlite:///a/b.db", "TREGCAST_AUDIT_KEY": "k"})
    assert found == AuditSettings(SqliteUri(Path("a/b.db")), Path("k"), Path("a/b.db.head"), 2.0)
    found = read_audit_settings({"TREGCAST_AUDIT": SECRET_URI, "TREGCAST_AUDIT_KEY": "k"})
    assert found is not None
    assert found.anchor is None


def test_off() -> None:
    assert read_audit_settings({"TREGCAST_AUDIT": "off"}) is None


@pytest.mark.parametrize(
    "value", ["", "Off", "audit.db", "sqlite://audit.db", "sqlite:///", "mysql://u:hunter2@db/x"]
)
def test_a_store_that_is_none(value: str) -> None:
    with pytest.raises(Unusable, match=r"^TREGCAST_AUDIT is not a store; set sqlite:///FILE") as caught:
        read_audit_settings({"TREGCAST_AUDIT": value, "TREGCAST_AUDIT_KEY": "k"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["", "0", "0.04", "-1", "61", "nan", "two"])
def test_a_deadline_that_is_none(value: str) -> None:
    known = {"TREGCAST_AUDIT": SECRET_URI, "TREGCAST_AUDIT_KEY": "k", "TREGCAST_AUDIT_DEADLINE": value}
    rule = "is not a number of seconds from 0.05 to 60"
    with pytest.raises(Unusable, match=f"^TREGCAST_AUDIT_DEADLINE = '{value}' {rule}"):
        read_audit_settings(known)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = {"TREGCAST_AUDIT_KEY": " ", "TREGCAST_AUDIT_ANCHOR": "", "TREGCAST_AUDIT_DEADLINE": "x"}
    with pytest.raises(Unusable) as caught:
        read_audit_settings({**wrong, "TREGCAST_AUDIT": "x"})
    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["TREGCAST_AUDIT", *wrong]
    with pytest.raises(Unusable, match="TREGCAST_AUDIT_KEY is not set; make a key with `tregcast audit key FILE`"):
        read_audit_settings({"TREGCAST_AUDIT": SECRET_URI})


def test_a_key_of_one_s_own(tmp_path: Path) -> None:
    file = tmp_path / "key"
    make_key(file)
    secret = file.read_bytes()
    assert (len(secret), file.stat().st_mode & 0o777) == (32, 0o600)
    with pytest.raises(FileExistsError):
        make_key(file)
    key = read_key(file)
    assert key.digest(b"sent") == f"hmac-sha256:{key.name}:{hmac.new(secret, b'sent', sha256).hexdigest()}"
    make_key(tmp_path / "other")
    assert read_key(tmp_path / "other").digest(b"sent") != key.digest(b"sent")


@pytest.mark.parametrize("content", [b"", bytes(range(31)), bytes(32), b"a" * 64])
def test_a_key_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(
        Unusable, match=r"^TREGCAST_AUDIT_KEY = '.*/key' holds fewer than 32 random bytes; make one"
    ):
        read_key(tmp_path / "key")


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    settings = AuditSettings(SqliteUri(tmp_path / "audit.db"), tmp_path / "key", None)
    with pytest.raises(Unusable, match=r"cannot be read .No such file or directory.; make one with"):
        open_trail(settings, made_by="tregcast 0.1.0")
    with pytest.raises(Unusable, match="Is a directory"):
        read_key(tmp_path)


def test_a_trail_of_settings(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    uri = SqliteUri(tmp_path / "audit.db")
    made = open_trail(AuditSettings(uri, tmp_path / "key", tmp_path / "anchor"), made_by="tregcast 0.1.0")
    assert isinstance(made, AuditTrail)
    append(made, [entry("a")])
    made.close()
    assert request_ids(uri) == ["a"]
    assert (tmp_path / "anchor").read_bytes().startswith(b"tregcast-audit-head ")
