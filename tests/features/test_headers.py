"""Headers that are like a column that nothing gives: by what they differ, and what makes them harmless."""

from __future__ import annotations

import pytest

from features.headers import headers_of
from features.mapping import ColumnMapping, Source
from features.table import known_columns
from scoring.sources.wanted import wanted

READ = ("patient_id", "months_since_onset", "alsfrs_r_total")


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("NfL_pg_ml", "nfl_pg_ml"),  # case
        ("nfl_pg_mL", "nfl_pg_ml"),
        (" nfl_pg_ml", "nfl_pg_ml"),  # blanks
        ("nfl_pg_ml ", "nfl_pg_ml"),
        ("nfl pg ml", "nfl_pg_ml"),
        ("nfl-pg-ml", "nfl_pg_ml"),  # signs between words
        ("NfL (pg/mL)", "nfl_pg_ml"),
        ("nfl", "nfl_pg_ml"),  # without its unit
        ("crp_mg_dl", "crp_mg_l"),  # another unit
        ("crp_mgl", "crp_mg_l"),  # a letter less
        ("nlf_pg_ml", "nfl_pg_ml"),  # two letters changed over
        ("Albumin", "albumin_g_l"),  # a label
        ("Age", "age_years"),
        ("crp_comparator", "crp_mg_l_comparator"),
        ("CRP_mg_l_comparator", "crp_mg_l_comparator"),
        ("Treg_Responder_Ratio", "treg_responder_ratio"),
        ("\ufeffnfl_pg_ml", "nfl_pg_ml"),
    ],
)
def test_like_a_column(header: str, column: str) -> None:
    found = headers_of(READ, (header,), READ)
    assert found.near[header][0] == column
    assert f"{header!r} is no column of the vocabulary and is not read, but is like {column}" in found.warnings[0]
    assert not headers_of(READ, (header,), (*READ, column)).near.get(header, ("",))[0].startswith(column)


@pytest.mark.parametrize(
    "header", ["comment", "ward", "study", "", " ", "Unnamed: 0", "q17", "note.1", "\u75c5\u9662"]
)
def test_like_none(header: str) -> None:
    found = headers_of(READ, (header,), READ)
    assert found.near == {}
    assert found.not_read == (header,)


def test_a_date_is_not_missed_beside_the_months_nor_the_months_beside_a_date() -> None:
    assert headers_of(READ, ("visit", "VisitDate", "onset_Date"), READ).near == {}
    dated = ("patient_id", "visit_date", "onset_date")
    assert headers_of(dated, ("Months since onset",), dated).near == {}


def test_every_column_of_the_vocabulary_in_capitals_is_like_itself() -> None:
    for column in known_columns():
        if column not in READ:
            assert headers_of(READ, (column.upper(),), ("patient_id",)).near[column.upper()][0] == column


def test_what_a_mapping_leaves_out_is_said_unless_on_purpose() -> None:
    sources = {name: Source((name,)) for name in READ} | {"sex": Source(("S",))}
    headers = [*READ, "S", "crp_mg_l", "ward", "NfL"]
    every = wanted("f.csv", headers, ColumnMapping(sources=sources)).every
    assert every.read == (*READ, "S")
    assert every.not_read == ("crp_mg_l", "ward", "NfL")
    assert every.near == {"crp_mg_l": ("crp_mg_l",), "NfL": ("nfl_pg_ml",)}
    assert every.warnings == [
        "header 'crp_mg_l' is a column of the vocabulary, but the mapping leaves it out; map it "
        '(crp_mg_l = "crp_mg_l"), or put it into ignore = [...] of the mapping',
        "header 'NfL' is no column of the vocabulary and is not read, but is like nfl_pg_ml; rename it, map it "
        '(nfl_pg_ml = { header = "NfL", unit = "..." }), or put it into ignore = [...] of a mapping',
    ]
    ignored = frozenset({"crp_mg_l", "NfL"})
    every = wanted("f.csv", headers, ColumnMapping(sources=sources, ignored=ignored)).every
    assert every.near == {}
    assert every.not_read == ("crp_mg_l", "ward", "NfL")


def test_lines_for_people() -> None:
    found = headers_of(["nlr", "crp_mg_l"], ["", "ward"], ["nlr", "crp_mg_l"]).for_model({"nlr"})
    assert found.lines() == [
        "headers read: nlr, crp_mg_l",
        "headers not read: (no name), ward",
        "read, but no feature of this model: crp_mg_l",
        "no patient_id is read: each row is a patient of its own",
    ]
    many = headers_of(["patient_id"], [f"x{at}" for at in range(120)], ["patient_id"])
    assert many.lines()[1].endswith(", x99 and 20 more")
