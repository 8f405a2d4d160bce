"""How records, notes and verdicts are printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.audit.note import Note
    from service.audit.record import AuditRecord
    from service.audit.verify import Verdict


def verdict_json(verdict: Verdict) -> dict[str, object]:
    """A verdict as JSON."""
    fault = verdict.fault
    return {
        "verified": fault is None,
        "store": verdict.store_id,
        "head": str(verdict.head),
        "withheld": verdict.withheld,
        "held_to": [str(head) for head in verdict.held_to],
        "pruned": None if verdict.pruned is None else str(verdict.pruned),
        "pruned_heads": [str(head) for head in verdict.pruned_heads],
        "notes": [{"seq": note.seq, "words": note.words} for note in verdict.notes],
        "fault": None if fault is None else {"seq": fault.seq, "words": fault.words},
    }


def verdict_text(verdict: Verdict) -> str:
    """A verdict for people: the first line says whether the chain verifies."""
    if verdict.fault is not None:
        good = f"\nThe {verdict.records} records before it verify." if verdict.fault.seq > 1 else ""
        return f"NOT VERIFIED. Record {verdict.fault.seq}: {verdict.fault.words}.{good}"
    held = (
        f"held to {', '.join(f'{head.seq}:{head.hash[:8]}...' for head in verdict.held_to)}"
        if verdict.held_to
        else "there is no anchor and no expected head: whether its end was cut off cannot be told"
    )
    withheld = f" {verdict.withheld} of them withhold an answer." if verdict.withheld else ""
    gone = f" They follow {verdict.pruned}, up to which all were pruned." if verdict.pruned else ""
    unheld = "".join(f"\nnot held to {head}: it is pruned" for head in verdict.pruned_heads)
    notes = "".join(f"\nnote: record {note.seq}: {note.words}" for note in verdict.notes)
    return f"verified: {verdict.records} records; {held}.{withheld}{gone}\nhead {verdict.head}{unheld}{notes}"


def record_json(record: AuditRecord) -> dict[str, object]:
    """A record as JSON, with the answer as text."""
    entry = record.entry
    return {
        "seq": record.seq,
        "time": entry.time.isoformat(),
        "request": entry.request_id,
        "caller": {"id": entry.caller.id, "kind": entry.caller.kind},
        "pack": entry.pack_id,
        "made_by": record.made_by,
        "input": entry.input_digest,
        "outcome": entry.outcome,
        "codes": list(entry.codes),
        "position": entry.position,
        "withholds": record.withholds,
        "clock_back_s": record.clock_back_s,
        "before": record.before,
        "output": None if entry.output is None else entry.output.decode("utf-8", "replace"),
    }


def record_text(record: AuditRecord) -> str:
    """One line; texts as in JSON, so that none of them can speak to the terminal."""
    entry = record.entry
    parts = [
        f"{record.seq}",
        entry.time.isoformat(timespec="microseconds"),
        f"request {json.dumps(entry.request_id)}",
        f"caller {json.dumps(entry.caller.id)} ({json.dumps(entry.caller.kind)})",
        entry.outcome + "".join(f" {json.dumps(code)}" for code in entry.codes),
        "" if entry.position is None else f"position {entry.position}",
        "" if record.withholds is None else f"withholds {record.withholds}",
        "" if record.clock_back_s is None else f"clock back {record.clock_back_s:g} s",
        f"pack {json.dumps(entry.pack_id)[1:13]}",
    ]
    return "  ".join(part for part in parts if part)


def note_json(note: Note) -> dict[str, object]:
    """A note as JSON."""
    return {
        "seq": note.seq,
        "time": note.time.isoformat(),
        "note": note.kind,
        "details": dict(note.details),
        "made_by": note.made_by,
        "before": note.before,
        "signature": note.signature,
    }


def note_text(note: Note) -> str:
    """One line, as a record has."""
    details = json.dumps(dict(note.details), sort_keys=True)
    return f"{note.seq}  {note.time.isoformat(timespec='microseconds')}  note {note.kind}  {details}"
