"""The link of an alias follows the registry; what does not verify, or is not there, leaves it as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from model.pack import MANIFEST
from tests.training.small_registry import ALIAS, NAME, REFERENCE, SmallRegistry
from training.follower import Follower
from training.registry import PACK_TAG, RegistryError


def test_the_link_follows_the_alias_there_and_back(registry: SmallRegistry) -> None:
    follower = registry.follower()
    first = registry.alias("1")
    assert follower.look()
    assert registry.linked() == first
    fetched = (registry.packs / first / MANIFEST).stat().st_ino
    second = registry.alias("2")
    assert follower.look()
    assert registry.linked() == second != first
    registry.alias("1")
    assert follower.look()
    assert registry.linked() == first
    assert (registry.packs / first / MANIFEST).stat().st_ino == fetched  # not fetched again
    assert registry.told == [
        f"{REFERENCE} is version 1, pack {first}",
        f"{REFERENCE} is version 2, pack {second}",
        f"{REFERENCE} is version 1, pack {first}",
    ]


def test_nothing_is_told_while_nothing_changes(registry: SmallRegistry) -> None:
    follower = registry.follower()
    registry.alias("1")
    assert [follower.look() for _ in range(4)] == [True] * 4
    assert len(registry.told) == 1


def test_a_pack_that_is_not_the_registered_one_is_never_linked(registry: SmallRegistry) -> None:
    from mlflow import MlflowClient

    follower = registry.follower()
    first = registry.alias("1")
    follower.look()
    MlflowClient(registry.uri, registry.uri).set_model_version_tag(NAME, "2", PACK_TAG, "f" * 64)
    registry.alias("2")
    assert [follower.look() for _ in range(3)] == [False] * 3
    assert registry.linked() == first
    assert len(registry.told) == 2
    assert registry.told[1].startswith(
        f"{REFERENCE}: version 2, pack {'f' * 64}, is refused: manifest.json: the pack"
    )
    assert registry.told[1].endswith(f"; the link stays at pack {first}")
    registry.alias("1")
    assert follower.look()
    assert registry.told[2] == registry.told[0]


def test_a_pack_spoilt_on_the_disk_is_not_linked_again(registry: SmallRegistry) -> None:
    follower = registry.follower()
    first, second = registry.alias("1"), registry.alias("2")
    for version in ("1", "2"):
        registry.alias(version)
        follower.look()
    with (registry.packs / first / "card.json").open("ab") as file:
        file.write(b" ")
    registry.alias("1")
    assert not follower.look()
    assert registry.linked() == second
    assert f"version 1, pack {first}, is refused: card.json: " in registry.told[-1]


def test_an_alias_that_is_taken_away_leaves_the_link(registry: SmallRegistry) -> None:
    follower = registry.follower()
    first = registry.alias("1")
    follower.look()
    registry.alias(None)
    assert [follower.look() for _ in range(3)] == [False] * 3
    assert registry.linked() == first
    assert len(registry.told) == 2
    assert "cannot be followed: " in registry.told[1]
    assert "alias champion not found" in registry.told[1]


def test_a_link_or_a_pack_that_was_deleted_is_placed_again(registry: SmallRegistry) -> None:
    follower = registry.follower()
    first = registry.alias("1")
    gone: tuple[Callable[[], object], ...] = (
        (registry.packs / f"{NAME}@{ALIAS}").unlink,
        lambda: shutil.rmtree(registry.packs / first),
        lambda: shutil.rmtree(registry.packs),
    )
    follower.look()
    for delete in gone:
        delete()
        assert follower.look()
        assert registry.linked() == first


def test_a_registry_that_is_not_there_is_told_once(registry: SmallRegistry) -> None:
    follower = registry.follower("http://127.0.0.1:1")
    assert [follower.look() for _ in range(2)] == [False, False]
    assert registry.told == [f"{REFERENCE} cannot be followed: Connection refused; there is no pack yet"]


@pytest.mark.parametrize("reference", [f"models:/{NAME}/1", NAME, "models:/@champion", ""])
def test_only_an_alias_can_be_followed(reference: str) -> None:
    with pytest.raises(RegistryError, match="only an alias can be followed"):
        Follower(reference, keep=3, tell=print)
