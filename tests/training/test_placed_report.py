"""The report of a version beside its pack: the one that was registered, whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from mlflow import MlflowClient

from model.pack_report import read_report, report_path
from tests.training.small_registry import ALIAS, NAME, REFERENCE, SmallRegistry
from training.kept_packs import drop_old
from training.placed_report import PAGE_DIGEST_TAG
from training.registry import PACK_TAG, pull


def page(pack_id: str, words: str = "") -> bytes:
    return f"<!doctype html><p>{words}</p><dt>pack (sha256)</dt><dd><code>{pack_id}</code></dd>".encode()


class Reported:
    """A third version, with a run that holds a report; its pack is that of the first."""

    def __init__(self, registry: SmallRegistry, folder: Path) -> None:
        self.registry, self.client = registry, MlflowClient(registry.uri, registry.uri)
        first = self.client.get_model_version(NAME, "1")
        self.pack_id = first.tags[PACK_TAG]
        experiment = self.client.create_experiment("reports", (folder / "runs").as_uri())
        self.run_id = self.client.create_run(experiment).info.run_id
        self.version = self.client.create_model_version(NAME, first.source, self.run_id).version
        self.client.set_model_version_tag(NAME, self.version, PACK_TAG, self.pack_id)
        self.file = folder / "report.html"
        self.folder = registry.packs / self.pack_id

    def log(self, html: bytes, digest_of: bytes | None = None) -> None:
        self.file.write_bytes(html)
        self.client.log_artifact(self.run_id, str(self.file), "report")
        digest = hashlib.sha256(html if digest_of is None else digest_of).hexdigest()
        self.client.set_model_version_tag(NAME, self.version, PAGE_DIGEST_TAG, digest)

    def pull(self) -> list[str]:
        told: list[str] = []
        pull(f"models:/{NAME}/{self.version}", self.registry.uri, self.registry.packs, told.append)
        return told


@pytest.fixture
def reported(registry: SmallRegistry, tmp_path: Path) -> Reported:
    return Reported(registry, tmp_path)


def test_a_version_without_a_report_is_pulled_without(reported: Reported) -> None:
    assert reported.pull() == []
    assert reported.folder.is_dir()
    assert not report_path(reported.folder).exists()


def test_it_is_placed_and_replaced(reported: Reported) -> None:
    for words in ("one", "two"):
        reported.log(page(reported.pack_id, words))
        assert reported.pull() == []
        assert read_report(reported.folder, reported.pack_id) == page(reported.pack_id, words)
    assert [path.name for path in reported.registry.packs.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("wrong", ["another pack", "another page", "nothing"])
def test_a_wrong_one_leaves_what_is_there_and_the_pack_is_pulled(reported: Reported, wrong: str) -> None:
    good = page(reported.pack_id)
    reported.log(good)
    reported.pull()
    if wrong == "another pack":
        reported.log(page("f" * 64))
    elif wrong == "another page":
        reported.log(page(reported.pack_id, "<b>forged</b>"), digest_of=b"the page that was registered")
    else:
        reported.client.delete_run(reported.run_id)
        reported.client.set_model_version_tag(NAME, reported.version, PAGE_DIGEST_TAG, "0" * 64)
        reported.file.unlink()
        for path in reported.file.parent.glob("runs/**/report.html"):
            path.unlink()
    [told] = reported.pull()
    assert f"{NAME} version {reported.version}: its report is not placed: " in told
    assert read_report(reported.folder, reported.pack_id) == good


def test_the_follower_places_a_report_that_is_made_later(reported: Reported) -> None:
    registry = reported.registry
    follower = registry.follower()
    reported.client.set_registered_model_alias(NAME, ALIAS, reported.version)
    assert follower.look()
    assert not report_path(reported.folder).exists()
    reported.log(page("e" * 64))
    assert follower.look()
    assert follower.look()
    assert len([line for line in registry.told if "its report is not placed" in line]) == 1
    reported.log(page(reported.pack_id))
    assert follower.look()
    assert read_report(reported.folder, reported.pack_id) == page(reported.pack_id)
    assert registry.told[0].startswith(REFERENCE)


def test_it_goes_with_its_pack(tmp_path: Path) -> None:
    ids = [f"{number:064x}" for number in range(4)]
    for pack_id in ids:
        (tmp_path / pack_id).mkdir()
        report_path(tmp_path / pack_id).write_bytes(page(pack_id))
    [dropped] = drop_old(tmp_path, 3)
    assert sorted(path.name for path in tmp_path.glob("*.html")) == [
        f"{each}.report.html" for each in ids if each != dropped
    ]
