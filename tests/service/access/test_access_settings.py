"""Who may call is said by the environment, wholly or not at all; nobody opens the service by oversight."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service.access.access import Access
from service.access.caller import OPEN
from service.access.settings import AccessSettings, read_access_settings, refuse_open
from service.settings import Unusable
from tests.service.access.conftest import NOW

ROOT = Path(__file__).parents[3]
KEYS = {"TREGCAST_KEYS": "/etc/keys"}
BEARER = {"TREGCAST_JWKS": "https://i/jwks", "TREGCAST_ISSUERS": "https://i  https://j", "TREGCAST_AUDIENCES": "a"}


def test_ways_to_know_callers() -> None:
    read = ("https://i/jwks", ("https://i", "https://j"), ("a",))
    assert read_access_settings({"OTHER": ""}) == AccessSettings()
    assert read_access_settings({"TREGCAST_AUTH": "off"}) == AccessSettings("off")
    assert read_access_settings({"TREGCAST_AUTH": "keys", **KEYS}) == AccessSettings("keys", Path("/etc/keys"))
    assert read_access_settings({"TREGCAST_AUTH": "bearer", **BEARER}) == AccessSettings("bearer", None, *read)
    both = read_access_settings({"TREGCAST_AUTH": "keys+bearer", **KEYS, **BEARER})
    assert both == AccessSettings("keys+bearer", Path("/etc/keys"), *read)


@pytest.mark.parametrize(
    ("environment", "starts"),
    [
        ({"TREGCAST_AUTH": "key"}, ["TREGCAST_AUTH = 'key' is not a way"]),
        ({"TREGCAST_AUTH": ""}, ["TREGCAST_AUTH = '' is not a way"]),
        ({"TREGCAST_AUTH": "OFF"}, ["TREGCAST_AUTH = 'OFF' is not a way"]),
        ({"TREGCAST_AUTH": "keys"}, ["TREGCAST_KEYS is required"]),
        ({"TREGCAST_AUTH": "keys", "TREGCAST_KEYS": " "}, ["TREGCAST_KEYS = ' ' is empty"]),
        ({"TREGCAST_AUTH": "keys", "TREGCAST_KEYS": "a\0"}, ["TREGCAST_KEYS = 'a\\x00' is empty or not printable"]),
        (KEYS, ["TREGCAST_KEYS is set and has no effect where TREGCAST_AUTH is off"]),
        ({"TREGCAST_AUTH": "bearer", **KEYS, **BEARER}, ["TREGCAST_KEYS is set and has no effect"]),
        ({"TREGCAST_AUTH": "keys+bearer"}, [f"{name} is required" for name in (*KEYS, *BEARER)]),
        ({"TREGCAST_AUTH": "bearer", **BEARER, "TREGCAST_ISSUERS": "", "TREGCAST_AUDIENCES": "\t"},
         ["TREGCAST_ISSUERS = '' is empty", "TREGCAST_AUDIENCES = '\\t' is empty"]),
        *(({"TREGCAST_AUTH": "bearer", **BEARER, "TREGCAST_JWKS": address},
           ["TREGCAST_JWKS is not an https address without user, password and fragment"])
          for address in ("http://i/jwks", "ftp://i", "file:///x", "https://", "https://u:secret@i/", "https://i/#x",
                          "https://i:x/", "HTTPS://i/", "https://[/")),
    ],
    ids=str,
)  # fmt: skip
def test_everything_that_is_wrong_is_said_at_once(environment: dict[str, str], starts: list[str]) -> None:
    with pytest.raises(Unusable) as caught:
        read_access_settings(environment)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(starts)
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_without_a_check_of_callers_this_machine_is_answered(host: str) -> None:
    refuse_open(host, AccessSettings())


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "", "10.1.2.3", "::ffff:0.0.0.0", "localhost.example", "127.0.0.1.example", "127.1", "*"],
)
def test_without_a_check_of_callers_no_other_is(host: str) -> None:
    with pytest.raises(Unusable, match="is not a loopback address"):
        refuse_open(host, AccessSettings())
    refuse_open(host, AccessSettings("keys", Path("keys")))


def test_off_admits_anybody_for_anything() -> None:
    access = Access(AccessSettings())
    for sent in (None, b"", b"Bearer x"):
        assert access.admit(sent, "admin", NOW) is OPEN
    access.close()


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("package", ["jwt", "cryptography"])
def test_bearer_tokens_without_their_package_do_not_start(package: str) -> None:
    code = f"""
import sys
sys.modules[{package!r}] = None  # as where it is not installed
from service.access.access import Access, AccessSettings
from service.settings import Unusable
Access(AccessSettings())
try:
    Access(AccessSettings("bearer", None, "jwks", ("i",), ("a",)))
except Unusable as error:
    print(error)
"""
    expected = f"TREGCAST_AUTH = 'bearer' needs {package}, which is not installed; pip install 'tregcast[access]'"
    assert python(code).startswith(expected)


def test_keys_load_neither_of_these_packages() -> None:
    code = """
import sys, pathlib
from service.access.access import Access, AccessSettings
Access(AccessSettings("keys", pathlib.Path("keys")))
import commands.keys
print({"jwt", "cryptography", "starlette", "bentoml"} & set(sys.modules))
"""
    assert python(code).strip() == "set()"
