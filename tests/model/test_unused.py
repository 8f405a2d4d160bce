"""What of a record did not enter its answer: records in which each rule speaks, and others in which none does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from features.consistency import COMPLETED_FROM
from features.derive import derive
from features.matrix import DesignMatrix
from features.record import Measurement, PatientRecord, Visit
from model.unused import (
    change_over_short_span,
    diagnosis_after_visit,
    earlier_not_used,
    limit_not_in_change,
    not_an_input,
)
from tests.model.test_cautions import BELOW, bare, case, visit

# A model with changes of the score and of CRP, and none of the others.
CHANGING = DesignMatrix(
    (
        *("sex_female", "onset_bulbar", "riluzole_yes", "age_years", "delta_fs", "alsfrs_r_total", "bmi_kg_m2"),
        *("alsfrs_r_total_change_per_month", "alsfrs_walking", "nlr", "crp_mg_l", "crp_mg_l_change_per_month"),
    )
)
RILUZOLE_FROM_20 = (replace(bare(10.0), riluzole="no"), replace(bare(20.0, alsfrs_r_total=36), riluzole="yes"))
ITEMS = dict.fromkeys(COMPLETED_FROM["alsfrs_r_total"], 3.0)


def about(made: PatientRecord, matrix: DesignMatrix) -> dict[str, tuple[str, ...]]:
    """What the rules of `model.unused` say."""
    rules = (not_an_input, earlier_not_used, limit_not_in_change, change_over_short_span)
    made_case = case(made, matrix)
    return {caution.code: caution.features for rule in rules for caution in rule(made_case)}


def of(*visits: Visit, age: float | None = None, delay: float | None = None, **categories: str) -> PatientRecord:
    return PatientRecord(visits, categories, age, delay)


NOT_USED: list[tuple[PatientRecord, str, str, tuple[str, ...]]] = [
    (of(bare(20.0, il6=4.0)), "unknown quantity", "not_an_input", ("il6_pg_ml",)),
    (of(bare(10.0, il6=4.0), bare(20.0)), "of an earlier visit", "not_an_input", ("il6_pg_ml",)),
    (of(bare(20.0, alsfrs_total=30)), "the other scale", "not_an_input", ("alsfrs_total",)),
    (of(bare(20.0), c9orf72="normal"), "unknown category", "not_an_input", ("c9orf72_expanded",)),
    (of(bare(20.0), onset_site="respiratory"), "read as spinal", "not_an_input", ("onset_respiratory",)),
    (of(bare(20.0), delay=9.0), "unknown delay", "not_an_input", ("diagnostic_delay_months",)),
    (of(bare(20.0), delay=20.5), "unknown, and late", "not_an_input", ("diagnostic_delay_months",)),
    (of(bare(20.0, neutrophils=4.0)), "a part without the other", "not_an_input", ("neutrophils_10e9_l",)),
    (
        of(bare(20.0, neutrophils=4.0, lymphocytes=2.0, nlr=2.1)),
        "parts beside the whole",
        "not_an_input",
        ("neutrophils_10e9_l", "lymphocytes_10e9_l"),
    ),
    (of(bare(20.0, weight=80.0, height=180.0, bmi=25.0)), "the same", "not_an_input", ("weight_kg", "height_cm")),
    (
        of(bare(20.0, neutrophils=50.0, lymphocytes=0.1)),
        "a ratio that cannot be",
        "not_an_input",
        ("neutrophils_10e9_l", "lymphocytes_10e9_l"),
    ),
    (
        of(Visit(20.0, {"neutrophils": Measurement(4.0), "lymphocytes": BELOW})),
        "a part that is a limit",
        "not_an_input",
        ("neutrophils_10e9_l", "lymphocytes_10e9_l"),
    ),
    (of(bare(10.0, nlr=3.0), bare(20.0, nlr=2.0)), "no change in the model", "earlier_not_used", ("nlr",)),
    (
        of(Visit(10.0, {"nlr": Measurement(2.0, "<")}), bare(20.0, nlr=2.0)),
        "the same number, once a limit",
        "earlier_not_used",
        ("nlr",),
    ),
    (of(*RILUZOLE_FROM_20), "riluzole begun", "earlier_not_used", ("riluzole_yes",)),
    (
        of(bare(10.0, alsfrs_walking=4), bare(20.0, alsfrs_walking=2)),
        "an item without its total",
        "earlier_not_used",
        ("alsfrs_walking",),
    ),
    (
        of(visit(10.0, crp=BELOW), visit(20.0)),
        "one of two is a limit",
        "limit_not_in_change",
        ("crp_mg_l_change_per_month",),
    ),
    (
        of(visit(10.0), visit(15.0), visit(20.0, crp=BELOW)),
        "the last of three is",
        "limit_not_in_change",
        ("crp_mg_l_change_per_month",),
    ),
    (
        of(visit(19.0), visit(20.0)),
        "a month, in the order of the vocabulary",
        "change_over_short_span",
        ("crp_mg_l_change_per_month", "alsfrs_r_total_change_per_month"),
    ),
    (
        of(bare(18.6, alsfrs_r_total=38, crp=3.0), bare(19.0, crp=2.0), bare(20.0, alsfrs_r_total=36)),
        "1.4 months of the one, 0.98 / 8.98, and 0.4 of the other",
        "change_over_short_span",
        ("crp_mg_l_change_per_month",),
    ),
]


IDS = [f"{code}: {why}" for _, why, code, _ in NOT_USED]


@pytest.mark.parametrize(("made", "why", "code", "features"), NOT_USED, ids=IDS)
def test_what_did_not_enter_is_named(made: PatientRecord, why: str, code: str, features: tuple[str, ...]) -> None:
    assert about(made, CHANGING).get(code, ()) == features, why


@pytest.mark.parametrize(
    "made",
    [
        of(bare(20.0, neutrophils=4.0, lymphocytes=2.0)),  # used as their ratio
        of(bare(10.0, neutrophils=4.0, lymphocytes=2.0), bare(20.0, neutrophils=4.0, lymphocytes=2.0)),
        of(bare(20.0, weight=80.0, height=180.0)),
        of(
            bare(20.0, alsfrs_r_total=36), sex="male", onset_site="spinal", age=61.0
        ),  # spinal is what bulbar is not
        of(bare(10.0, nlr=3.0), bare(20.0, nlr=3.0)),  # the same again
        of(bare(10.0, **ITEMS), bare(20.0, **{**ITEMS, "alsfrs_walking": 2.0})),  # in the change of the total
        of(replace(bare(10.0), riluzole="yes"), replace(bare(20.0), riluzole="yes")),
        of(bare(10.0, crp=4.0), bare(20.0, crp=2.0)),
        of(Visit(20.0, {"crp": BELOW})),  # one reading has no change
        of(bare(18.0, crp=4.0), bare(19.0, crp=4.0), bare(20.0, crp=2.0)),  # squares 2: a fifth
    ],
)
def test_what_entered_is_not_named(made: PatientRecord) -> None:
    assert about(made, CHANGING) == {}


def test_a_diagnosis_after_the_visit_is_not_used_and_said() -> None:
    """A record may say it up to a month late (docs/decisions/0005); a model knows it only if it was known."""
    matrix = DesignMatrix((*CHANGING.columns, "diagnostic_delay_months"))
    for delay, used, codes in ((20.0, 20.0, []), (20.7, None, ["diagnosis_after_visit"])):
        made = of(bare(20.0, alsfrs_r_total=36), delay=delay)
        found = diagnosis_after_visit(case(made, matrix))
        assert [caution.code for caution in found] == codes
        assert derive(made, "alsfrs_r_total").get("diagnostic_delay_months") == used
    assert diagnosis_after_visit(case(of(bare(20.0), delay=20.7), CHANGING)) == []  # not_an_input says it


def test_the_words_say_why() -> None:
    def words(made: PatientRecord) -> list[str]:
        rules = (not_an_input, earlier_not_used, limit_not_in_change, change_over_short_span)
        return [caution.words for rule in rules for caution in rule(case(made, CHANGING))]

    assert words(of(bare(20.0, il6=4.0, neutrophils=4.0), onset_site="respiratory")) == [
        "Sent, but not known to this model and not used: Interleukin-6; Site of onset (respiratory). Known to this "
        "model only as a part of another value, which was sent itself or does not follow from what was sent, and "
        "not used: Neutrophils."
    ]
    assert words(of(bare(10.0, nlr=3.0), bare(20.0, nlr=2.0))) == [
        "Of these the last value was used and no earlier one, as this model takes no change: "
        "Neutrophil-lymphocyte ratio."
    ]
    limits = of(Visit(10.0, {"crp": BELOW}), Visit(15.0, {"crp": BELOW}), bare(20.0, crp=2.0))
    assert words(limits) == [
        "Readings beyond a limit do not enter the change per month: C-reactive protein (2 of 3 readings, so no "
        "change is known)."
    ]
    two_weeks = of(bare(20.0 - 14 / 30.4375, crp=2.0), bare(20.0, crp=3.0))  # 0.1058 / 8.1058
    assert words(two_weeks)[0].startswith(
        "Readings so near in time say little of a change per month: C-reactive protein over 14 days (weighs 1.3%)."
    )
