"""The setting of where answers are kept for requests that are sent again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from service.audit.settings import AuditSettings
from service.audit.store_uri import SqliteUri
from service.settings import Unusable

VARIABLE = "TREGCAST_IDEMPOTENCY"
ENDING = ".idempotency"


def is_beside(path: Path | None, audit: AuditSettings | None) -> bool:
    """Whether it is the file beside the audit trail, whose folder may still have to be mounted."""
    return path is not None and path == _beside(audit)


def read_idempotency(environment: Mapping[str, str], audit: AuditSettings | None) -> Path | None:
    """The file that all workers share: that of the settings, or one beside an audit trail in SQLite.

    None where neither is there: `service.server` then shares a file that it deletes when it ends.

    Raises:
        Unusable: it is set to what is no file's name.

    >>> read_idempotency({"TREGCAST_IDEMPOTENCY": "/var/lib/tregcast/repeats"}, None)
    PosixPath('/var/lib/tregcast/repeats')
    >>> read_idempotency({}, AuditSettings(SqliteUri(Path("audit.db")), Path("key"), None))
    PosixPath('audit.db.idempotency')
    """
    said = environment.get(VARIABLE)
    if said is None:
        return _beside(audit)
    if not said.strip() or "\0" in said:
        raise Unusable(f"{VARIABLE} = {said!r} is not a file; set the path of one on a local disk, or unset it")
    return Path(said)


def _beside(audit: AuditSettings | None) -> Path | None:
    store = None if audit is None else audit.store
    return Path(f"{store.path}{ENDING}") if isinstance(store, SqliteUri) else None
