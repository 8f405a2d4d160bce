"""NDJSON as a source: lines as they are, bounded in length."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from features.mapping import ColumnMapping, Source
from scoring.fault import ScoringFault
from scoring.rows.lines import LONGEST_LINE
from scoring.sources.ndjson_file import MOST_BYTES, MOST_LINES, NdjsonFile
from scoring.sources.opening import open_source


def lines(path: Path) -> list[bytes]:
    pieces = list(NdjsonFile(path).pieces())
    assert [row for piece in pieces for row in piece.rows.tolist()] == list(
        range(1, sum(len(piece.lines) for piece in pieces) + 1)
    )
    return [line for piece in pieces for line in piece.lines]


def test_blank_lines_marks_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "c.ndjson"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"b": 2}\n{"c": 3}')
    assert lines(path) == [b'{"a": 1}', b'{"b": 2}', b'{"c": 3}']
    packed = tmp_path / "c.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert lines(packed) == lines(path)


def test_a_line_that_is_too_long_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "c.ndjson"
    for ending in (b"\n", b"\r\n"):
        longest = b"x" * LONGEST_LINE
        path.write_bytes(ending.join([b"a", longest, longest + b"y", longest * 9, b"b", b""]))
        found = lines(path)
        assert [found[0], found[1], found[-1]] == [b"a", longest, b"b"]
        assert [len(line) > LONGEST_LINE for line in found] == [False, False, True, True, False]
        assert max(map(len, found)) <= LONGEST_LINE + 2


def test_pieces_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "c.ndjson"
    path.write_bytes(b"{}\n" * (3 * MOST_LINES + 5))
    assert [len(piece.lines) for piece in NdjsonFile(path).pieces()] == [MOST_LINES] * 3 + [5]
    assert len(lines(path)) == 3 * MOST_LINES + 5
    in_a_piece = MOST_BYTES // LONGEST_LINE
    path.write_bytes((b"x" * LONGEST_LINE + b"\n") * (in_a_piece + 1))
    assert [len(piece.lines) for piece in NdjsonFile(path).pieces()] == [in_a_piece, 1]


def test_what_is_no_ndjson(tmp_path: Path) -> None:
    path = tmp_path / "c.ndjson.gz"
    path.write_bytes(gzip.compress(b"{}\n" * 100_000)[:-20])
    with pytest.raises(ScoringFault, match="it ends in the middle"):
        lines(path)
    path = tmp_path / "c.ndjson"
    path.write_bytes("{}\n".encode("utf-16"))
    with pytest.raises(ScoringFault, match="it is UTF-16 text"):
        lines(path)
    with pytest.raises(ScoringFault, match="leave the mapping out"):
        open_source(path, ColumnMapping(sources={"sex": Source(("Sex",))}))
