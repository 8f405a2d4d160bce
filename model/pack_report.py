"""The report of a pack, one HTML file beside the pack's folder: outside its digest, and about it alone."""

from __future__ import annotations

import re
from pathlib import Path

ENDING = ".report.html"
LARGEST = 20 * 2**20  # bytes


def report_path(folder: Path) -> Path:
    """Where the report of a pack lies.

    >>> print(report_path(Path("packs/7f")))
    packs/7f.report.html
    """
    return folder.with_name(folder.name + ENDING)


def is_report_of(pack_id: str, html: bytes) -> bool:
    """Whether a report says that it is about this pack: its origin names the pack's id, and is no more than 20 MiB.

    >>> is_report_of("7f", b"<dt>pack (sha256)</dt><dd><code>7f</code></dd>"), is_report_of("7f", b"... 7f ...")
    (True, False)
    """
    named = re.search(rb"<dt>pack \(sha256\)</dt>\s*<dd><code>([0-9a-f]+)</code></dd>", html[: LARGEST + 1])
    return len(html) <= LARGEST and named is not None and named[1] == pack_id.encode("ascii")


def read_report(folder: Path, pack_id: str) -> bytes | None:
    """The report beside a pack's folder; None where there is none that is about this pack."""
    path = report_path(folder)
    try:
        if path.is_symlink() or not path.is_file():
            return None
        with path.open("rb") as file:
            html = file.read(LARGEST + 1)
    except OSError:
        return None
    return html if is_report_of(pack_id, html) else None
