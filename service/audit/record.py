"""What is kept of one answer, and the bytes that stand for it in the chain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, get_args

Outcome = Literal["prediction", "prediction_with_cautions", "abstained", "rejected", "unavailable"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
WITH_OUTPUT = frozenset({"prediction", "prediction_with_cautions", "abstained"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked: an id that is no secret, and what kind of caller that is (``key``, ``clinic``, ``batch``...)."""

    id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer that is about to leave, as the service hands it to the trail.

    ``input_digest`` is what `AuditTrail.digest` makes of the bytes of the record as it was sent. ``codes`` are
    reason and caution codes, never values. ``output`` is the rendered answer's JSON; a rejection or an
    unavailability has none. ``position`` counts from 0 within a batch and is None where there is no batch.

    Raises:
        ValueError: the outcome is not one of the five, an answer has no output, or another outcome has one.

    >>> Entry("5f1c", Caller("clinic-7", "key"), "0" * 64, "hmac-sha256:...", "rejected", output=b"{}")
    Traceback (most recent call last):
    ValueError: output of an entry with the outcome rejected is kept by no trail; leave it out, its codes are kept
    """

    request_id: str
    caller: Caller
    pack_id: str
    input_digest: str
    outcome: Outcome
    codes: tuple[str, ...] = ()
    output: bytes | None = field(default=None, repr=False)
    position: int | None = None
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome of an entry is not one of {', '.join(OUTCOMES)}; give one of them")
        if self.outcome in WITH_OUTPUT and self.output is None:
            raise ValueError(
                f"output of an entry with the outcome {self.outcome} is missing; give the rendered answer"
            )
        if self.outcome not in WITH_OUTPUT and self.output is not None:
            said = f"output of an entry with the outcome {self.outcome} is kept by no trail"
            raise ValueError(f"{said}; leave it out, its codes are kept")
        if self.time.tzinfo is not UTC:
            raise ValueError("time of an entry is not in UTC; give datetime.now(UTC)")


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One link of the chain.

    ``seq`` counts from 1. ``before`` is the hash of the record before, and of the first one the id of the store.
    ``withholds`` is None, or the number of an earlier record: the answer kept there never left, and the
    caller was told that the service is unavailable, which is the outcome of this record. ``clock_back_s`` is None,
    or by how many seconds this record's time is before that of the record before, because the clock went back.
    """

    seq: int
    before: str
    made_by: str
    entry: Entry
    withholds: int | None = None
    clock_back_s: float | None = None

    def body(self, output_sha256: str | None) -> bytes:
        """The canonical bytes of all but the output, for which its sha256 stands."""
        entry = self.entry
        marked = {} if self.clock_back_s is None else {"clock_back_s": self.clock_back_s}
        return canonical(
            {
                "before": self.before,
                "caller": entry.caller.id,
                "caller_kind": entry.caller.kind,
                "codes": entry.codes,
                "input": entry.input_digest,
                "made_by": self.made_by,
                "outcome": entry.outcome,
                "output_sha256": output_sha256,
                "pack": entry.pack_id,
                "position": entry.position,
                "request": entry.request_id,
                "seq": self.seq,
                "time": time_text(entry.time),
                "withholds": self.withholds,
                **marked,
            }
        )


# The form of `model.canonical.canonical_json`, but half of a surrogate pair has bytes here too: whatever a caller
# is called, there is a record. One encoder for all, because making one costs more than a record.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def canonical(value: Mapping[str, object]) -> bytes:
    """The bytes of a record: keys in order, no spaces, an end of line."""
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass") + b"\n"


def time_text(time: datetime) -> str:
    """A time in UTC as records have it.

    >>> time_text(datetime(2026, 1, 31, 14, 5, tzinfo=UTC))
    '2026-01-31T14:05:00.000000Z'
    """
    return time.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def time_of(fields: Mapping[str, object]) -> datetime:
    """The time in the fields of a record.

    Raises:
        ValueError: it has none.
    """
    return datetime.fromisoformat(_text(fields.get("time"))).astimezone(UTC)


def fields_of(body: bytes) -> dict[str, object]:
    """The fields of a record's canonical bytes.

    Raises:
        ValueError: they are no JSON object.
    """
    try:
        value = json.loads(body.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError("not a record: it is no JSON object")
    return value


def read_record(body: bytes, output: bytes | None) -> AuditRecord:
    """The record of which these are the canonical bytes and the output.

    Raises:
        ValueError: they are not those of a record.
    """
    found = fields_of(body)
    try:
        entry = Entry(
            request_id=_text(found["request"]),
            caller=Caller(_text(found["caller"]), _text(found["caller_kind"])),
            pack_id=_text(found["pack"]),
            input_digest=_text(found["input"]),
            outcome=_text(found["outcome"]),  # type: ignore[arg-type]  # which Entry checks
            codes=tuple(_text(code) for code in _list(found["codes"])),
            output=output,
            position=_number_or_none(found["position"]),
            time=time_of(found),
        )
        seq = _number_or_none(found["seq"])
        if seq is None:
            raise ValueError("seq is null")
        withholds = _number_or_none(found["withholds"])
        back = found.get("clock_back_s")
        clock_back_s = float(back) if isinstance(back, int | float) else None
        return AuditRecord(seq, _text(found["before"]), _text(found["made_by"]), entry, withholds, clock_back_s)
    except (KeyError, ValueError) as error:
        raise ValueError(f"not a record: {error}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


def _number_or_none(value: object) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError("not a whole number")
    return value
