"""The bytes of an issuer's key set: from a file, or from an https address."""

from __future__ import annotations

import ssl
from http.client import HTTPException
from pathlib import Path
from time import monotonic
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

HTTPS = "https://"
MOST_BYTES = 256 * 1024
SECONDS_TO_ANSWER = 5.0  # of silence
SECONDS_IN_ALL = 15.0


class Unreadable(Exception):
    """A document that cannot be had; the text says why and names no address or path."""


def read_document(place: str) -> bytes:
    """What is in the file or at the https address.

    Certificates are verified, ``HTTPS_PROXY`` is heeded, redirections are not followed.

    Raises:
        Unreadable: it is not there, does not come in time, or is larger than 256 KiB.

    >>> read_document("/nowhere/keys.json")
    Traceback (most recent call last):
    service.access.key_document.Unreadable: there is no such file
    """
    try:
        found = _fetched(place) if place.startswith(HTTPS) else _from_file(Path(place))
    except FileNotFoundError:
        raise Unreadable("there is no such file") from None
    except HTTPError as error:
        error.close()
        raise Unreadable(f"the answer is {error.code}, not 200") from None
    except (OSError, HTTPException, ValueError) as error:
        kind = type(getattr(error, "reason", error)).__name__
        raise Unreadable(f"it could not be read ({kind})") from None
    if len(found) > MOST_BYTES:
        raise Unreadable(f"it is larger than {MOST_BYTES // 1024} KiB")
    return found


def _from_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


class _NoRedirect(HTTPRedirectHandler):
    """Keys come from the address that was set, and from nowhere that it names."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Nothing to follow."""


def _fetched(url: str) -> bytes:
    opener = build_opener(HTTPSHandler(context=ssl.create_default_context()), _NoRedirect())
    until = monotonic() + SECONDS_IN_ALL
    found = bytearray()
    with opener.open(Request(url, headers={"Accept": "application/json"}), timeout=SECONDS_TO_ANSWER) as reply:
        if reply.status != 200:
            raise Unreadable(f"the answer is {reply.status}, not 200")
        while len(found) <= MOST_BYTES and (chunk := reply.read1(MOST_BYTES)):
            found += chunk
            if monotonic() > until:
                raise Unreadable(f"it did not come within {SECONDS_IN_ALL:g} s")
    return bytes(found)
