"""Versions and aliases, and packs that come out of the store verified or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.pack import FILES, MANIFEST
from training.promotion.champion import first_champion
from training.promotion.lineage import lineage
from training.promotion.rollback import rollback
from training.registry import Refused, RegistryError, StoreError, make_challenger, pull, version_of
from training.report.trained_version import trained_version
from training.tracking import default_uri, open_store

if TYPE_CHECKING:
    from tests.conftest import Retrained, Trained

NAME = "als-progression"


@pytest.fixture(autouse=True)
def store(trained: Trained, retrained: Retrained) -> Iterator[None]:
    """Two versions, and MLflow pointed at their store."""
    open_store(trained.run.tracking_uri)
    return


def stored_pack(trained: Trained, reference: str) -> Path:
    """Where the artifact store keeps the pack of a version."""
    version = version_of(reference)
    for manifest in (trained.folder / "artifacts").rglob(f"pack/{MANIFEST}"):
        import hashlib

        if hashlib.sha256(manifest.read_bytes()).hexdigest() == version.pack_id:
            return manifest.parent
    raise AssertionError(f"no pack {version.pack_id} in the store")


def test_the_first_version_is_champion_and_the_second_only_challenger(trained: Trained) -> None:
    assert trained.run.version.aliases == ("challenger", "champion")  # as of then
    first, second = (version_of(f"models:/{NAME}/{number}") for number in (1, 2))
    assert first.aliases == ("champion",)
    assert second.aliases == ("challenger",)
    assert version_of(f"models:/{NAME}@champion") == first
    assert version_of(f"models:/{NAME}@challenger") == second
    assert first.pack_id == trained.run.pack_id != second.pack_id


def test_training_never_moves_a_champion(trained: Trained) -> None:
    assert first_champion(NAME, "2").aliases == make_challenger(NAME, "2").aliases == ("challenger",)
    assert version_of(f"models:/{NAME}@champion").version == "1"


@pytest.mark.parametrize("reference", ["@champion", "/1", "@challenger", "/2"])
def test_pull_fetches_verifies_and_links(trained: Trained, tmp_path: Path, reference: str) -> None:
    packs = tmp_path / "packs"
    folder, pack = pull(f"models:/{NAME}{reference}", trained.run.tracking_uri, packs)
    assert folder == packs / pack.id
    assert {path.name for path in folder.iterdir()} == {*FILES, MANIFEST}
    assert pack.id == version_of(f"models:/{NAME}{reference}").pack_id
    links = {path.name: path.resolve() for path in packs.iterdir() if path.is_symlink()}
    assert links == ({f"{NAME}{reference}": folder.resolve()} if reference.startswith("@") else {})
    left = {path.name for path in packs.iterdir()} - {f"{pack.id}.report.html"}  # another test may have made one
    assert left == {pack.id, *links}  # no scratch


def test_a_pulled_pack_is_not_fetched_again(trained: Trained, tmp_path: Path) -> None:
    uri = trained.run.tracking_uri
    folder, pack = pull(f"models:/{NAME}@champion", uri, tmp_path)
    before = (folder / MANIFEST).stat().st_ino
    again, same = pull(f"models:/{NAME}/1", uri, tmp_path)
    assert (again, same.id) == (folder, pack.id)
    assert (folder / MANIFEST).stat().st_ino == before


def test_a_pulled_pack_is_verified_again(trained: Trained, tmp_path: Path) -> None:
    folder, _ = pull(f"models:/{NAME}@champion", trained.run.tracking_uri, tmp_path)
    with (folder / "card.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(Refused, match=r"card\.json"):
        pull(f"models:/{NAME}@champion", trained.run.tracking_uri, tmp_path)


@pytest.mark.parametrize("change", ["byte", "extra", "another pack"])
def test_a_pack_changed_in_the_store_is_refused(trained: Trained, tmp_path: Path, change: str) -> None:
    """Even a whole and consistent other pack: the id registered with the version tells."""
    stored = stored_pack(trained, f"models:/{NAME}/2")
    kept = Path(shutil.copytree(stored, tmp_path / "kept"))
    try:
        if change == "byte":
            data = bytearray((stored / "calibration.json").read_bytes())
            data[-10] ^= 1
            (stored / "calibration.json").write_bytes(bytes(data))
        elif change == "extra":
            (stored / "__init__.py").write_text("raise SystemExit", "utf-8")
        else:
            shutil.rmtree(stored)
            shutil.copytree(trained.pack_folder, stored)
        with pytest.raises(Refused):
            pull(f"models:/{NAME}/2", trained.run.tracking_uri, tmp_path / "packs")
        assert list((tmp_path / "packs").iterdir()) == []
    finally:
        shutil.rmtree(stored)
        shutil.copytree(kept, stored)
    assert pull(f"models:/{NAME}/2", trained.run.tracking_uri, tmp_path / "packs")


def test_a_pack_that_is_gone_from_the_store(trained: Trained, tmp_path: Path) -> None:
    stored = stored_pack(trained, f"models:/{NAME}/2")
    stored.rename(tmp_path / "elsewhere")
    try:
        with pytest.raises(RegistryError, match=f"{NAME} version 2: cannot be fetched"):
            pull(f"models:/{NAME}/2", trained.run.tracking_uri, tmp_path / "packs")
    finally:
        (tmp_path / "elsewhere").rename(stored)


def test_of_two_who_pull_at_once_both_get_it(trained: Trained, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from training.registry import _download

    version = version_of(f"models:/{NAME}/1")
    target = tmp_path / "packs" / version.pack_id
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: _download(version, target), range(2)))
    _, pack = pull(f"models:/{NAME}/1", trained.run.tracking_uri, tmp_path / "packs")
    assert pack.id == version.pack_id
    assert [path.name for path in target.parent.iterdir()] == [version.pack_id]


def test_an_alias_that_moves_moves_its_link(trained: Trained, tmp_path: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    client.set_registered_model_alias(NAME, "canary", "1")
    pull(f"models:/{NAME}@canary", trained.run.tracking_uri, tmp_path)
    client.set_registered_model_alias(NAME, "canary", "2")
    folder, _ = pull(f"models:/{NAME}@canary", trained.run.tracking_uri, tmp_path)
    client.delete_registered_model_alias(NAME, "canary")
    assert (tmp_path / f"{NAME}@canary").resolve() == folder.resolve()
    assert not (tmp_path / f"{NAME}@canary").readlink().is_absolute()  # the folder can be moved as a whole


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        (f"models:/{NAME}@nobody", f"models:/{NAME}@nobody: .*alias nobody not found.*`tregcast train` registers"),
        (f"models:/{NAME}/99", f"models:/{NAME}/99: .*not found.*`tregcast train` registers a model"),
        ("models:/other@champion", "models:/other@champion: .*not found"),
        (f"models:/{NAME}", "is not models:/NAME@ALIAS or models:/NAME/VERSION"),
        (f"models:/{NAME}/1/artifacts", "is not models:/NAME@ALIAS"),
        (f"runs:/{NAME}/1", "is not models:/NAME@ALIAS"),
        ("", "is not models:/NAME@ALIAS"),
    ],
)
def test_a_reference_that_stands_for_nothing(trained: Trained, tmp_path: Path, reference: str, says: str) -> None:
    with pytest.raises(RegistryError, match=says):
        pull(reference, trained.run.tracking_uri, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tag", [None, "", "../../outside", "f" * 63])
def test_a_version_that_holds_no_pack(trained: Trained, tmp_path: Path, tag: str | None) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    if not client.search_registered_models("name = 'bare'"):
        client.create_registered_model("bare")
    made = client.create_model_version("bare", source=(trained.folder / "artifacts").as_uri())
    if tag is not None:
        client.set_model_version_tag("bare", made.version, "tregcast.pack_id", tag)
    with pytest.raises(RegistryError, match=r"has no tag tregcast\.pack_id with the id of a pack"):
        pull(f"models:/bare/{made.version}", trained.run.tracking_uri, tmp_path)


def test_a_look_up_in_a_store_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}"
    for look_up in (pull, trained_version, lineage):
        with pytest.raises(StoreError, match="there is no store; `tregcast train` makes one"):
            look_up("models:/nobody@champion", uri)
    with pytest.raises(StoreError, match="there is no store"):
        rollback("nobody", reason="a test", tracking_uri=uri)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_opened() -> None:
    with pytest.raises(StoreError, match="nonsense://store: cannot be opened"):
        pull(f"models:/{NAME}@champion", "nonsense://store")


def test_the_store_is_the_one_of_the_environment_or_that_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert default_uri() == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://example.org")
    assert default_uri() == "http://example.org"
    assert default_uri(Path("/data")) == "sqlite:////data/mlruns/mlflow.db"


def test_artifacts_lie_beside_the_database(trained: Trained) -> None:
    assert {path.name for path in trained.folder.iterdir()} == {"mlflow.db", "artifacts", "packs"}
