"""Settings come from the environment, once, and are usable or name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.settings import Settings, Unusable, read_settings


def test_defaults() -> None:
    assert read_settings({}) == Settings(Path("mlruns/packs/als-progression@champion"), None)


def test_all_set() -> None:
    found = read_settings(
        {
            "TREGCAST_PACK": "/packs/a",
            "TREGCAST_PACK_ID": "ab" * 32,
            "OTHER": "",
        }
    )
    assert found == Settings(Path("/packs/a"), "ab" * 32)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TREGCAST_PACK", ""),
        ("TREGCAST_PACK", " "),
        ("TREGCAST_PACK_ID", ""),
        ("TREGCAST_PACK_ID", "AB" * 32),
        ("TREGCAST_PACK_ID", "ab" * 31),
    ],
)
def test_unusable(name: str, value: str) -> None:
    with pytest.raises(Unusable, match=f"^{name} = "):
        read_settings({name: value})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Unusable) as caught:
        read_settings({"TREGCAST_PACK": "", "TREGCAST_PACK_ID": "y"})
    assert str(caught.value).count("\n") == 1
