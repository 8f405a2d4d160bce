"""What is asked of a run, but for where it reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from scoring.columns import Explain


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """How contributions are told, the coverage of the interval, and the day that no visit may be after."""

    explain: Explain
    coverage: float
    today: date
