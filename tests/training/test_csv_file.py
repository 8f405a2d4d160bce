"""CSV files that would be read wrongly without a word are refused, with the line and the remedy."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from training.cohort import CohortError, read_cohort
from training.cohort_table import read_cohort_table
from training.csv_file import Layout, LayoutError, read_layout

HEADER = "patient_id,months_since_onset,alsfrs_r_total,crp_mg_l\n"
ROWS = "a,10,40,2.5\na,13,39,\na,16,37,3\n"


def written(tmp_path: Path, data: str | bytes, name: str = "c.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is empty; export it again"),
        (b"\n \n", "it is empty; export it again"),
        (HEADER.replace(",", ";") + "a;10;40;2,5\n", "separated by semicolons; save it with commas"),
        (HEADER.replace(",", "\t") + "a\t10\t40\t2.5\n", "separated by tabs"),
        (HEADER + "a,10,40,2,5\na,13,39,3\n", "the header has 4 fields, but line 2 has 5; put a text"),
        (HEADER + ROWS + "\nb,10,40\n", "the header has 4 fields, but line 6 has 3"),
        (HEADER + "a,1\n" * 14, "line 11 has 2 (and 4 more lines)"),
        ("crp_mg_l," + HEADER + "1," + ROWS[:12], "the header crp_mg_l stands there 2 times; keep one"),
        (
            (HEADER + "a,10,40,2.5,M\xfcller\n").encode("latin-1"),
            "line 2 is not UTF-8 text (byte 0xfc); save it as",
        ),
        ((HEADER + ROWS).encode("utf-16"), "it is UTF-16 text; save it as UTF-8"),
    ],
)
def test_a_file_that_would_be_read_wrongly(tmp_path: Path, data: str | bytes, says: str) -> None:
    path = written(tmp_path, data)
    with pytest.raises(CohortError) as error:
        read_cohort(path)
    assert str(error.value).startswith(f"{path}: cannot be read: ")
    assert says in str(error.value)


def test_what_stands_in_a_file_is_not_in_the_message(tmp_path: Path) -> None:
    for data in (HEADER + "secret,10,40,2,5\n", HEADER.encode() + b"secret\xfc,1,2,3\n"):
        with pytest.raises(CohortError) as error:
            read_cohort(written(tmp_path, data))
        assert "secret" not in str(error.value)


def test_all_problems_of_the_layout_at_once(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"crp_mg_l stands there 2 times.*; the header has 5 fields"):
        read_layout(written(tmp_path, "crp_mg_l," + HEADER + ROWS), {"crp_mg_l"})


def test_a_field_too_many_on_every_row_would_move_every_value(tmp_path: Path) -> None:
    """What pandas makes of it: patient 10 with 40 months, without a word."""
    path = written(tmp_path, HEADER + "a,10,40,2.5,\nb,11,41,2.5,\n")
    assert list(pd.read_csv(path)["patient_id"]) == [10, 11]
    with pytest.raises(CohortError, match="line 2 has 5, line 3 has 5"):
        read_cohort(path)


@pytest.mark.parametrize("data", [HEADER + ROWS, "\ufeff" + HEADER + ROWS, (HEADER + ROWS).replace("\n", "\r\n")])
def test_good_files_are_read_as_before(tmp_path: Path, data: str) -> None:
    for name, body in (("c.csv", data.encode()), ("c.csv.gz", gzip.compress(data.encode(), mtime=0))):
        table = read_cohort_table(written(tmp_path, body, name))
        assert [row["patient_id"] for row in table.rows] == ["a", "a", "a"]
        assert table.rows[0]["crp_mg_l"] == 2.5
        assert table.lines == (2, 3, 4)


def test_a_repeated_header_that_nothing_reads_is_no_fault(tmp_path: Path) -> None:
    text = HEADER.strip() + ",note,note\n" + "".join(f"{row},x,y\n" for row in ROWS.split())
    table = read_cohort_table(written(tmp_path, text))
    assert table.unused_headers == ("note", "note.1")


def test_lines_count_line_breaks_within_quotation_marks_and_blank_lines(tmp_path: Path) -> None:
    text = 'patient_id,"two\nlines"\na,"x\ny"\n\nb,z\n'
    assert read_layout(written(tmp_path, text)) == Layout(("patient_id", "two\nlines"), (3, 6))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ('a,10,40,"2.5\n' + ROWS, "line 2, field 4 (crp_mg_l): a quotation mark is not closed"),
        (
            'a,10,40,"secret\n' + ROWS + 'b,11,40,5" step\n',
            "line 6, field 4 (crp_mg_l): text stands after the mark",
        ),
        ('a,10,40,"secret\n' + ROWS + 'b,11,40,step"\n', "lines 2 to 6, field 4 (crp_mg_l): between one quotation"),
        ("a,10,40,2\0" + "5\n" + ROWS, "line 2 holds a byte 0"),
        ("a,10,40,2\r5\n" + ROWS, "line 2 holds a carriage return within it"),
    ],
)
def test_what_would_swallow_rows(tmp_path: Path, rows: str, says: str) -> None:
    """What pandas makes of the second and third: 2 rows for 5, and 1, without a word."""
    path = written(tmp_path, HEADER + rows)
    with pytest.raises(CohortError) as error:
        read_cohort(path)
    assert says in str(error.value)
    assert "secret" not in str(error.value)


def test_lines_that_end_with_carriage_returns_alone(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="its lines end with carriage returns alone; save it with line feeds"):
        read_cohort(written(tmp_path, (HEADER + ROWS).replace("\n", "\r")))


def test_a_header_again_in_the_middle_and_a_footer_are_patients_that_are_left_out(tmp_path: Path) -> None:
    report = read_cohort(written(tmp_path, HEADER + ROWS + HEADER + "Total,,117,\n")).report
    assert (report.patients, report.patients_excluded, report.examples) == (3, 2, 2)
