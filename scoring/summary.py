"""What became of a run's rows, in counts, for people and as JSON for programs; no time and no machine is in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.headers import Headers
from features.identifier import BLANKS, LIKE_NOTHING
from features.version import VERSION
from model.answer import NUMBERS, PackRef
from model.distribution import band_of
from model.predictor import BANDS
from scoring.columns import CODES, FORMAT, OUTCOME, PATIENT, REASONS
from scoring.settings import ScoreSettings

RAGGED = "ragged_row"  # the code of a row of whose cells nothing was taken
WITHOUT, BLANK, LIKE_MISSING = "rows_without", "rows_with_surrounding_blanks", "rows_like_a_missing_value"
IDENTIFIERS = (WITHOUT, BLANK, LIKE_MISSING)
"""Rows that name no patient, each one of its own; those whose identifier, taken as it stands, has blanks around it;
those where it is a word such as NA, which in other columns means that nothing was measured."""
ABSTAINED, REJECTED = "abstained", "rejected"
OUTCOMES = ("prediction", "prediction_with_cautions", ABSTAINED, REJECTED)


@dataclass(slots=True)
class Tally:
    """Counts of what goes by."""

    outcomes: Counter[str] = field(default_factory=Counter)
    cautions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    bands: Counter[str] = field(default_factory=Counter)
    identifiers: Counter[str] = field(default_factory=Counter)

    def answers(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches, counted."""
        for batch in batches:
            table = pa.table({OUTCOME: batch[OUTCOME], REASONS: batch[REASONS]})
            for said in table.group_by([OUTCOME, REASONS]).aggregate([([], "count_all")]).to_pylist():
                self.outcomes[said[OUTCOME]] += said["count_all"]
                _add(
                    self.reasons if said[OUTCOME] == ABSTAINED else self.cautions, said[REASONS], said["count_all"]
                )
            self._identify(batch[PATIENT])
            rates = pc.drop_null(batch[NUMBERS[0]]).to_numpy(zero_copy_only=False)
            for band, count in zip(BANDS, np.bincount(band_of(rates), minlength=len(BANDS)).tolist(), strict=True):
                self.bands[band] += count
            yield batch

    def rejects(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches, counted."""
        for batch in batches:
            self.outcomes[REJECTED] += batch.num_rows
            self._identify(batch[PATIENT].filter(pc.not_equal(batch[CODES], RAGGED)))
            for said in pc.value_counts(batch[CODES]).to_pylist():
                _add(self.problems, said["values"], said["counts"])
            yield batch

    def _identify(self, column: pa.Array) -> None:
        """Count rows that name no patient, and those whose identifiers are easily taken for another or for none."""
        self.identifiers[WITHOUT] += column.null_count
        if pa.types.is_string(column.type):
            self.identifiers[BLANK] += _true(pc.not_equal(pc.utf8_trim(column, characters=BLANKS), column))
            self.identifiers[LIKE_MISSING] += _true(pc.is_in(column, pa.array(LIKE_NOTHING)))


@dataclass(frozen=True, slots=True)
class Summary:
    """All that is told of a run. A row counts once among the outcomes, and under each code it has."""

    input: Mapping[str, object]  # what names it, as it stands in the summary's file
    mapping: str | None  # sha256 of its file
    settings: ScoreSettings
    pack: PackRef
    statement: str
    rows: int  # in the input
    tally: Tally
    headers: Headers | None = None  # of a table

    @property
    def rejected(self) -> int:
        """Rows that were rejected."""
        return self.tally.outcomes[REJECTED]

    def to_json(self) -> bytes:
        """The summary's file."""
        tally = self.tally
        document = {
            "format": FORMAT,
            "tregcast": VERSION,
            "pack": self.pack.to_json(),
            "statement": self.statement,
            **self.input,
            "mapping_digest": self.mapping,
            "headers": None if self.headers is None else self.headers.to_json(),
            "settings": {
                "explain": self.settings.explain,
                "coverage": self.settings.coverage,
                "as_of": self.settings.today.isoformat(),
            },
            "rows": {
                "in": self.rows,
                "answered_or_abstained": self.rows - self.rejected,
                REJECTED: self.rejected,
            },
            "identifiers": {name: tally.identifiers[name] for name in IDENTIFIERS},
            "outcomes": {name: tally.outcomes[name] for name in OUTCOMES},
            "cautions": _largest(tally.cautions),
            "reasons": _largest(tally.reasons),
            "problems": _largest(tally.problems),
            "bands": {name: tally.bands[name] for name in BANDS},
        }
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    def __str__(self) -> str:
        lines = [f"{self.rows:,} rows in"]
        for name in OUTCOMES:
            lines.append(f"  {name:<26}{self.tally.outcomes[name]:>12,}")
        codes = (
            ("cautions", self.tally.cautions),
            ("reasons", self.tally.reasons),
            ("problems", self.tally.problems),
        )
        for words, counts in codes:
            lines += [f"{words}"] * bool(counts)
            lines += [f"  {code:<36}{count:>12,}" for code, count in _largest(counts).items()]
        if any(self.tally.identifiers.values()):
            lines.append("identifiers")
            found = {name: self.tally.identifiers[name] for name in IDENTIFIERS}
            lines += [f"  {name:<36}{count:>12,}" for name, count in found.items() if count]
        if any(self.tally.bands.values()):
            lines.append("predicted rates")
            lines += [f"  {name:<26}{self.tally.bands[name]:>12,}" for name in BANDS]
        if self.headers is not None:
            lines += [f"Warning: {warning}" for warning in self.headers.warnings]
        lines.append(f"{self.statement} Pack {self.pack.id[:12]} of {self.pack.name}, made by {self.pack.made_by}.")
        return "\n".join(lines)


def _true(mask: pa.Array) -> int:
    count: int = pc.sum(mask, min_count=0).as_py()
    return count


def _add(counts: Counter[str], codes: str | None, count: int) -> None:
    for code in (codes or "").split():
        counts[code] += count


def _largest(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
