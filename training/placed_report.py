"""The report of a version, placed beside its pack for the service: outside the pack, and never in its way."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from model.pack_report import is_report_of, report_path

REPORT_IN_RUN = "report/report.html"
PAGE_DIGEST_TAG = "tregcast.report_page_digest"  # sha256 of the page; the artifact store alone is not trusted


class NoReport(Exception):
    """A report that cannot be placed; the text says why, and nothing beside the pack was changed."""


def place_report(run_id: str, digest: str, folder: Path, scratch_prefix: str) -> None:
    """Fetch the report of a run, hold it to its digest and its pack, and place it in one step.

    Nothing is fetched where it is there already.

    Args:
        run_id: of the run that holds it. digest: sha256 of the page, from the registry.
        folder: of the pack, which is named by the pack's id.
        scratch_prefix: how the folder is named in which it is fetched.

    Raises:
        NoReport: it cannot be fetched or written, has another digest, or is about another pack.
    """
    target = report_path(folder)
    try:
        if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == digest:
            return
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{scratch_prefix}{os.getpid()}-") as scratch:
            found = _fetch(run_id, Path(scratch))
            html = found.read_bytes()
            if hashlib.sha256(html).hexdigest() != digest:
                raise NoReport("its sha256 is not the one in the registry; run `tregcast report` again")
            if not is_report_of(folder.name, html):
                raise NoReport("it is about another pack, or too large; run `tregcast report` again")
            found.replace(target)
    except OSError as error:
        raise NoReport(f"{error.filename or target}: {error.strerror or error}") from error


def _fetch(run_id: str, scratch: Path) -> Path:
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        uri = f"runs:/{run_id}/{REPORT_IN_RUN}"
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(scratch)))
    except MlflowException as error:
        raise NoReport(f"cannot be fetched: {error.message}") from error
