"""What no CSV file may hold, wherever it stands and however the bytes come; and all that may stay."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.strict_csv import CsvFault, StrictCsv, faulty_line, require_strict

HEADER = b"id,month,score,note\n"
ROWS = b"a,10,40,\nb,11,39,ok\nc,12,38,\n"


def told(data: bytes) -> str:
    with pytest.raises(CsvFault) as error:
        require_strict(data)
    return str(error.value)


def fed(data: bytes, size: int) -> None:
    check = StrictCsv()
    for begins in range(0, len(data), size):
        check.feed(data[begins : begins + size])
    check.finish()


SWALLOWED = b'a,10,40,"fell\nb,11,39,ok\nc,12,38,\n'
FAULTS = [
    (HEADER + SWALLOWED + b'd,13,37,5" step\n', "line 5, field 4 (note): text stands after the mark"),
    (HEADER + SWALLOWED + b'd,13,37,hurt"\ne,14,36,\n', "lines 2 to 5, field 4 (note): between one quotation mark"),
    (HEADER + b'a,10,40,"fell\nb,11,39,hurt"\n', "lines 2 to 3, field 4 (note): between one quotation mark"),
    (HEADER + b'a,10,40,"fell, twice\nb,11,39,ok\nc,12,38,hurt"\n', "lines 2 to 4, field 4 (note): between"),
    (HEADER + b'a,10,40,"fell\n\nb,11,39,\n\nc,12,38,hurt"\n', "lines 2 to 6, field 4 (note): between"),
    (HEADER + b'a,10,"40,\nb,11,39,\nc,12,38,"\n', "lines 2 to 4, field 3 (score): between"),
    (HEADER + b'"a,10,40,\nb",11,39,\n', "lines 2 to 3, field 1 (id): between"),
    (HEADER + b'a,10,40,"fell"x\n', "line 2, field 4 (note): text stands after"),
    (HEADER + b'a,10,40,"fell" \n', "line 2, field 4 (note): text stands after"),
    (HEADER + b'a,10,40,""fell""\n', "line 2, field 4 (note): text stands after"),
    (HEADER + b'a,10,"40"39,\n', "line 2, field 3 (score): text stands after"),
    (HEADER + b'a,10,40,x\nb,"11" ,39,\n', "line 3, field 2 (month): text stands after"),
    (HEADER + ROWS + b'd,13,37,"fell\n' + ROWS, "line 5, field 4 (note): a quotation mark is not closed"),
    (HEADER + ROWS + b'd,13,37,"', "line 5, field 4 (note): a quotation mark is not closed"),
    (HEADER + ROWS + b'd,13,37,"a""', "line 5, field 4 (note): a quotation mark is not closed"),
    (HEADER + b"a,10,40,x\0y\n", "line 2 holds a byte 0"),
    (HEADER + b'a,10,40,"x\0"\n', "line 2 holds a byte 0"),
    (HEADER + b"a,10,40,x\ry\n", "line 2 holds a carriage return within it"),
    (HEADER + b'a,10,40,"x"\ry\n', "line 2 holds a carriage return within it"),
    (HEADER + b'a,10,40,"x"\nb,1\r1,39,\n', "line 3 holds a carriage return within it"),
    ((HEADER + ROWS).replace(b"\n", b"\r"), "its lines end with carriage returns alone"),
    (HEADER + ROWS.replace(b"\n", b"\r"), "line 2 holds a carriage return within it"),
    ((HEADER + ROWS).decode().encode("utf-16"), "it is UTF-16 text; save it as UTF-8"),
    ((HEADER + ROWS).decode().encode("utf-16-le"), "line 1 holds a byte 0"),
    (b'id,"month"x,score\n1,2,3\n', "line 1, field 2: text stands after"),
    (b'id,"month\n1,2\n', "line 1, field 2: a quotation mark is not closed"),
]


@pytest.mark.parametrize(("data", "says"), FAULTS)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_faults(data: bytes, says: str, size: int) -> None:
    assert told(data).startswith(says)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return  # the mark of byte order is looked for in the first block alone, which a header's line is
    with pytest.raises(CsvFault) as error:
        fed(data, size)
    assert str(error.value) == told(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        HEADER,
        HEADER + ROWS,
        b"\xef\xbb\xbf" + HEADER + ROWS,
        b'\xef\xbb\xbf"id","month"\r\n"a","10"\r\n',
        (HEADER + ROWS).replace(b"\n", b"\r\n"),
        HEADER + ROWS[:-1],
        HEADER + b'a,10,40,5" step\n',  # a mark within a text that has not begun with one is a letter
        HEADER + b'a,10,40,she said "no"\n',
        HEADER + b'a,10,40, "x"\n',
        HEADER + b'a,10,40,"she said ""no"", twice"\n',
        HEADER + b'a,10,40,""\nb,10,40,""""\n',
        HEADER + b'a,10,40,"one\ntwo\nthree"\nb,11,39,"a, b\nc, d"\n',
        HEADER + b'a,10,40,"one\r\ntwo\rthree"\r\n',
        HEADER + b'"a\nb",10,40,x\n',
        b'id,"two\nlines"\na,"x\ny"\n\nb,z\n',
        b'one\n"a\nb"\n',
        b"id,month\r\na,10\r",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_what_is_csv_stays(data: bytes, size: int) -> None:
    require_strict(data)
    fed(data, max(size, 3))


def test_a_row_without_end() -> None:
    check = StrictCsv(longest=1000)
    check.feed(HEADER + ROWS)
    with pytest.raises(CsvFault, match=r"line 5: a row is longer than .* MiB; look for a quotation mark"):
        check.feed(b'd,13,37,"' + b"x,1,2,\n" * 200)


def test_no_cell_is_in_a_message() -> None:
    for data, _ in FAULTS:
        for word in ("fell", "hurt", ", twice", "step"):
            assert word not in told(data)


CELLS = st.sampled_from(["", "a", '"', "x,y", "two\nlines", 'say "no"', "1.5", '"q"', "a\nb,c", "é"])


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.lists(CELLS, min_size=9, max_size=9), max_size=8),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    ending=st.sampled_from(["\n", "\r\n"]),
    size=st.integers(3, 40),
)
def test_what_a_writer_of_csv_writes_is_never_refused(
    rows: list[list[str]], quoting: int, ending: str, size: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator=ending)  # type: ignore[arg-type]
    writer.writerows([[f"h{at}" for at in range(9)], *rows])
    require_strict(text.getvalue().encode())
    fed(text.getvalue().encode(), size)


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from('a1,"\n'), max_size=40))
def test_what_is_taken_is_what_a_strict_reader_takes(text: str) -> None:
    """The standard library's reader in its strict mode, which takes a mark within a plain text as it is, too."""
    data = "h,h,h,h,h,h,h\n" + text
    try:
        list(csv.reader(io.StringIO(data), strict=True))
        taken = True
    except csv.Error:
        taken = False
    assert refusal(data.encode()) in (("", "rows") if taken else ("marks",))


def refusal(data: bytes) -> str:
    try:
        require_strict(data)
    except CsvFault as fault:
        return "rows" if "between one quotation mark" in str(fault) else "marks"
    return ""


def test_a_line_by_itself() -> None:
    headers = ["id", "note"]
    assert faulty_line([b"1,a", b'2,"b"', b'3,5" step', b'4,"a"\r'], headers) is None
    for line, says in (
        (b'2,"b', ", field 2 (note): a quotation mark is not closed"),
        (b'2,"b"c', ", field 2 (note): text stands after"),
        (b"2,b\0", " holds a byte 0"),
        (b"2,b\rc", " holds a carriage return"),
    ):
        found = faulty_line([b"1,a", line, b"3,c"], headers)
        assert found is not None
        assert found[0] == 1
        assert found[1].startswith(says)
