"""Mapping files: other headers, units and codes, and every problem in one message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.mapping import ColumnMapping, MappingError, apply_mapping, read_mapping
from training.cohort import read_cohort

PROACT = Path(__file__).parents[2] / "training" / "mappings" / "proact.toml"


def mapping(tmp_path: Path, text: str) -> ColumnMapping:
    path = tmp_path / "mapping.toml"
    path.write_text(text, "utf-8")
    return read_mapping(path)


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(MappingError) as error:
        mapping(tmp_path, text)
    return str(error.value)


def test_header_values_flags_and_sum(tmp_path: Path) -> None:
    found = mapping(
        tmp_path,
        """
        [columns]
        patient_id = "ID"
        sex = { header = "Sex", values = { 1 = "female", 2 = "male" } }
        onset_site = { flags = { bulbar = "B", spinal = "S" } }
        months_since_onset = { sum = ["to_baseline", "month"] }
        crp_mg_l = { header = "CRP", unit = "mg/dL" }
        """,
    )
    frame = pd.DataFrame(
        {
            "ID": ["a", "a", "b", "c"],
            "Sex": [1.0, 1.0, 2.0, None],
            "B": [1, 1, 0, None],
            "S": [0.0, 0.0, 1.0, 0.0],
            "to_baseline": [10.5, 10.5, 8, None],
            "month": [0, 3, 0, 0],
            "CRP": [0.2, None, 1.1, 0.4],
            "Ward": ["x", "x", "y", "y"],
        }
    )
    columns, unused = apply_mapping(found, frame)
    table = pd.DataFrame(columns)
    assert table["sex"].tolist()[:3] == ["female", "female", "male"]
    assert pd.isna(table["sex"][3])
    assert table["onset_site"].tolist()[:3] == ["bulbar", "bulbar", "spinal"]
    assert pd.isna(table["onset_site"][3])
    assert table["months_since_onset"].tolist()[:3] == [10.5, 13.5, 8.0]
    assert np.isnan(table["months_since_onset"][3])
    assert table["crp_mg_l"].tolist()[0] == 0.2  # in the file's unit: features/ converts
    assert found.units == {"crp_mg_l": "mg/dL"}
    assert unused == ["Ward"]


def test_units_are_converted_on_the_way_to_the_record(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(
        """
        [columns]
        patient_id = "ID"
        months_since_onset = { header = "years", unit = "a" }
        alsfrs_r_total = "score"
        crp_mg_l = { header = "CRP", unit = "mg/dL" }
        """,
        "utf-8",
    )
    file = tmp_path / "clinic.csv"
    file.write_text("ID,years,score,CRP\n007,1.0,40,0.82\n007,1.5,37,<0.1\n", "utf-8")
    [example] = read_cohort(file, path).examples
    assert example.patient_id == "007"  # identifiers stay text
    assert example.record.index_visit.month == 12.0
    assert example.record.index_visit.measurements["crp"].value == pytest.approx(8.2)
    assert example.outcome.progression_rate == pytest.approx(0.5)


def test_without_columns_they_go_by_their_own_names() -> None:
    frame = pd.DataFrame({"patient_id": ["a"], "crp_mg_l": [1.0], "site": ["x"], "odd": [1]})
    table, unused = apply_mapping(ColumnMapping(name="x"), frame)
    assert list(table) == ["patient_id", "crp_mg_l", "site"]
    assert unused == ["odd"]


def test_every_problem_of_a_mapping_in_one_message(tmp_path: Path) -> None:
    text = refused(
        tmp_path,
        """
        owner = "nobody"
        name = 5
        scale = "alsfrs"
        [columns]
        crp = "CRP"
        il6_pg_ml = { header = "IL6", unit = "pg" }
        sex = { header = "Sex", values = { F = "woman" } }
        onset_site = { flags = { limb = "L" } }
        nfl_pg_ml = { header = "a", sum = ["b"] }
        age_years = { unit = "a" }
        weight_kg = { head = "w" }
        height_cm = 7
        fvc_pct = {}
        bmi_kg_m2 = { sum = "bmi" }
        nlr = { sum = [] }
        pulse_bpm = { header = "p", values = ["x"] }
        c9orf72 = { flags = {} }
        riluzole = { flags = { yes = 1 } }
        svc_pct = { sum = ["a", "b"], values = { 1 = "x" } }
        """,
    )
    assert text.startswith(f"mapping {tmp_path}/mapping.toml: ")
    for problem in (
        "unknown key 'owner'",
        "name is not a text",
        "scale 'alsfrs' is not one of alsfrs_r_total, alsfrs_total",
        "column 'crp' is not in the vocabulary (is it crp_mg_l?)",
        "column 'il6_pg_ml': unit 'pg' is not one of pg/mL",
        "column 'sex': value 'woman' is not one of female, male",
        "column 'onset_site': value 'limb' is not one of bulbar, spinal, respiratory",
        "column 'nfl_pg_ml': give exactly one of header, flags, sum",
        "column 'age_years': give exactly one of header, flags, sum",
        "column 'weight_kg': give a header, or a table of flags, header, sum, unit, values",
        "column 'height_cm': give a header",
        "column 'fvc_pct': give a header",
        "column 'bmi_kg_m2': sum is not a list of texts",
        "column 'nlr': sum is not a list of texts",
        "column 'pulse_bpm': values is not a table of texts",
        "column 'c9orf72': flags is not a table of texts",
        "column 'riluzole': flags is not a table of texts",
        "column 'svc_pct': values does not go with sum",
    ):
        assert problem in text
    assert len(text.split("; ")) == 18


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[columns", "mapping"),
        ("columns = 3", "columns is not a table"),
        ("scale = ['alsfrs_total']", "is not one of"),
    ],
)
def test_a_file_of_another_kind(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(tmp_path, text)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="No such file"):
        read_mapping(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(MappingError, match="decode"):
        read_mapping(tmp_path / "binary.toml")


CONFLICTS = [
    ("crp_mg_l = 'CRP'\nnfl_pg_ml = 'CRP'", "header 'CRP' is given to crp_mg_l and nfl_pg_ml; one header is one"),
    (
        "crp_mg_l = 'CRP'\nnfl_pg_ml = { header = 'CRP', unit = 'pg/mL' }",
        "header 'CRP' is given to crp_mg_l and nfl",
    ),
    ("crp_mg_l = 'CRP'\nnfl_pg_ml = { sum = ['CRP'] }", "header 'CRP' is given to crp_mg_l and nfl_pg_ml"),
    ("crp_mg_l = 'CRP'\ncrp_mg_l_comparator = 'CRP'", "header 'CRP' is given to crp_mg_l and crp_mg_l_comparator"),
    ("alsfrs_total = 'score'\nalsfrs_r_total = 'score'", "header 'score' is given to alsfrs_total and alsfrs_r_"),
    ("patient_id = 'ID'\nsite = 'ID'", "header 'ID' is given to patient_id and site"),
    ("visit_date = 'day'\nonset_date = 'day'", "header 'day' is given to visit_date and onset_date"),
    ("sex = 'X'\nc9orf72 = 'X'", "header 'X' is given to sex and c9orf72"),
    (
        "sex = { header = 'X', values = { F = 'female' } }\ncrp_mg_l = 'X'",
        "header 'X' is given to sex and crp_mg_l",
    ),
    ("nlr = { sum = ['a', 'b'] }\ncrp_mg_l = { sum = ['b', 'a'] }", "header 'a' is given to nlr and crp_mg_l"),
    (
        "onset_site = { flags = { bulbar = 'B', spinal = 'B' } }",
        "column 'onset_site': header 'B' stands there twice",
    ),
    ("onset_site = { flags = { bulbar = 'B' } }\nsite = 'B'", "header 'B' is given to onset_site and site"),
    (
        "onset_site = { flags = { bulbar = 'B' } }\nriluzole = { flags = { yes = 'B' } }",
        "header 'B' is given to onset_site and riluzole",
    ),
    ("months_since_onset = { sum = ['month', 'month'] }", "header 'month' stands there twice"),
    ("crp_mg_l = 'nfl_pg_ml'", "column 'crp_mg_l': header 'nfl_pg_ml' is the column of another quantity"),
    ("crp_mg_l = ''", "column 'crp_mg_l': a header is empty"),
    ("patient_id = { sum = ['a', 'b'] }", "column 'patient_id': sum is for numbers, and this is none"),
    ("crp_mg_l = { unit = 'mg/L' }", "column 'crp_mg_l': give exactly one of header, flags, sum"),
    ("CRP = 'crp'", "column 'CRP' is not in the vocabulary (is it crp_mg_l?)"),
    ("comment = 'note'", "column 'comment' is not in the vocabulary (`tregcast vocabulary` lists it)"),
]


@pytest.mark.parametrize(("columns", "says"), CONFLICTS)
def test_one_header_for_two_things(tmp_path: Path, columns: str, says: str) -> None:
    text = refused(tmp_path, f"[columns]\n{columns}\n")
    assert says in text
    assert "; mapping" not in text


@pytest.mark.parametrize(
    "columns",
    [
        "months_since_onset = { sum = ['base', 'month'] }\ndeath_month = { sum = ['base', 'death'] }",
        "months_since_onset = 'month'\nage_years = { sum = ['onset_age', 'month'] }",
        "alsfrs_speech = 'q1'\nalsfrs_r_total = { sum = ['q1', 'q2'] }",
        "sex = { header = 'G', values = { A = 'female' } }\nriluzole = { header = 'G', values = { A = 'yes' } }",
        "crp_mg_l = 'crp_mg_l'\nnfl_pg_ml = 'nfl_pg_ml'",
    ],
)
def test_headers_that_may_be_shared(tmp_path: Path, columns: str) -> None:
    assert len(mapping(tmp_path, f"[columns]\n{columns}\n").sources) == 2


def test_all_that_share_one_header_are_named(tmp_path: Path) -> None:
    text = refused(tmp_path, "[columns]\ncrp_mg_l = 'X'\nnlr = 'X'\nnfl_pg_ml = 'X'\n")
    for pair in ("crp_mg_l and nlr", "crp_mg_l and nfl_pg_ml", "nlr and nfl_pg_ml"):
        assert f"header 'X' is given to {pair}" in text


def test_headers_that_are_left_out_on_purpose(tmp_path: Path) -> None:
    found = mapping(tmp_path, "ignore = ['crp_mg_l', 'Ward']")
    table, unused = apply_mapping(found, {"crp_mg_l": [1], "nlr": [2], "Ward": ["x"]})
    assert table == {"nlr": [2]}
    assert unused == ["crp_mg_l", "Ward"]
    assert "header 'CRP' is read for crp_mg_l and stands in ignore" in refused(
        tmp_path, "ignore = ['CRP']\n[columns]\ncrp_mg_l = 'CRP'"
    )
    for wrong in ("'CRP'", "[1]", "{ a = 'b' }", "3"):
        assert "ignore is not a list of texts" in refused(tmp_path, f"ignore = {wrong}")


def test_headers_that_the_file_does_not_have(tmp_path: Path) -> None:
    found = mapping(tmp_path, "[columns]\npatient_id = 'ID'\nsex = 'Sex'\ncrp_mg_l = 'CRP'")
    with pytest.raises(MappingError, match="the file has no column ID, Sex; it has CRP, id"):
        apply_mapping(found, pd.DataFrame({"CRP": [1], "id": [1]}))


def test_cells_that_do_not_fit_all_in_one_message(tmp_path: Path) -> None:
    found = mapping(
        tmp_path,
        """
        [columns]
        sex = { header = "Sex", values = { F = "female", M = "male" } }
        onset_site = { flags = { bulbar = "B", spinal = "S" } }
        months_since_onset = { sum = ["a", "b"] }
        """,
    )
    frame = pd.DataFrame(
        {"Sex": ["F", "X", 3.0], "B": [1, 2, "yes"], "S": [1, 0, 0], "a": ["1", "x", None], "b": [1, 1, 1]}
    )
    with pytest.raises(MappingError) as error:
        apply_mapping(found, frame)
    text = str(error.value)
    assert "column 'sex': no value for the codes 3, X of 'Sex'" in text
    assert "column 'onset_site': 1 rows set more than one of B, S" in text
    assert "column 'onset_site': 2 rows have something else than 0 or 1 in B, S" in text
    assert "column 'months_since_onset': 1 rows have no number in a, b" in text


def test_the_bundled_mapping_of_trial_visits() -> None:
    found = read_mapping(PROACT)
    assert found.name == "PRO-ACT"
    assert found.provenance.startswith("real: ")
    assert found.scale == "alsfrs_total"
    assert found.sources["months_since_onset"].headers == ("months_since_onset", "month")
    assert "fvc_l" in found.sources  # litres are not % of predicted
    assert "fvc_pct" not in found.sources
    assert found.units == {}


def test_a_mapping_cannot_make_simulated_patients_real(reference_frame: pd.DataFrame, tmp_path: Path) -> None:
    file, path = tmp_path / "cohort.csv", tmp_path / "mapping.toml"
    reference_frame.head(200).to_csv(file, index=False)
    columns = "[columns]\npatient_id = 'patient_id'\nmonths_since_onset = 'months_since_onset'\n"
    columns += "alsfrs_r_total = 'alsfrs_r_total'\n"
    for text in (columns, "provenance = 'real: our clinic'\n" + columns, "name = 'Our clinic'"):
        path.write_text(text, "utf-8")
        cohort = read_cohort(file, path)
        assert cohort.simulated
        assert reference_frame["provenance"][0] in cohort.provenance
        assert "provenance" not in cohort.report.unused_headers


CONSTANTS = """
[columns]
patient_id = "ID"
treg_count_per_ul = "Tregs"

[constants]
treg_gate = "foxp3"
"""


def test_how_values_were_measured_may_be_said_once_for_a_file(tmp_path: Path) -> None:
    found = mapping(tmp_path, CONSTANTS)
    table, unused = apply_mapping(found, {"ID": ["a", "b"], "Tregs": [40.0, 50.0], "Ward": [1, 2]})
    assert {name: list(cells) for name, cells in table.items()} == {
        "patient_id": ["a", "b"],
        "treg_count_per_ul": [40.0, 50.0],
        "treg_gate": ["foxp3", "foxp3"],
    }
    assert unused == ["Ward"]


def test_constants_go_without_columns(tmp_path: Path) -> None:
    found = mapping(tmp_path, '[constants]\ntreg_responder_ratio = "1:4"')
    table, _ = apply_mapping(found, {"patient_id": ["a"], "treg_suppression_pct": [40.0]})
    assert pd.DataFrame(table)["treg_responder_ratio"].tolist() == ["1:4"]


def test_a_constant_and_a_column_of_one_name_are_refused(tmp_path: Path) -> None:
    found = mapping(tmp_path, CONSTANTS)
    with pytest.raises(MappingError, match="states treg_gate for all rows, and the file has a column of that name"):
        apply_mapping(found, {"ID": ["a"], "Tregs": [40.0], "treg_gate": ["cd25high"]})


def test_codes_of_a_gate_are_mapped_as_those_of_a_category(tmp_path: Path) -> None:
    found = mapping(tmp_path, '[columns]\ntreg_gate = { header = "G", values = { "CD25hi" = "cd25high" } }')
    assert apply_mapping(found, {"G": ["CD25hi", None]})[0] == {"treg_gate": ["cd25high", None]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('constants = "foxp3"', "constants is not a table"),
        (
            '[constants]\nsex = "female"',
            "constant 'sex': says nothing of how a quantity was measured",
        ),
        ('[constants]\ntreg_gate = "CD25"', "'CD25' is not one of cd25_cd127low, foxp3, cd25high, unknown"),
        ("[constants]\ntreg_gate = 1", "constant 'treg_gate': 1 is not one of"),
        ('[columns]\ntreg_gate = "G"\n[constants]\ntreg_gate = "foxp3"', "[columns] reads it too; drop one"),
        ('[columns]\ntreg_gate = { header = "G", values = { a = "b" } }', "value 'b' is not one of cd25_cd127low"),
        ('[columns]\nleukocytes_10e9_l = { header = "W", unit = "G/L" }', 'is "10*9/L" meant?'),
    ],
)
def test_a_wrong_constant_is_named_with_its_remedy(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(tmp_path, text)


def test_a_unit_of_a_mapping_may_be_any_legal_form(tmp_path: Path) -> None:
    found = mapping(tmp_path, '[columns]\ncrp_mg_l = { header = "CRP", unit = "mg/dl" }')
    assert found.units == {"crp_mg_l": "mg/dL"}
