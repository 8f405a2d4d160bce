"""The model registry: versions of a model, the aliases that say which one serves, and the packs behind them."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model.pack import Pack, Refused, keep_from_others, load_pack
from training.placed_report import PAGE_DIGEST_TAG, NoReport, place_report
from training.progress import Progress, silent
from training.tracking import STORE, StoreError, open_store

CHAMPION, CHALLENGER = "champion", "challenger"
PACK_TAG = "tregcast.pack_id"
PACK_IN_MODEL = "artifacts/pack"
PACKS = STORE / "packs"
SCRATCH = ".pull-"  # how the folder is named in which a pack is placed before it is verified
_PACK_ID = re.compile(r"[0-9a-f]{64}")
_REFERENCE = re.compile(r"models:/(?P<name>[^@/]+)(?:@(?P<alias>[^@/]+)|/(?P<version>\d+))")


class RegistryError(StoreError):
    """The registry does not have what was asked for, or it cannot be fetched."""


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version of a model, the aliases it has, and the digest of its report's page, if it has one."""

    name: str
    version: str
    aliases: tuple[str, ...]
    pack_id: str
    run_id: str = ""
    report_digest: str = ""


def make_challenger(name: str, version: str) -> Version:
    """Make a version the challenger. Which one is champion is decided: see `training.promotion.champion`."""
    from mlflow import MlflowClient

    MlflowClient().set_registered_model_alias(name, CHALLENGER, version)
    return version_of(f"models:/{name}/{version}")


def version_of(reference: str) -> Version:
    """The version that ``models:/name@alias`` or ``models:/name/version`` stands for.

    Raises:
        RegistryError: the reference is not one of the two, or the registry does not have it.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    asked = _REFERENCE.fullmatch(reference)
    if asked is None:
        raise RegistryError(f"{reference!r} is not models:/NAME@ALIAS or models:/NAME/VERSION")
    client = MlflowClient()
    try:
        if asked["alias"]:
            found = client.get_model_version_by_alias(asked["name"], asked["alias"])
        else:
            found = client.get_model_version(asked["name"], asked["version"])
        aliases = client.get_registered_model(asked["name"]).aliases
    except MlflowException as error:
        said = str(error.message).rstrip(".")
        raise RegistryError(f"{reference}: {said}; `tregcast train` registers a model") from error
    held = sorted(alias for alias, version in aliases.items() if str(version) == str(found.version))
    tags = found.tags
    pack_id, report_digest = tags.get(PACK_TAG, ""), tags.get(PAGE_DIGEST_TAG, "")
    return Version(asked["name"], str(found.version), tuple(held), pack_id, str(found.run_id or ""), report_digest)


def pull(reference: str, uri: str | None = None, packs: Path = PACKS, tell: Progress = silent) -> tuple[Path, Pack]:
    """Fetch the pack of a registered model as plain files, verify it, and place it in its own folder.

    The folder is ``packs/<pack id>``; where the reference has an alias, ``packs/<name>@<alias>`` links to it.
    The pack must have the id that was registered with it: the artifact store alone is not trusted. The version's
    report is placed beside it; if that fails, the pack is pulled all the same, and ``tell`` is told why.

    Raises:
        StoreError: the store cannot be opened. RegistryError: the registry does not have it.
        Refused: the pack does not verify.
    """
    open_store(uri, make=False)
    return place(reference, version_of(reference), packs, tell)


def place(reference: str, version: Version, packs: Path = PACKS, tell: Progress = silent) -> tuple[Path, Pack]:
    """What `pull` does once the store is open and has said which version the reference stands for.

    Raises:
        RegistryError: the version holds no pack, or it cannot be fetched. Refused: the pack does not verify.
    """
    if not _PACK_ID.fullmatch(version.pack_id):
        raise RegistryError(f"{reference}: version {version.version} has no tag {PACK_TAG} with the id of a pack")
    target = packs / version.pack_id
    if not target.is_dir():
        _download(version, target)
    pack = load_pack(target, expected_id=version.pack_id)
    add_report(version, packs, tell)
    link = link_of(reference, packs)
    if link is not None:
        _link(link, target)
    return target, pack


def add_report(version: Version, packs: Path, tell: Progress) -> None:
    """Place the version's report beside its pack, if it has one; ``tell`` is told why that failed."""
    if version.report_digest:
        try:
            place_report(version.run_id, version.report_digest, packs / version.pack_id, SCRATCH)
        except NoReport as error:
            tell(f"{version.name} version {version.version}: its report is not placed: {error}")


def link_of(reference: str, packs: Path = PACKS) -> Path | None:
    """The link that `pull` makes for a reference with an alias; None for any other.

    >>> print(link_of("models:/als-progression@champion", Path("packs")), link_of("models:/als-progression/7"))
    packs/als-progression@champion None
    """
    asked = _REFERENCE.fullmatch(reference)
    return packs / f"{asked['name']}@{asked['alias']}" if asked is not None and asked["alias"] else None


def _download(version: Version, target: Path) -> None:
    import mlflow
    from mlflow.exceptions import MlflowException

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{SCRATCH}{os.getpid()}-") as scratch:
        try:
            uri = f"models:/{version.name}/{version.version}/{PACK_IN_MODEL}"
            found = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=scratch))
        except (MlflowException, OSError) as error:
            raise RegistryError(f"{version.name} version {version.version}: cannot be fetched: {error}") from error
        load_pack(found, expected_id=version.pack_id)
        keep_from_others(found)
        with suppress(OSError):  # of two that fetch the same pack at once, one comes second
            found.rename(target)
        if not target.is_dir():
            raise RegistryError(f"{target}: cannot be written")


def _link(link: Path, target: Path) -> None:
    """Point ``link`` at ``target`` in one step, so that a reader never finds it missing."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target.name)
    fresh.replace(link)


__all__ = [
    "PACKS",
    "Refused",
    "RegistryError",
    "StoreError",
    "Version",
    "add_report",
    "link_of",
    "make_challenger",
    "place",
    "pull",
    "version_of",
]
