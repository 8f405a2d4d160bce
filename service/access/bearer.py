"""Bearer tokens of a hospital's issuer: JSON Web Tokens, verified with the issuer's public keys.

Imports PyJWT and cryptography, which only this needs: import this module where bearer tokens are switched on.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import jwt

from features.problem import Rejected
from features.strict_json import loads
from service.access.caller import Caller
from service.access.issuer_keys import IssuerKeys
from service.access.replay import Full, Replays
from service.access.scope import Scope, is_scope
from service.problem import Unanswered, unauthenticated, unavailable

LEEWAY = 60.0  # seconds that the clocks of issuer and service may differ
LONGEST_LIFE = 300.0  # seconds from iat to exp: what SMART Backend Services sets for a signed assertion
LONGEST_NAME = 200  # characters of sub and jti
LATEST = 2.0**53  # a time beyond is no time, and not exact
SCOPE_PREFIX = "tregcast."  # an issuer serves many services: its scope "admin" may be another's
REQUIRED = ("iss", "aud", "sub", "exp", "iat", "jti")
RETRY_AFTER_FULL = 60  # seconds: the memory of used tokens is emptied by the minute
RETRY_AFTER_READING = 2  # seconds


@dataclass(frozen=True, slots=True)
class Bearer:
    """Tells whose a token is. Issuers and audiences are compared letter by letter."""

    keys: IssuerKeys
    issuers: tuple[str, ...]
    audiences: tuple[str, ...]
    used: Replays

    def identify(self, token: str, now: float) -> tuple[Caller, frozenset[Scope]]:
        """The caller and the scopes of a token, which is used up by this.

        Raises:
            Unanswered: 401, the token is not valid, or was used before; 503, the issuer's keys are not there, are
                being read again because the token names an unknown one, or no more tokens can be remembered.
        """
        claims = self._verified(token)
        if not _is_in_time(claims, now):
            raise Unanswered(unauthenticated())
        issuer, subject, jti, expires = claims["iss"], claims["sub"], claims["jti"], claims["exp"]
        if not (
            isinstance(issuer, str) and _is_name(subject) and _is_name(jti) and isinstance(expires, int | float)
        ):
            raise Unanswered(unauthenticated())
        try:
            first = self.used.is_first(issuer, str(jti), until=expires + LEEWAY, now=now)
        except Full:
            reason = "cannot remember more used tokens"
            raise Unanswered(unavailable(reason, RETRY_AFTER_FULL)) from None
        if not first:
            raise Unanswered(unauthenticated())
        return Caller(_caller_id(issuer, str(subject)), str(subject), "bearer"), _scopes(claims.get("scope"))

    def _verified(self, token: str) -> Mapping[str, object]:
        """The claims of a token with a right signature, issuer and audience. Times are not looked at yet."""
        try:
            key = self._key(_strict_header(token))
            claims: Mapping[str, object] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self.issuers,
                audience=self.audiences,
                options={"require": list(REQUIRED), "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, Rejected, ValueError, TypeError, RecursionError):
            raise Unanswered(unauthenticated()) from None
        return claims

    def _key(self, header: Mapping[str, object]) -> jwt.PyJWK:
        """The key that the header names, if it is for the header's algorithm. No extension is understood."""
        key_id, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in ("RS384", "ES384") or "crit" in header or not isinstance(key_id, str | None):
            raise Unanswered(unauthenticated())
        key = self.keys.current().find(key_id)
        if key is None and key_id is not None and self.keys.ask():
            raise Unanswered(unavailable("is reading the issuer's keys again", RETRY_AFTER_READING))
        if key is None or key.algorithm_name != algorithm:
            raise Unanswered(unauthenticated())
        return key


def _strict_header(token: str) -> Mapping[str, object]:
    """The header of a token of which header and claims are strict JSON.

    Of two members of one name, the issuer's gateway and we might each believe another.

    Raises:
        Rejected: a member stands twice, or it is no JSON.
        ValueError: it is not of three segments.
        TypeError: a segment is no object.

    >>> _strict_header("e30.e30.x")
    {}
    >>> _strict_header("eyJraWQiOiJhIiwia2lkIjoiYiJ9.e30.x")  # {"kid":"a","kid":"b"}
    Traceback (most recent call last):
    features.problem.Rejected: rejected: 1 duplicate_key
    """
    header, claims, _ = token.split(".")
    found, said = (loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (header, claims))
    if not (isinstance(found, dict) and isinstance(said, dict)):
        raise TypeError("a segment is no object")
    return found


def _is_in_time(claims: Mapping[str, object], now: float) -> bool:
    """Whether exp, iat and, where there is one, nbf are times, in order, and around now.

    >>> _is_in_time({"iat": 1000, "exp": 1300}, now=1359.9), _is_in_time({"iat": 1000, "exp": 1300}, now=1360)
    (True, False)
    >>> _is_in_time({"iat": 1000, "exp": 1300}, now=940), _is_in_time({"iat": 1000, "exp": 1300}, now=939.9)
    (True, False)
    >>> _is_in_time({"iat": 1000, "exp": 1301}, now=1000), _is_in_time({"iat": 1000, "exp": 1000}, now=1000)
    (False, False)
    >>> _is_in_time({"iat": 1000, "exp": 1300, "nbf": 1200}, now=1139), _is_in_time({"iat": "1", "exp": 9}, now=5)
    (False, False)
    """
    expires, issued, begins = claims.get("exp"), claims.get("iat"), claims.get("nbf", claims.get("iat"))
    if not (_is_time(expires) and _is_time(issued) and _is_time(begins)):
        return False
    exp, iat, nbf = float(expires), float(issued), float(begins)  # type: ignore[arg-type]
    return 0 < exp - iat <= LONGEST_LIFE and max(iat, nbf) - LEEWAY <= now < exp + LEEWAY


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def _caller_id(issuer: str, subject: str) -> str:
    """Names the caller in a log without telling who it is."""
    return hashlib.sha256(f"{len(issuer)} {issuer} {subject}".encode()).hexdigest()[:16]


def _scopes(claim: object) -> frozenset[Scope]:
    """Our scopes in a scope claim (RFC 8693: words with a space between); others' are none of our business.

    >>> sorted(_scopes("openid tregcast.predict tregcast.batch admin tregcast.root"))
    ['batch', 'predict']
    """
    words = claim.split(" ") if isinstance(claim, str) else []
    ours = [word.removeprefix(SCOPE_PREFIX) for word in words if word.startswith(SCOPE_PREFIX)]
    return frozenset(word for word in ours if is_scope(word))
