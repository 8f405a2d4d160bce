"""Conversions, held to exact fractions; hints, to arithmetic by hand."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.units import accepted_unit, amount, likely_unit, meant_unit, outside, plain, to_canonical
from features.vocabulary import Quantity, vocabulary

QUANTITIES = vocabulary().quantities
PAIRS = [(q, code) for q in QUANTITIES.values() for code in q.units]
POWERS_OF_TEN = [(q, c) for q, c in PAIRS if {q.units[c].numerator, q.units[c].denominator} <= {1, 10, 100, 1000}]

numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)


def as_sent(number: float) -> Fraction:
    return Fraction(Decimal(repr(number)))


@given(st.sampled_from(PAIRS), numbers)
@settings(deadline=None, max_examples=300)
def test_a_conversion_is_the_nearest_float_to_the_exact_product(pair: tuple[Quantity, str], value: float) -> None:
    quantity, code = pair
    unit = quantity.units[code]
    exact = as_sent(value) * as_sent(unit.numerator) / as_sent(unit.denominator)
    assert to_canonical(quantity, value, code) == float(exact)


@given(st.sampled_from(POWERS_OF_TEN), st.integers(0, 999_999), st.integers(-4, 3))
@settings(deadline=None, max_examples=300)
def test_powers_of_ten_only_move_the_point(pair: tuple[Quantity, str], digits: int, exponent: int) -> None:
    quantity, code = pair
    unit = quantity.units[code]
    canonical = Decimal(digits).scaleb(exponent)
    sent = canonical * int(unit.denominator) / int(unit.numerator)
    assert to_canonical(quantity, float(sent), code) == float(canonical)


@pytest.mark.parametrize(
    ("name", "value", "unit", "canonical"),
    [
        ("crp", 0.57, "mg/dL", 5.7),  # 0.57 * 10 is 5.699999999999999 in binary
        ("treg_pct_cd4", 0.29, "1", 29.0),  # 0.29 * 100 is 28.999999999999996
        ("treg_count", 0.0011, "10*9/L", 1.1),
        ("fvc", 1009, "mL", 1.009),
        ("height", 70, "[in_i]", 177.8),
        ("weight", 165, "[lb_av]", 74.84274105),
        ("age", 733, "mo", 61.083333333333336),
        ("diagnostic_delay", 487, "d", 16.0),  # 487 / 30.4375
        ("months_since_onset", 0, "d", 0.0),
    ],
)
def test_conversions_to_the_last_digit(name: str, value: float, unit: str, canonical: float) -> None:
    assert to_canonical(QUANTITIES[name], value, unit) == canonical


def test_an_unknown_unit_is_never_guessed() -> None:
    for unit in ("", "mg/l", "MG/L", "mg / L", "mmol/L"):
        with pytest.raises(KeyError):
            to_canonical(QUANTITIES["crp"], 1.0, unit)


def test_the_hard_range_includes_its_ends() -> None:
    crp = QUANTITIES["crp"]
    assert [outside(crp, value) for value in (-0.1, 0.0, 500.0, 500.1)] == ["below", None, None, "above"]


@pytest.mark.parametrize(
    ("name", "value", "unit", "likely"),
    [
        ("crp", 8200, "mg/L", "ug/L"),  # 8.2 mg/L: not usual, but possible, and the first such
        ("crp", 2200, "mg/L", "ug/L"),
        ("treg_count", 0.045, "/uL", "10*9/L"),  # 45: usual
        ("treg_count", 45, "10*9/L", "/uL"),
        ("leukocytes", 7200, "10*9/L", "/uL"),
        ("albumin", 4.3, "g/L", "g/dL"),
        ("creatinine", 0.82, "umol/L", "mg/dL"),  # 72.5: usual; as mmol/L it is 820: only possible
        ("creatinine", 0.07, "umol/L", "mmol/L"),
        ("uric_acid", 5.7, "umol/L", "mg/dL"),
        ("height", 1.75, "cm", "m"),
        ("height", 69, "cm", "[in_i]"),  # 175 cm; 69 m is not possible
        ("weight", 74_000, "kg", "g"),
        ("age", 732, "a", "mo"),
        ("fvc_pct", 0.85, "%", "1"),
        ("pulse", 300, "/min", None),
        ("crp", -1, "mg/L", None),
        ("age", 1961, "a", None),  # 163 years in months
        ("alsfrs_r_total", 52, "{score}", None),
    ],
)
def test_the_unit_that_was_probably_meant(name: str, value: float, unit: str, likely: str | None) -> None:
    assert likely_unit(QUANTITIES[name], value, unit) == likely


@given(st.sampled_from(PAIRS), numbers)
@settings(deadline=None, max_examples=200)
def test_a_likely_unit_makes_the_value_possible(pair: tuple[Quantity, str], value: float) -> None:
    quantity, code = pair
    guess = likely_unit(quantity, value, code)
    others = [other for other in quantity.units if other != code]
    possible = [other for other in others if outside(quantity, to_canonical(quantity, value, other)) is None]
    assert guess in (possible or [None])


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0, "0"), (500.0, "500"), (1e14, "100000000000000"), (2.0**60, "1.15292e+18"), (1 / 3, "0.333333")],
)
def test_a_number_in_plain_writing(number: float, text: str) -> None:
    assert plain(number) == text


def test_amounts_by_hand() -> None:
    assert amount("3", "10*9/L") == "3 10*9/L"
    assert amount("38.5", "{score}") == "38.5 points"
    assert amount("0.05-100", "1") == "0.05-100"


# ------------------------------------------------------------------------------------------------ UCUM's forms


@pytest.mark.parametrize(
    ("name", "sent", "code"),
    [
        ("crp", "mg/l", "mg/L"),
        ("crp", "mg/dl", "mg/dL"),
        ("crp", "ug/ml", "ug/mL"),
        ("creatinine", "umol/l", "umol/L"),
        ("leukocytes", "10^9/L", "10*9/L"),
        ("leukocytes", "10^9/l", "10*9/L"),
        ("leukocytes", "10*9/l", "10*9/L"),
        ("leukocytes", "10^3/ul", "10*3/uL"),
        ("leukocytes", "/ul", "/uL"),
        ("treg_count", "{cells}/ul", "{cells}/uL"),
        ("fvc", "l", "L"),
        ("fvc", "ml", "mL"),
        ("weight", "[lb_av]", "[lb_av]"),
    ],
)
def test_legal_forms_of_a_code_are_the_code(name: str, sent: str, code: str) -> None:
    """UCUM, section 30: the litre is l or L; section 12: powers of ten are 10* or 10^."""
    assert accepted_unit(QUANTITIES[name], sent) == code


@pytest.mark.parametrize(
    ("name", "sent", "meant"),
    [
        ("leukocytes", "G/L", "10*9/L"),  # gauss per litre
        ("leukocytes", "K/uL", "10*3/uL"),  # kelvin per microlitre
        ("leukocytes", "10e9/L", "10*9/L"),
        ("leukocytes", "x10^9/L", "10*9/L"),
        ("leukocytes", "10\N{SUPERSCRIPT NINE}/L", "10*9/L"),
        ("leukocytes", "10**9/L", "10*9/L"),
        ("treg_count", "cells/\N{MICRO SIGN}L", "/uL"),
        ("crp", "MG/L", "mg/L"),  # megagauss per litre
        ("crp", "Mg/l", "mg/L"),  # megagram
        ("crp", "mg / L", "mg/L"),
        ("albumin", "G/L", "g/L"),
        ("creatinine", "\N{MICRO SIGN}mol/L", "umol/L"),
        ("creatinine", "\N{GREEK SMALL LETTER MU}mol/l", "umol/L"),
        ("ferritin", "mcg/L", "ug/L"),
        ("systolic_bp", "mmHg", "mm[Hg]"),
        ("systolic_bp", "mm Hg", "mm[Hg]"),
        ("pulse", "bpm", "/min"),
        ("bmi", "kg/m^2", "kg/m2"),
        ("bmi", "kg/m\N{SUPERSCRIPT TWO}", "kg/m2"),
        ("weight", "lb", "[lb_av]"),
        ("weight", "Kg", "kg"),
        ("height", "CM", "cm"),
        ("age", "years", "a"),
        ("diagnostic_delay", "months", "mo"),
        ("fvc_pct", "percent", "%"),
        ("crp", "[LB_AV]", None),
        ("crp", "bananas", None),
        ("weight", "[LB_AV]", "[lb_av]"),
    ],
)
def test_other_spellings_are_refused_and_asked_about(name: str, sent: str, meant: str | None) -> None:
    assert accepted_unit(QUANTITIES[name], sent) is None
    assert meant_unit(QUANTITIES[name], sent) == meant


@given(st.sampled_from(PAIRS))
def test_no_legal_form_of_one_unit_is_another_unit(pair: tuple[Quantity, str]) -> None:
    quantity, code = pair
    for form in {code, code.replace("L", "l"), code.replace("10*", "10^")}:
        assert accepted_unit(quantity, form) == code


@pytest.mark.parametrize("sent", [None, 1, True, ["mg/L"], {"code": "mg/L"}])
def test_what_is_no_text_is_no_unit(sent: object) -> None:
    assert accepted_unit(QUANTITIES["crp"], sent) is None
    assert meant_unit(QUANTITIES["crp"], sent) is None
