"""The vocabulary file is held to its rules; expected values are by hand or from the definition of the unit."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from math import sqrt
from pathlib import Path

import pytest

import features.vocabulary
from features.units import to_canonical
from features.vocabulary import Category, Quantity, vocabulary

WORDS = vocabulary()
QUANTITIES = list(WORDS.quantities.values())
CATEGORIES = list(WORDS.categories.values())
TEXT = Path(features.vocabulary.__file__).with_name("vocabulary.toml").read_text("utf-8")


def named(item: Quantity | Category) -> str:
    return item.name


each_quantity = pytest.mark.parametrize("quantity", QUANTITIES, ids=named)

# UCUM code -> what it measures, and its size in the base unit named there.
UNITS = {
    "/uL": ("count per L", 1e6),
    "{cells}/uL": ("count per L", 1e6),
    "10*3/uL": ("count per L", 1e9),
    "10*6/L": ("count per L", 1e6),
    "10*9/L": ("count per L", 1e9),
    "1": ("ratio", 1.0),
    "%": ("ratio", 0.01),
    "g/L": ("g per L", 1.0),
    "g/dL": ("g per L", 10.0),
    "mg/L": ("g per L", 1e-3),
    "mg/dL": ("g per L", 1e-2),
    "ug/L": ("g per L", 1e-6),
    "ug/mL": ("g per L", 1e-3),
    "ng/L": ("g per L", 1e-9),
    "ng/mL": ("g per L", 1e-6),
    "pg/mL": ("g per L", 1e-9),
    "umol/L": ("mol per L", 1e-6),
    "mmol/L": ("mol per L", 1e-3),
    "{score}": ("score", 1.0),
    "L": ("L", 1.0),
    "mL": ("L", 1e-3),
    "kg": ("kg", 1.0),
    "g": ("kg", 1e-3),
    "[lb_av]": ("kg", 0.45359237),
    "m": ("m", 1.0),
    "cm": ("m", 0.01),
    "[in_i]": ("m", 0.0254),
    "kg/m2": ("kg per m2", 1.0),
    "mm[Hg]": ("mm[Hg]", 1.0),
    "/min": ("per min", 1.0),
    "d": ("d", 1.0),
    "mo": ("d", 365.25 / 12),
    "a": ("d", 365.25),
}

# IUPAC standard atomic weights (abridged): C 12.011, H 1.008, N 14.007, O 15.999.
MOLAR_MASS = {
    "creatinine": 4 * 12.011 + 7 * 1.008 + 3 * 14.007 + 15.999,
    "uric_acid": 5 * 12.011 + 4 * 1.008 + 4 * 14.007 + 3 * 15.999,
}

SUFFIX = {
    "/uL": "_per_ul",
    "10*9/L": "_10e9_l",
    "%": "_pct",
    "g/L": "_g_l",
    "mg/L": "_mg_l",
    "ug/L": "_ug_l",
    "ug/mL": "_ug_ml",
    "ng/mL": "_ng_ml",
    "pg/mL": "_pg_ml",
    "umol/L": "_umol_l",
    "L": "_l",
    "kg": "_kg",
    "cm": "_cm",
    "kg/m2": "_kg_m2",
    "mm[Hg]": "_mmhg",
    "/min": "_bpm",
    "a": "_years",
    "mo": "_months",
}
SUFFIX_EXCEPTIONS = {
    "nlr": "nlr",  # a ratio has no unit
    "foxp3_expression": "foxp3_mrna_ratio",  # nor has this one
    "treg_pct_cd4": "treg_pct_cd4",  # per cent of what stands behind the unit
    "months_since_onset": "months_since_onset",  # the unit leads
}

LOINC = {
    "crp": "1988-5",
    "creatinine": "2160-0",
    "albumin": "1751-7",
    "lymphocytes": "731-0",
    "neutrophils": "751-8",
    "monocytes": "26484-6",
    "fvc_pct": "19872-1",
    "nfl": "101281-4",
}

# What the published evidence, or an assumption that says so, allows; everything else has no direction.
FASTER = {
    *("neutrophils", "nlr", "crp", "il6", "tnf_alpha", "il17a", "ifn_gamma", "scd14", "lbp", "nfl", "pnfh"),
}
SLOWER = {
    *("treg_count", "treg_pct_cd4", "treg_suppression", "foxp3_expression", "cd4_count"),
    *("albumin", "creatinine", "uric_acid", "fvc_pct", "svc_pct", "diagnostic_delay"),
}


def test_names_and_columns_are_unique() -> None:
    names = re.findall(r'^name = "(.*)"$', TEXT, flags=re.MULTILINE)
    assert len(names) == len(QUANTITIES) + len(CATEGORIES)
    columns = [q.column for q in QUANTITIES] + [column for c in CATEGORIES for column in c.columns]
    assert [name for name, times in Counter(names).items() if times > 1] == []
    assert [column for column, times in Counter(columns).items() if times > 1] == []
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", word) for word in (*names, *columns))


@each_quantity
def test_the_column_carries_the_unit(quantity: Quantity) -> None:
    if quantity.name in SUFFIX_EXCEPTIONS:
        assert quantity.column == SUFFIX_EXCEPTIONS[quantity.name]
    elif quantity.unit == "{score}":
        assert quantity.column == quantity.name
    else:
        assert quantity.column.endswith(SUFFIX[quantity.unit])


@each_quantity
def test_every_unit_means_the_same_wherever_it_stands(quantity: Quantity) -> None:
    kind, size = UNITS[quantity.unit]
    for code, unit in quantity.units.items():
        other_kind, other_size = UNITS[code]
        expected = other_size / size
        if other_kind != kind:
            assert (other_kind, kind) == ("g per L", "mol per L")
            assert unit.source is not None
            expected /= MOLAR_MASS[quantity.name]
        # The file rounds molar masses to 0.01 g/mol.
        assert unit.numerator / unit.denominator == pytest.approx(
            expected, rel=5e-5 if other_kind != kind else 1e-12
        )


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("treg_count", 0.045, "10*9/L", 45.0),
        ("treg_count", 45.0, "{cells}/uL", 45.0),
        ("treg_pct_cd4", 0.07, "1", 7.0),
        ("treg_suppression", 0.62, "1", 62.0),
        ("foxp3_expression", 66.0, "%", 0.66),
        ("cd4_count", 0.5, "10*9/L", 500.0),
        ("leukocytes", 7200.0, "/uL", 7.2),
        ("crp", 0.82, "mg/dL", 8.2),
        ("crp", 8200.0, "ug/L", 8.2),
        ("il6", 0.0101, "ng/mL", 10.1),
        ("scd14", 1.5, "ug/mL", 1500.0),
        ("lbp", 8000.0, "ng/mL", 8.0),
        ("chit1", 12000.0, "pg/mL", 12.0),
        ("ferritin", 120.0, "ng/mL", 120.0),
        ("nfl", 40.0, "ng/L", 40.0),
        ("albumin", 4.3, "g/dL", 43.0),
        ("uric_acid", 0.342, "mmol/L", 342.0),
        ("weight", 150.0, "[lb_av]", 68.0388555),
        ("height", 69.0, "[in_i]", 175.26),
        ("height", 1.75, "m", 175.0),
        ("fvc", 2920.0, "mL", 2.92),
        ("fvc_pct", 0.85, "1", 85.0),
        ("age", 732.0, "mo", 61.0),
        ("diagnostic_delay", 365.25, "d", 12.0),
        ("months_since_onset", 1.5, "a", 18.0),
    ],
)
def test_conversions_by_hand(name: str, value: float, unit: str, expected: float) -> None:
    assert to_canonical(WORDS.quantities[name], value, unit) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "mg_dl", "umol_l"),
    [("creatinine", 0.82, 72.49), ("creatinine", 0.65, 57.46), ("uric_acid", 5.75, 342.04)],
)
def test_molar_conversions_by_hand(name: str, mg_dl: float, umol_l: float) -> None:
    assert round(to_canonical(WORDS.quantities[name], mg_dl, "mg/dL"), 2) == umol_l


@each_quantity
def test_a_direction_has_a_source_and_the_expected_sign(quantity: Quantity) -> None:
    assert quantity.direction == (quantity.name in FASTER) - (quantity.name in SLOWER)
    assert bool(quantity.direction_source) == (quantity.direction != 0)
    if quantity.direction_source and not quantity.direction_source.startswith("assumption: "):
        assert re.search(r"\b(19|20)\d\d\b|\b10\.\d{4,}/|PMC\d+", quantity.direction_source)


def test_directions_name_known_quantities() -> None:
    assert set(WORDS.quantities) >= FASTER | SLOWER


def test_loinc_codes_are_exactly_the_verified_ones() -> None:
    assert {q.name: q.loinc for q in QUANTITIES if q.loinc} == LOINC
    assert WORDS.quantities["crp"].code == ("http://loinc.org", "1988-5")
    assert WORDS.quantities["treg_count"].code == ("urn:tregcast:quantity", "treg_count")


@each_quantity
def test_the_hard_range_contains_the_reference_range(quantity: Quantity) -> None:
    low, high = quantity.plausible
    assert low < high
    if quantity.reference:
        assert low <= quantity.reference[0] < quantity.reference[1] <= high


def test_a_reference_range_is_sourced_or_called_an_assumption() -> None:
    lines = re.findall(r"^reference = .*$", TEXT, flags=re.MULTILINE)
    assert len(lines) == sum(q.reference is not None for q in QUANTITIES)
    sourced = ["10.1128/CVI.00476-12", "a laboratory's catalogue"]  # CD4+ count, NfL in plasma
    unsourced = [line for line in lines if not any(source in line for source in sourced)]
    assert len(unsourced) == len(lines) - len(sourced)
    assert [line for line in unsourced if not re.search(r"# assumption: \w", line)] == []


# A thousandth of a usual value is itself possible: results of nothing, or nearly, are real.
ZERO_IS_REAL = {"crp", "monocytes"}


@pytest.mark.parametrize("quantity", [q for q in QUANTITIES if q.reference], ids=named)
def test_a_thousandfold_mix_up_of_a_usual_value_is_rejected(quantity: Quantity) -> None:
    assert quantity.reference is not None
    low, high = quantity.reference
    usual = sqrt(low * high) or high
    assert usual * 1000 > quantity.plausible[1]
    assert (usual / 1000 < quantity.plausible[0]) == (quantity.name not in ZERO_IS_REAL)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("treg_count", 0.045),  # 10*9/L
        ("treg_count", 45_000),  # per mL
        ("treg_pct_cd4", 0.07),  # a fraction
        ("cd4_count", 0.8),  # 10*9/L
        ("leukocytes", 7200),  # /uL
        ("neutrophils", 3800),  # /uL
        ("crp", 8200),  # ug/L
        ("il6", 10_100),  # fg/mL
        ("nfl", 0.045),  # ng/mL
        ("nfl", 6000),  # from CSF
        ("scd14", 1.5),  # ug/mL
        ("lbp", 8000),  # ng/mL
        ("chit1", 12_000),  # pg/mL
        ("albumin", 4.3),  # g/dL
        ("creatinine", 0.82),  # mg/dL
        ("uric_acid", 5.75),  # mg/dL
        ("uric_acid", 0.342),  # mmol/L
        ("height", 1.75),  # m
        ("height", 69),  # inches
        ("fvc", 2920),  # mL
        ("fvc_pct", 0.85),  # a fraction
        ("weight", 74_000),  # g
        ("age", 732),  # months
        ("age", 1961),  # the year of birth
    ],
)
def test_a_number_of_another_unit_is_outside_the_hard_range(name: str, number: float) -> None:
    low, high = WORDS.quantities[name].plausible
    assert not low <= number <= high


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [  # lowest and highest in trials (PRO-ACT)
        ("weight", 34.3, 242.4),
        ("height", 131, 205),
        ("pulse", 40, 144),
        ("diastolic_bp", 20, 130),
        ("systolic_bp", 68, 210),
        ("fvc", 0, 7),
    ],
)
def test_real_patients_are_within_the_hard_range(name: str, lowest: float, highest: float) -> None:
    low, high = WORDS.quantities[name].plausible
    assert low <= lowest < highest <= high


def test_groups_exist_and_all_are_used() -> None:
    used = {quantity.group for quantity in QUANTITIES} | {category.group for category in CATEGORIES}
    assert used == set(WORDS.groups)
    for label in WORDS.groups.values():
        first, *others = label.split()
        assert first == first.capitalize()
        assert all(word in {word.lower(), "T"} for word in others)


@pytest.mark.parametrize("item", [*QUANTITIES, *CATEGORIES], ids=named)
def test_a_sentence_is_one_sentence_of_at_most_220_characters(item: Quantity | Category) -> None:
    sentence = item.sentence
    assert len(sentence) <= 220
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert not re.search(r"[.!?]\s|\s\s|\n", sentence)


def test_scores_are_whole_and_their_ranges_add_up() -> None:
    scores = {q.name: q for q in QUANTITIES if q.unit == "{score}"}
    assert {name for name, q in WORDS.quantities.items() if q.integer} == set(scores)
    items = {name for name, q in scores.items() if q.plausible == (0.0, 4.0)}
    revised, older = (
        items - {"alsfrs_breathing"},
        items
        - {
            *("alsfrs_dyspnea", "alsfrs_orthopnea", "alsfrs_ventilation"),
        },
    )
    assert (len(revised), scores["alsfrs_r_total"].plausible) == (12, (0.0, 48.0))
    assert (len(older), scores["alsfrs_total"].plausible) == (10, (0.0, 40.0))
    assert set(scores) - items == {"alsfrs_r_total", "alsfrs_total"}


def test_facts_of_the_patient() -> None:
    patient = {"age", "diagnostic_delay", "months_since_onset"}
    assert {q.name for q in QUANTITIES if q.level == "patient"} == patient
    ageless = {q.name for q in QUANTITIES if q.stale_after_months is None}
    assert ageless == patient | {"height"}


def test_treg_values_mean_nothing_without_how_they_were_measured() -> None:
    assert {q.name: [each.name for each in q.qualifiers] for q in QUANTITIES if q.qualifiers} == {
        "treg_count": ["treg_gate"],
        "treg_pct_cd4": ["treg_denominator", "treg_gate"],
        "treg_suppression": ["treg_responder_ratio"],
    }
    assert {name: list(each.values) for name, each in WORDS.qualifiers.items()} == {
        "treg_denominator": ["cd4", "lymphocytes", "leukocytes", "unknown"],
        "treg_gate": ["cd25_cd127low", "foxp3", "cd25high", "unknown"],
        "treg_responder_ratio": ["1:1", "1:2", "1:4", "1:8", "1:16", "unknown"],
    }


def test_ranges_by_gate_are_those_of_the_laboratory() -> None:
    """ARUP 2010172 (CD4+CD25+CD127low, adults) and 19948 (FOXP3)."""
    low, foxp3 = ("treg_gate", "cd25_cd127low"), ("treg_gate", "foxp3")
    of_cd4 = ("treg_denominator", "cd4")
    count, share = WORDS.quantities["treg_count"], WORDS.quantities["treg_pct_cd4"]
    assert dict(count.references) == {(low,): (20.0, 126.3), (foxp3,): (8.0, 48.0)}
    assert dict(share.references) == {(of_cd4, low): (4.0, 10.7), (of_cd4, foxp3): (1.0, 7.0)}
    assert (count.reference, count.usual, share.usual) == (None, (8.0, 126.3), (1.0, 10.7))


@each_quantity
def test_ranges_by_qualifier_are_of_its_qualifiers_and_plausible(quantity: Quantity) -> None:
    low, high = quantity.plausible
    for said, (lowest, highest) in quantity.references:
        assert low <= lowest < highest <= high
        assert [name for name, _ in said] == [each.name for each in quantity.qualifiers]
        assert all(value in each.values for each, (_, value) in zip(quantity.qualifiers, said, strict=True))


@pytest.mark.parametrize("category", CATEGORIES, ids=named)
def test_a_category_leaves_one_value_as_the_baseline(category: Category) -> None:
    assert set(category.columns.values()) < set(category.values)
    assert len(category.values) == len(category.columns) + 1 == len(set(category.columns.values())) + 1
    for column, value in category.columns.items():
        assert column.endswith(f"_{value}")


def test_category_columns_are_as_agreed() -> None:
    assert [column for category in CATEGORIES for column in category.columns] == [
        *("sex_female", "onset_bulbar", "onset_respiratory", "c9orf72_expanded", "riluzole_yes"),
    ]


def test_quantities_stand_by_group() -> None:
    groups = [quantity.group for quantity in QUANTITIES]
    changes = [second for first, second in pairwise(groups) if first != second]
    assert len([groups[0], *changes]) == len(set(groups))
