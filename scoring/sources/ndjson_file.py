"""NDJSON: each line a record as ``POST /v1/predict`` takes it, and a patient of its own."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from features.strict_csv import UTF_16_MARKS
from scoring.fault import InputFault
from scoring.rows.lines import LONGEST_LINE
from scoring.sources.piece import Piece
from scoring.sources.text_file import TextFile, opened

MOST_LINES, MOST_BYTES = 4096, 8 * 2**20  # in a piece


@dataclass(frozen=True, slots=True)
class NdjsonFile(TextFile):
    """A ``.ndjson`` or ``.jsonl`` file, plain or ``.gz``."""

    @property
    def patient_header(self) -> None:
        """Each line is a patient."""
        return

    @property
    def every_header(self) -> None:
        """A record names what it holds, and what it may not hold is a problem of it."""
        return

    def pieces(self, only: str | None = None) -> Iterator[Piece]:
        """The lines that are not blank. Of one that is too long only so much that it is seen to be."""
        del only
        row = 0
        with opened(self.path) as (file, share):
            lines: list[bytes] = []
            size = 0
            for line in _lines(self.path, file):
                lines.append(line)
                size += len(line)
                if len(lines) == MOST_LINES or size >= MOST_BYTES:
                    yield Piece(_rows(row, len(lines)), None, (), share(), lines)
                    row, lines, size = row + len(lines), [], 0
            if lines:
                yield Piece(_rows(row, len(lines)), None, (), 1.0, lines)


def _rows(before: int, count: int) -> NDArray[np.int64]:
    return np.arange(before + 1, before + count + 1, dtype=np.int64)


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    most = LONGEST_LINE + 2  # with its end; what is longer is rejected as too long
    first = True
    while line := file.readline(most):
        rest = line
        while len(rest) == most and not rest.endswith(b"\n"):
            rest = file.readline(most)
        if first and line.startswith(UTF_16_MARKS):
            raise InputFault(f"{path}: it is UTF-16 text; save it as UTF-8")
        if first:
            line, first = line.removeprefix(codecs.BOM_UTF8), False  # which some editors write
        if line.strip():
            yield line.removesuffix(b"\n").removesuffix(b"\r")
