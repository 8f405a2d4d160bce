"""Where a report goes: a folder, the artifacts of its run, and a tag of its version with the digest."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from training.placed_report import PAGE_DIGEST_TAG
from training.registry import RegistryError
from training.report.trained_version import TrainedVersion

ARTIFACTS = "report"
DIGEST_TAG = "tregcast.report_digest"
HTML, JSON = "report.html", "report.json"


@dataclass(frozen=True, slots=True)
class Written:
    """The two files of a report."""

    html: Path
    json: Path


def write(folder: Path, html: bytes, json: bytes) -> Written:
    """Write both files; each appears whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = Written(folder / HTML, folder / JSON)
    for path, data in ((written.html, html), (written.json, json)):
        scratch = path.with_name(f".{os.getpid()}.{path.name}")
        try:
            scratch.write_bytes(data)
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    return written


def log(made: TrainedVersion, written: Written, digest: str) -> None:
    """Log the files as artifacts ``report/`` of the version's run, then tag the version with the digests of both.

    Raises:
        RegistryError: the store does not take them.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient()
    try:
        for path in (written.html, written.json):
            client.log_artifact(made.run.run_id, str(path), ARTIFACTS)
        page_digest = hashlib.sha256(written.html.read_bytes()).hexdigest()
        for tag, value in ((PAGE_DIGEST_TAG, page_digest), (DIGEST_TAG, digest)):
            client.set_model_version_tag(made.registered.name, made.registered.version, tag, value)
    except (MlflowException, OSError) as error:
        raise RegistryError(f"{made.title}: the report cannot be logged: {error}") from error
