"""The setting of where answers are kept for requests that are sent again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from service.audit.settings import AuditSettings
from service.audit.store_uri import SqliteUri
from service.settings import Unusable

VARIABLE = "TREGCAST_IDEMPOTENCY"
ENDING = ".idempotency"


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
        beside = audit is not None and isinstance(audit.store, SqliteUri)
        return Path(f"{audit.store.path}{ENDING}") if beside else None  # type: ignore[union-attr]
    if not said.strip() or "\0" in said:
        raise Unusable(f"{VARIABLE} = {said!r} is not a file; set the path of one on a local disk, or unset it")
    return Path(said)
