"""The certificate that the service shows, where it speaks TLS itself."""

from __future__ import annotations

import logging
import ssl
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric

from service import log
from service.settings import Unusable

CERTIFICATE, KEY = "TREGCAST_TLS_CERTIFICATE", "TREGCAST_TLS_KEY"
SECONDS_TO_SHAKE_HANDS = 5.0  # of a client that connects, as long as it has for a head
SECONDS_TO_LEAVE = 2.0  # of one that is told that the connection ends
LONGEST_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """PEM files: the certificate with those between it and the authority's, and its private key."""

    certificate: Path
    key: Path


def read_tls(environment: Mapping[str, str]) -> TlsSettings | None:
    """The settings of an environment; None where TLS is another's to speak.

    Raises:
        Unusable: one of the two is missing or is no file's name.

    >>> read_tls({"TREGCAST_TLS_CERTIFICATE": "/etc/tregcast/chain.pem"})
    Traceback (most recent call last):
    service.settings.Unusable: TREGCAST_TLS_KEY is not set beside the other; set the PEM file of the private key
    """
    what = {CERTIFICATE: "the certificate and those above it", KEY: "the private key"}
    said = {name: environment.get(name) for name in what}
    if all(value is None for value in said.values()):
        return None
    wrong = []
    for name, value in said.items():
        if value is None:
            wrong.append(f"{name} is not set beside the other; set the PEM file of {what[name]}")
        elif not value.strip() or "\0" in value:
            wrong.append(f"{name} = {value!r} is not a file; set the PEM file of {what[name]}")
    if wrong:
        raise Unusable("\n".join(wrong))
    return TlsSettings(Path(environment[CERTIFICATE]), Path(environment[KEY]))


class Tls:
    """What a server needs of a certificate; `renew` takes what has been put in its place since.

    Raises:
        Unusable: the files cannot be used: not there, not PEM, of another key, outside of their dates, the key
            encrypted or open to others.
    """

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        self.context.set_alpn_protocols(["http/1.1"])
        self._refused: tuple[object, ...] | None = None
        self._stamp = _stamp(settings)
        self.expires = _load(self.context, settings)

    def renew(self) -> None:
        """Show the certificate that is in the files now, if it can be used; else the one before goes on."""
        stamp = _stamp(self._settings)
        if stamp in (self._stamp, self._refused):
            return
        try:
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._settings)
            self.expires = _load(self.context, self._settings)
        except Unusable:
            self._refused = stamp
            log.write(logging.WARNING, "certificate refused")
        else:
            self._stamp, self._refused = stamp, None
            log.write(logging.INFO, "certificate renewed")

    def collect(self) -> Iterator[Metric]:
        """For `service.metrics.metrics.Metrics.watch`."""
        words = "When the certificate that is shown expires, in seconds since 1970."
        yield GaugeMetricFamily("tregcast_tls_certificate_expires_seconds", words, self.expires.timestamp())


def _load(context: ssl.SSLContext, settings: TlsSettings) -> datetime:
    """Load the files into a context, if they can be used; when the certificate expires."""
    expires = _last_day(settings.certificate)
    _require_private(settings.key)
    try:
        context.load_cert_chain(settings.certificate, settings.key, password=lambda: b"")
    except (ssl.SSLError, OSError) as error:
        reason = str(getattr(error, "reason", None) or getattr(error, "strerror", None) or "cannot be read")
        rule = "is not the unencrypted private key, in PEM, of the certificate"
        raise Unusable(f"{KEY} = '{settings.key}' {rule} ({reason.lower()}); set the right one") from None
    return expires


def _last_day(path: Path) -> datetime:
    """When the first certificate of a file expires; all of them are within their dates."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        with path.open("rb") as file:
            chain = load_pem_x509_certificates(file.read(LONGEST_FILE))
    except OSError as error:
        raise Unusable(f"{CERTIFICATE} = '{path}' cannot be read: {error.strerror}; set a PEM file") from None
    except ValueError:
        raise Unusable(f"{CERTIFICATE} = '{path}' holds no certificate in PEM; set one that does") from None
    now = datetime.now(UTC)
    for certificate in chain:
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not first <= now <= last:
            word = "expired" if now > last else "is not valid yet"
            dates = f"it is valid from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
            raise Unusable(f"{CERTIFICATE} = '{path}' {word}: {dates}; renew it, or set the clock")
    return chain[0].not_valid_after_utc


def _require_private(path: Path) -> None:
    """A group may read the key, as Debian's ssl-cert does; nobody else may, and none may write it."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise Unusable(f"{KEY} = '{path}' cannot be read: {error.strerror}; set a PEM file") from None
    if not stat.S_ISREG(mode) or mode & (stat.S_IRWXO | stat.S_IWGRP):
        rule = "is not a file that only its owner may write and no stranger may read"
        raise Unusable(f"{KEY} = '{path}' {rule}; chmod 600 or 640 it")


def _stamp(settings: TlsSettings) -> tuple[object, ...]:
    """Changes when a file is replaced or written."""
    found: list[object] = []
    for path in (settings.certificate, settings.key):
        try:
            file = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns, file.st_mode))
    return tuple(found)
