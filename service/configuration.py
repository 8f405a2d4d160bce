"""All settings of a worker together: which pack, who may call, where answers are recorded and traces sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from service.access.settings import AccessSettings, read_access_settings
from service.audit.settings import AuditSettings, read_audit_settings
from service.hosts import AllowedHosts, read_allowed_hosts
from service.idempotency.settings import read_idempotency
from service.settings import Settings, Unusable, read_reference_pattern, read_settings, read_shadow
from service.tls import TlsSettings, read_tls
from service.traces.settings import TraceSettings, read_trace_settings

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a worker is told, read once. Without more it answers anybody on this machine, and records nothing."""

    serving: Settings = field(default_factory=Settings)
    access: AccessSettings = field(default_factory=AccessSettings)
    audit: AuditSettings | None = None
    traces: TraceSettings | None = None
    shadow: Path | None = None  # a challenger's pack
    reference_pattern: re.Pattern[str] | None = None  # what callers' references must look like
    hosts: AllowedHosts = field(default_factory=AllowedHosts)
    idempotency: Path | None = None  # where answers are kept for requests that are sent again
    tls: TlsSettings | None = None


def read_configuration(environment: Mapping[str, str], serving: Settings | None = None) -> Configuration:
    """The configuration of an environment.

    Where callers are asked who they are, whether answers are recorded has to be said too (``TREGCAST_AUDIT``);
    where they are not, only this machine is answered, and recording nothing is the default.

    Args:
        environment: the variables.
        serving: which pack, where that is known from elsewhere.

    Raises:
        Unusable: naming every variable that cannot be used.

    >>> read_configuration({}) == Configuration()
    True
    >>> read_configuration({"TREGCAST_AUTH": "keys", "TREGCAST_KEYS": "keys.db"})
    Traceback (most recent call last):
    service.settings.Unusable: TREGCAST_AUDIT is not set; set sqlite:///FILE, postgresql://... or off
    """
    wrong: list[str] = []
    if serving is None:
        serving = _read(read_settings, environment, wrong)
    access = _read(read_access_settings, environment, wrong)
    shadow = _read(read_shadow, environment, wrong)
    audit = None
    if "TREGCAST_AUDIT" in environment or environment.get("TREGCAST_AUTH", "off") != "off":
        audit = _read(read_audit_settings, environment, wrong)
    traces = _read(read_trace_settings, environment, wrong)
    pattern = _read(read_reference_pattern, environment, wrong)
    hosts = _read(read_allowed_hosts, environment, wrong)
    idempotency = _read(lambda said: read_idempotency(said, audit), environment, wrong)
    tls = _read(read_tls, environment, wrong)
    if wrong or serving is None or access is None or hosts is None:
        raise Unusable("\n".join(wrong))
    return Configuration(serving, access, audit, traces, shadow, pattern, hosts, idempotency, tls)


def _read(
    read: Callable[[Mapping[str, str]], Part], environment: Mapping[str, str], wrong: list[str]
) -> Part | None:
    try:
        return read(environment)
    except Unusable as error:
        wrong.append(str(error))
        return None
