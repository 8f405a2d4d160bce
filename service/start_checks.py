"""What is looked at before the service starts: files of the settings with which nobody could ever be answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE, S_IWOTH

from service.access.key_document import HTTPS, Unreadable, read_document
from service.access.key_store import StoreError, is_locked, keys_in, reason
from service.access.settings import AccessSettings
from service.audit.settings import AuditSettings
from service.audit.store import StoreFailed
from service.audit.store_uri import SqliteUri, open_reader
from service.audit.trail_problem import TrailProblem
from service.configuration import Configuration
from service.settings import Unusable

_NEVER = ("SQLITE_NOTADB", "SQLITE_CORRUPT", "NO_STORE", "SQLITE_ERROR")  # they do not mend themselves


def refuse_unusable(configuration: Configuration) -> None:
    """Refuse settings whose files are there and can never be used, or are missing where they must be there.

    What may come by itself, as a database that starts or an issuer that answers again, is no reason: ``/readyz``
    says it.

    Raises:
        Unusable: naming every variable.
    """
    wrong = [*_access(configuration.access), *([] if configuration.audit is None else _audit(configuration.audit))]
    if wrong:
        raise Unusable("\n".join(wrong))


def _access(settings: AccessSettings) -> Iterator[str]:
    if settings.keys is not None:
        try:
            keys_in(settings.keys)
        except (OSError, sqlite3.Error, StoreError) as error:
            if not is_locked(error):
                remedy = "`tregcast keys add` makes one, docs/access.md says more"
                yield f"TREGCAST_KEYS = {str(settings.keys)!r} cannot be used: {reason(error)}; {remedy}"
    if settings.jwks is not None and not settings.jwks.startswith(HTTPS):
        yield from _key_set(settings.jwks)


def _key_set(place: str) -> Iterator[str]:
    said = f"TREGCAST_JWKS = {place!r} cannot be used"
    try:
        from service.access.key_set import BadKeySet, read_key_set
    except ImportError:
        return  # `Access` says what is not installed
    try:
        if _others_may_write(Path(place)):
            yield f"{said}: other users may write it; chmod go-w"
        read_key_set(read_document(place))
    except (Unreadable, BadKeySet) as error:
        yield f"{said}: {error}; set a file of the issuer's public keys"


def _audit(settings: AuditSettings) -> Iterator[str]:
    for name, path in (("TREGCAST_AUDIT_KEY", settings.key), ("TREGCAST_AUDIT_ANCHOR", settings.anchor)):
        if path is not None and _others_may_write(path):
            yield f"{name} = {str(path)!r} cannot be used: other users may write it; chmod go-w"
    store = settings.store
    if not isinstance(store, SqliteUri):
        return
    try:
        if store.path.stat().st_size == 0:
            return  # it is made, or the anchor knows better
        with open_reader(store):
            return
    except OSError:
        return
    except StoreFailed as error:
        if error.code in _NEVER:
            rule = TrailProblem(error.code).rule
            yield f"TREGCAST_AUDIT cannot be used: {rule}; put the store back, or set another file"


def _others_may_write(path: Path) -> bool:
    try:
        return bool(S_IMODE(path.stat().st_mode) & S_IWOTH)
    except OSError:
        return False
