"""A record that was understood, and what it was answered."""

from __future__ import annotations

from dataclasses import dataclass

from features.record import PatientRecord
from model.answer import Answer


@dataclass(frozen=True, slots=True)
class Answered:
    """A record, and what the pack in use answered to it."""

    record: PatientRecord
    answer: Answer
