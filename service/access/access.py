"""What routes call: `Access.admit`. It knows bytes, scopes and seconds, and no HTTP framework."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from service.access.caller import OPEN, Caller
from service.access.credential import read_credential
from service.access.key import PREFIX
from service.access.live_keys import LiveKeys
from service.access.rate import Buckets
from service.access.scope import Scope
from service.access.settings import AccessSettings
from service.problem import Unanswered, forbidden, too_many_requests, unauthenticated
from service.settings import Unusable

if TYPE_CHECKING:
    from service.access.bearer import Bearer

EXTRA = "tregcast[access]"


class Access:
    """Admits callers, by the settings; `close` lets go of the store and ends the thread that reads issuers' keys.

    Each worker process opens its own. Failed attempts are counted nowhere, so no stranger can lock a caller out.
    """

    def __init__(self, settings: AccessSettings) -> None:
        """Raises `Unusable` where bearer tokens are switched on without what they need."""
        self._open = settings.auth == "off"
        self._buckets = Buckets()
        self._bearer = _bearer(settings)
        self._keys = None if settings.keys is None else LiveKeys(settings.keys)

    @property
    def asks(self) -> bool:
        """Whether callers are asked who they are."""
        return not self._open

    def admit(self, authorization_header: bytes | None, scope: Scope, now: float) -> Caller:
        """The caller that may do what ``scope`` says.

        Args:
            authorization_header: the value of the one header (see `credential.authorization`), or None.
            scope: what the route wants.
            now: seconds since 1970.

        Raises:
            Unanswered: with the document to answer: 401 not known, 403 without the scope, 429 beyond its rate,
                503 nobody can be known at the moment.
        """
        if self._open:
            return OPEN
        credential = read_credential(authorization_header)
        if credential.startswith(PREFIX):
            caller, scopes = self._by_key(credential, now)
        elif self._bearer is not None:
            caller, scopes = self._bearer.identify(credential, now)
        else:
            raise Unanswered(unauthenticated())
        if scope not in scopes:
            raise Unanswered(forbidden(scope))
        return caller

    def troubles(self, now: float) -> dict[Literal["keys", "issuer_keys"], tuple[str, str] | None]:
        """Of each way to know callers: None where somebody can be known by it, else a code and words."""
        found: dict[Literal["keys", "issuer_keys"], tuple[str, str] | None] = {}
        if self._keys is not None:
            found["keys"] = self._keys.trouble(now)
        if self._bearer is not None:
            found["issuer_keys"] = self._bearer.keys.trouble()
        return found

    def close(self) -> None:
        """Let go of what was opened."""
        if self._keys is not None:
            self._keys.close()
        if self._bearer is not None:
            self._bearer.keys.close()

    def _by_key(self, text: str, now: float) -> tuple[Caller, frozenset[Scope]]:
        if self._keys is None:
            raise Unanswered(unauthenticated())
        key = self._keys.identify(text, now)
        if key.per_minute is not None:
            seconds = self._buckets.take(key.id, key.per_minute, now)
            if seconds > 0:
                raise Unanswered(too_many_requests(math.ceil(seconds)))
        return Caller(key.id, key.name, "key"), key.scopes


def _bearer(settings: AccessSettings) -> Bearer | None:
    if settings.jwks is None:
        return None
    try:
        import cryptography  # noqa: F401  without it PyJWT imports, and knows no public keys
        import jwt  # noqa: F401
    except ModuleNotFoundError as error:
        raise Unusable(
            f"TREGCAST_AUTH = {settings.auth!r} needs {error.name}, which is not installed; "
            f"pip install '{EXTRA}', or set TREGCAST_AUTH=keys"
        ) from None
    from service.access.bearer import Bearer
    from service.access.issuer_keys import IssuerKeys
    from service.access.replay import Replays

    return Bearer(IssuerKeys(settings.jwks), settings.issuers, settings.audiences, Replays())
