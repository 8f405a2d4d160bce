"""CSV as a source: every row has its number, every cell is a text, and what is no table is refused."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import signal
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas._libs.parsers import STR_NA_VALUES  # type: ignore[attr-defined]

from features.identifier import LIKE_NOTHING
from features.mapping import ColumnMapping, Source
from scoring.fault import ScoringFault
from scoring.sources.csv_file import open_csv

HEADER = "patient_id,months_since_onset,alsfrs_r_total,crp_mg_l\n"
ROWS = "a,10,40,2.5\na,13,39,\na,16,37,3\n"


def written(folder: Path, data: str | bytes, name: str = "c.csv") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def read(
    path: Path, mapping: ColumnMapping | None = None, **bounds: int
) -> tuple[dict[int, tuple[str | None, ...]], dict[int, int]]:
    """Cells by row, and fields of ragged rows by row."""
    rows: dict[int, tuple[str | None, ...]] = {}
    ragged: dict[int, int] = {}
    for piece in open_csv(path, mapping or ColumnMapping(), **bounds).pieces():
        assert piece.table is not None
        columns = [column.to_pylist() for column in piece.table.columns]
        rows.update(zip(piece.rows.tolist(), zip(*columns, strict=True), strict=True))
        ragged.update({each.row: each.fields for each in piece.ragged})
    return rows, ragged


def fault(path: Path) -> str:
    with pytest.raises(ScoringFault) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value)


def test_what_means_nothing_is_what_it_means_in_training() -> None:
    assert {"", *LIKE_NOTHING} == STR_NA_VALUES


def test_cells_stay_texts(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + '007,10,40,<0.3\n"",11,NA," 1e5"\n"x,y",12,"",""\n')
    assert read(path)[0] == {
        1: ("007", "10", "40", "<0.3"),
        2: (None, "11", None, " 1e5"),
        3: ("x,y", "12", None, None),
    }


@pytest.mark.parametrize(
    "text",
    [HEADER + ROWS, "\ufeff" + HEADER + ROWS, (HEADER + ROWS).replace("\n", "\r\n"), "\n" + HEADER + ROWS[:-1]],
)
def test_marks_line_ends_and_gzip(tmp_path: Path, text: str) -> None:
    for path in (written(tmp_path, text), written(tmp_path, gzip.compress(text.encode()), "c.csv.gz")):
        rows, ragged = read(path)
        assert [row[0] for row in rows.values()] == ["a", "a", "a"]
        assert ragged == {}


LINES = st.lists(
    st.sampled_from(["a,1,2,3", "a,1,2", "a,1,2,3,4", "", "  ", 'a,"x\ny",2,3', ",,,", "a"]), max_size=60
)


@settings(max_examples=60, deadline=None)
@given(lines=LINES, block=st.sampled_from([32, 64, 1000]))
def test_every_row_has_its_number(tmp_path_factory: pytest.TempPathFactory, lines: list[str], block: int) -> None:
    """The numbers that Python's own reader of CSV gives, whatever the parser takes at a time."""
    text = HEADER + "\n".join(lines) + "\n"
    rows, ragged = read(written(tmp_path_factory.mktemp("csv"), text), block_bytes=block)
    every = [row for row in csv.reader(io.StringIO(text)) if len(row) > 1 or any(cell.strip() for cell in row)][1:]
    assert ragged == {number: len(row) for number, row in enumerate(every, 1) if len(row) != 4}
    assert rows == {
        number: tuple(cell or None for cell in row) for number, row in enumerate(every, 1) if len(row) == 4
    }


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is empty; export it again"),
        (b"\n \n", "it is empty; export it again"),
        (HEADER.replace(",", ";") + "a;10;40;2,5\n", "separated by semicolons; save it with commas"),
        (HEADER.replace(",", "\t"), "separated by tabs"),
        ("crp_mg_l," + HEADER, "the header crp_mg_l stands there more than once; keep one"),
        ("a,b\n1,2\n", "no column months_since_onset or visit_date"),
        ((HEADER + "M\xfcller,10,40,2.5\n").encode("latin-1"), "line 2 is not UTF-8 text (byte 0xfc); save it as"),
        ((HEADER.strip() + ",Gr\xf6\xdfe\n").encode("latin-1"), "line 1 is not UTF-8 text (byte 0xf6)"),
        (codecs.BOM_UTF8 + b"Gr\xf6\xdfe," + HEADER.encode(), "line 1 is not UTF-8 text (byte 0xf6)"),
        ((HEADER + ROWS).encode("utf-16"), "it is UTF-16 text; save it as UTF-8"),
        ((HEADER + ROWS).replace("\n", "\r"), "its lines end with carriage returns alone"),
        (
            HEADER + 'secret,10,40,"2.5\n' + ROWS,
            "line 2, field 4 (crp_mg_l): a quotation mark is not closed",
        ),
        (
            HEADER + 'secret,10,40,"2.5\n' + ROWS[:-1],
            "line 2, field 4 (crp_mg_l): a quotation mark is not closed",
        ),
        ('patient_id,"months_since_onset\n' + ROWS, "line 1, field 2: a quotation mark is not closed"),
        (HEADER + 'secret,10,40,"' + ROWS * 400_000, "a row is longer than 4 MiB; look for a quotation mark"),
    ],
)
def test_what_is_no_table(tmp_path: Path, data: str | bytes, says: str) -> None:
    told = fault(written(tmp_path, data))
    assert says in told
    assert "secret" not in told


def test_a_single_mark_in_a_text_is_no_fault(tmp_path: Path) -> None:
    rows, _ = read(written(tmp_path, HEADER + 'a,10,40,5" needle\n' + 'b,11,40,"two\nlines"\n'))
    assert [row[0] for row in rows.values()] == ["a", "b"]


def test_gzip_that_ends_in_the_middle_or_is_damaged(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + "".join(f"p{n},10,{n % 49},2.5\n" for n in range(5000))).encode())
    assert "it ends in the middle" in fault(written(tmp_path, whole[: len(whole) // 2], "half.csv.gz"))
    assert "gzip data are damaged" in fault(written(tmp_path, b"not gzip at all", "none.csv.gz"))
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2] ^= 0xFF
    assert "damaged" in fault(written(tmp_path, bytes(spoilt), "spoilt.csv.gz"))


def test_a_mapping_that_names_what_is_not_there(tmp_path: Path) -> None:
    mapping = ColumnMapping(sources={"months_since_onset": Source(("Month",))})
    with pytest.raises(ScoringFault, match="the mapping names Month, but the file has patient_id, months"):
        read(written(tmp_path, HEADER), mapping)


def test_a_repeated_header_that_nothing_reads_is_no_fault(tmp_path: Path) -> None:
    assert len(read(written(tmp_path, HEADER.strip() + ",note,note\na,1,2,3,x,y\n"))[0]) == 1


def test_a_header_that_no_row_fits(tmp_path: Path) -> None:
    many = "secret,1\n" * 100
    assert len(read(written(tmp_path, HEADER + (ROWS + many) * 3), most_ragged=100)[1]) == 300
    with pytest.raises(ScoringFault) as error:
        read(written(tmp_path, HEADER + ROWS + many + "secret,1\n"), most_ragged=100)
    assert "its header has 4 fields, and none of 100 rows after each other has so many" in str(error.value)
    assert "secret" not in str(error.value)


class Stopped(BaseException):
    """As a signal raises it."""


@pytest.fixture
def stopped_in(request: pytest.FixtureRequest) -> Iterator[None]:
    """A signal every half a millisecond, which stops what it meets in a function of this name."""

    def stop(number: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code.co_name == request.param:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise Stopped

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("stopped_in", "raises"),
    [("_all_ragged", Stopped), ("ragged_row", (Stopped, KeyboardInterrupt))],
    indirect=["stopped_in"],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_stops_a_run_in_the_midst_of_a_ragged_row_stops_it(
    stopped_in: None, raises: type[BaseException], tmp_path: Path
) -> None:
    """The parser swallows what its callback raises, and would make a fault of the file of it."""
    path = written(tmp_path, HEADER + ("a,1\n" + ROWS) * 30_000)
    with pytest.raises(raises):  # signals are for this thread, which seldom leaves all of a file to another
        deque((read(path, block_bytes=2**14) for _ in range(30)), maxlen=0)


def test_a_text_that_swallowed_the_next_row_is_no_ragged_row(tmp_path: Path) -> None:
    told = fault(written(tmp_path, HEADER + 'secret,"10,40,2.5\nb,11,40,"2.5\n' + ROWS))
    assert "line 3, field 2 (months_since_onset): text stands after the mark that ends a quoted text" in told
    assert "secret" not in told


def test_a_ragged_row_over_several_lines_tells_of_the_mark(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + 'a,10,"40\nok"\n' + ROWS)
    [ragged] = [each for piece in open_csv(path, ColumnMapping()).pieces() for each in piece.ragged]
    assert "goes over 2 lines; look for a quotation mark" in str(ragged.problem)


def test_a_header_again_in_the_middle_is_a_row_of_its_own_which_is_rejected_later(tmp_path: Path) -> None:
    rows, ragged = read(written(tmp_path, HEADER + ROWS + HEADER + "Total,,117,\nTotal,117\n"))
    assert rows[4] == ("patient_id", "months_since_onset", "alsfrs_r_total", "crp_mg_l")
    assert rows[5] == ("Total", None, "117", None)
    assert ragged == {6: 2}


def test_headers_without_a_name_are_not_read(tmp_path: Path) -> None:
    source = open_csv(written(tmp_path, "," + HEADER.strip() + ",\n0,a,10,40,2.5,\n"), ColumnMapping())
    assert source.every_header.not_read == ("", "")
    assert source.every_header.near == {}
