"""Each rule of caution and of abstention: one record that triggers it, and a near neighbour that does not.

The matrix, what training saw and what weighs are made up here, so that nothing depends on a fitted model.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from features.consistency import ITEMS_ALSFRS_R
from features.derive import derive_from, readings_of
from features.matrix import DesignMatrix
from features.record import Measurement, PatientRecord, Visit
from features.vocabulary import vocabulary
from model.applicability import KnotTable, fit_applicability
from model.cautions import ABSTENTIONS, CAUTIONS, Case, abstentions, cautions
from tests.measured import AT_1_TO_1, QUALIFIED, SHARED

# column: share of all contributions, and whether every training patient had it
COLUMNS = {
    "sex_female": (0.05, True),
    "delta_fs": (0.15, True),
    "treg_suppression_pct": (0.20, False),
    "nlr": (0.10, False),
    "crp_mg_l": (0.04, False),
    "nfl_pg_ml": (0.26, False),
    "alsfrs_r_total": (0.10, True),
    "age_years": (0.06, True),
    "months_since_onset": (0.04, True),
}
MATRIX = DesignMatrix(tuple(COLUMNS), qualified=QUALIFIED)
EXTRA = ("crp_mg_l_change_per_month", "alsfrs_r_total_change_per_month", "diagnostic_delay_months")
WITH_CHANGES = DesignMatrix((*tuple(COLUMNS)[2:], *EXTRA), qualified=QUALIFIED)
IMPORTANCE = tuple(share for share, _ in COLUMNS.values())


def training_rows(n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    months = rng.uniform(8, 40, n)
    score = np.round(rng.uniform(20, 46, n))
    made = {
        "sex_female": rng.integers(0, 2, n),
        "delta_fs": (48 - score) / months,
        "treg_suppression_pct": rng.normal(60, 15, n).clip(5, 95),
        "nlr": np.exp(rng.normal(0.7, 0.4, n)),
        "crp_mg_l": np.exp(rng.normal(0.7, 0.8, n)),
        "nfl_pg_ml": np.exp(rng.normal(4.1, 0.6, n)),
        "alsfrs_r_total": score,
        "age_years": rng.normal(61, 10, n),
        "months_since_onset": months,
    }
    rows = np.column_stack([made[column] for column in COLUMNS]).astype(float)
    for at, (_, always) in enumerate(COLUMNS.values()):
        if not always:
            rows[rng.random(n) < 0.3, at] = np.nan
    return rows


APPLICABILITY = fit_applicability(training_rows(), range(len(COLUMNS)), np.arange(400) % 5)


def visit(month: float, **values: float | Measurement | None) -> Visit:
    """A visit like most of the cohort's; None leaves a measurement out."""
    usual: dict[str, float | Measurement | None] = {
        "alsfrs_r_total": 36,
        "treg_suppression": Measurement(60.0, None, AT_1_TO_1),
        "neutrophils": 4.0,
        "lymphocytes": 2.0,
        "crp": 2.0,
        "nfl": 60.0,
    }
    made = {name: value for name, value in {**usual, **values}.items() if value is not None}
    return Visit(month, {k: v if isinstance(v, Measurement) else Measurement(float(v)) for k, v in made.items()})


def bare(month: float, **values: float) -> Visit:
    return Visit(month, {name: Measurement(float(value)) for name, value in values.items()})


def record(*visits: Visit) -> PatientRecord:
    return PatientRecord(visits, {"sex": "female"}, age_years=61.0)


def case(made: PatientRecord, matrix: DesignMatrix = MATRIX, possible: bool = True) -> Case:
    readings = readings_of(made, matrix.measured_as)
    derived = derive_from(readings, made, matrix.scale)
    return Case(made, readings, derived, matrix.row(made), matrix, IMPORTANCE, APPLICABILITY, possible)


def found(made: PatientRecord) -> dict[str, tuple[str, ...]]:
    return {caution.code: caution.features for caution in cautions(case(made))}


USUAL = record(visit(20.0))
BELOW = Measurement(0.5, "<")
AT_1_TO_4 = Measurement(60.0, None, (("treg_responder_ratio", "1:4"),))


def test_a_usual_record_has_no_caution_and_is_answered() -> None:
    assert cautions(case(USUAL)) == ()
    assert abstentions(case(USUAL)) == ()


@pytest.mark.parametrize(
    ("made", "code", "features"),
    [
        (record(visit(20.0, nfl=None)), "missing_input", ("nfl_pg_ml",)),
        (
            record(visit(20.0, nfl=None, lymphocytes=None, crp=None)),
            "missing_input",
            ("nfl_pg_ml", "nlr"),  # the heavier first; crp weighs 4 %, too little for a caution
        ),
        (
            record(bare(20.0, alsfrs_r_total=36)),  # 60 % of the weight is not there: crp is named too
            "missing_input",
            ("nfl_pg_ml", "treg_suppression_pct", "nlr", "crp_mg_l"),
        ),
        (replace(USUAL, age_years=None), "never_missing_in_training", ("age_years",)),
        (record(visit(10.0), visit(16.5, crp=None)), "stale_input", ("crp_mg_l",)),  # 6.5 months, limit 6
        (record(visit(10.0), visit(14.5, alsfrs_r_total=None)), "stale_input", ("alsfrs_r_total",)),  # limit 4
        (record(visit(20.0, crp=400.0)), "outside_training_range", ("crp_mg_l",)),
        (record(visit(20.0, crp=BELOW)), "beyond_limit", ("crp_mg_l",)),
        (replace(USUAL, onset_margin_months=0.5), "approximate_onset", ("months_since_onset", "delta_fs")),
        (replace(USUAL, age_margin_years=0.5), "approximate_age", ("age_years",)),
        (record(visit(20.0, treg_suppression=AT_1_TO_4)), "not_comparable", ("treg_suppression_pct",)),
        (record(visit(20.0, il6=4.0, fvc_pct=80.0)), "not_an_input", ("il6_pg_ml", "fvc_pct")),
    ],
)
def test_a_caution_where_it_is_due(made: PatientRecord, code: str, features: tuple[str, ...]) -> None:
    assert found(made)[code] == features


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (record(visit(20.0, crp=None)), "missing_input"),  # weighs 4 %
        (record(visit(20.0, nfl=None)), "never_missing_in_training"),  # many training patients lacked it
        (record(visit(10.0), visit(16.0, crp=None)), "stale_input"),  # 6 months is the limit itself
        (record(visit(10.0), visit(14.0, alsfrs_r_total=None)), "stale_input"),
        (record(visit(10.0), visit(20.0)), "stale_input"),  # measured anew
        (record(visit(20.0, crp=4.0)), "outside_training_range"),
        (record(visit(18.0, crp=BELOW), visit(20.0, crp=0.9)), "beyond_limit"),  # the last one is a number
        (
            record(
                visit(19.0),
                visit(
                    20.0, treg_suppression=Measurement(5.0, "<", (("treg_responder_ratio", "1:4"),))
                ),  # not the reading that is used
            ),
            "beyond_limit",
        ),
        (
            record(visit(19.0, nlr=Measurement(0.5, "<"), neutrophils=None), visit(20.0)),  # computed anew
            "beyond_limit",
        ),
        (record(visit(20.0, cd4_count=900.0)), "not_comparable"),
        (USUAL, "not_an_input"),  # neutrophils and lymphocytes are what the NLR is made of
    ],
)
def test_no_caution_where_none_is_due(made: PatientRecord, code: str) -> None:
    assert code not in found(made)


def test_the_limit_that_was_used_is_said() -> None:
    [caution] = cautions(case(record(visit(20.0, crp=BELOW))))
    assert caution.words == "C-reactive protein is below a limit; the limit, 0.5 mg/L, was used."


def test_a_stale_value_says_how_stale() -> None:
    [caution] = [c for c in cautions(case(record(visit(10.0), visit(16.5, crp=None)))) if c.code == "stale_input"]
    assert caution.words == "C-reactive protein was measured 6.5 months before the index visit (limit 6)."


# age (6 %) and sex (5 %) were there for every training patient: without both, more than a tenth rests on nothing
TOO_LITTLE = replace(USUAL, age_years=None, categories={})


@pytest.mark.parametrize(
    ("made", "codes"),
    [
        (record(visit(20.0, alsfrs_r_total=None)), {"no_functional_score", "too_little_to_go_on"}),
        (record(visit(20.0, alsfrs_r_total=None, alsfrs_total=30)), {"no_functional_score", "too_little_to_go_on"}),
        (record(visit(10.0), visit(22.5, alsfrs_r_total=None)), {"functional_score_too_old"}),
        (record(visit(10.0), visit(22.0, alsfrs_r_total=None)), set()),  # a year to the day
        (TOO_LITTLE, {"too_little_to_go_on"}),
        (replace(USUAL, age_years=None), set()),
        (replace(USUAL, categories={}), set()),
        (record(bare(20.0, alsfrs_r_total=36)), set()),  # what others lacked too may be missing
        (record(visit(20.0, crp=500.0, nfl=3000.0)), {"far_outside_training_range", "unlike_training_cohort"}),
        (record(visit(20.0, crp=8.0, nfl=180.0)), set()),
    ],
)
def test_abstentions(made: PatientRecord, codes: set[str]) -> None:
    assert {reason.code for reason in abstentions(case(made))} == codes


@pytest.mark.parametrize(
    ("of_highest", "of_lowest", "answered"),
    [(2.9, None, True), (3.1, None, False), (None, 1 / 2.9, True), (None, 1 / 3.1, False), (None, 0.0, True)],
)
def test_a_value_many_times_beyond_what_training_saw_is_not_answered(
    of_highest: float | None, of_lowest: float | None, answered: bool
) -> None:
    seen = APPLICABILITY.range_of[MATRIX.columns.index("crp_mg_l")]
    value = seen.highest * of_highest if of_highest is not None else seen.lowest * (of_lowest or 0.0)
    made = record(visit(20.0, crp=value))
    assert found(made)["outside_training_range"] == ("crp_mg_l",)
    reasons = {reason.code: reason.words for reason in abstentions(case(made))}
    assert ("far_outside_training_range" not in reasons) is answered
    assert answered or "C-reactive protein" in reasons["far_outside_training_range"]


def test_a_score_is_no_amount() -> None:
    lowest = APPLICABILITY.range_of[MATRIX.columns.index("alsfrs_r_total")].lowest
    assert lowest > 4
    reasons = abstentions(case(record(visit(20.0, alsfrs_r_total=1))))
    assert "far_outside_training_range" not in {reason.code for reason in reasons}


def test_an_estimate_that_the_score_leaves_no_room_for_is_not_given() -> None:
    (reason,) = abstentions(case(USUAL, possible=False))
    assert reason.code == "score_near_its_end"
    assert reason.fields == ("alsfrs_r_total",)
    assert "ALSFRS-R total" in reason.words


UNKNOWN_RATIO = Measurement(60.0, None, (("treg_responder_ratio", "unknown"),))
OF_UNKNOWN = replace(MATRIX, qualified=(("treg_suppression", UNKNOWN_RATIO.qualifiers),))
OF_SHARES = replace(
    MATRIX, columns=tuple(c.replace("nlr", "treg_pct_cd4") for c in COLUMNS), qualified=QUALIFIED
)  # the share in the place of the ratio: no rule asks how large it is


def test_what_is_not_comparable_is_named_with_what_the_model_knows_and_what_to_do() -> None:
    share = Measurement(2.0, None, (("treg_denominator", "lymphocytes"), ("treg_gate", "unknown")))
    made = case(record(visit(20.0, treg_pct_cd4=share)), OF_SHARES)
    [said] = [caution for caution in cautions(made) if caution.code == "not_comparable"]
    assert said.features == ("treg_pct_cd4",)
    assert said.words == (
        "Treg share, denominator lymphocytes, gate unknown, was not used: this model knows denominator CD4+ T "
        "cells, gate CD25+CD127low only, and values that were measured otherwise are never converted. Send a value "
        "that was measured so, or train on values like yours."
    )
    assert np.isnan(made.row[list(OF_SHARES.columns).index("treg_pct_cd4")])


def test_a_comparable_share_is_used_without_a_word() -> None:
    made = case(record(visit(20.0, treg_pct_cd4=Measurement(5.0, None, SHARED))), OF_SHARES)
    assert made.row[list(OF_SHARES.columns).index("treg_pct_cd4")] == 5.0
    assert {caution.code for caution in cautions(made)} & {"not_comparable", "measured_unknown_way"} == set()


def test_an_unknown_way_is_used_and_cautioned_only_where_training_did_not_know_either() -> None:
    made = record(visit(20.0, treg_suppression=UNKNOWN_RATIO))
    column = MATRIX.columns.index("treg_suppression_pct")
    known, unknown = case(made), case(made, OF_UNKNOWN)
    assert [c.code for c in cautions(known) if c.features == ("treg_suppression_pct",)] == [
        "missing_input",
        "not_comparable",
    ]
    assert [c.code for c in cautions(unknown)] == ["measured_unknown_way"]
    assert (np.isnan(known.row[column]), unknown.row[column]) == (True, 60.0)
    assert "Treg:responder ratio" in cautions(unknown)[0].words


def test_a_computed_value_can_be_stale_too() -> None:
    """Neutrophils and lymphocytes are no inputs of the model: nothing but their ratio can say that they are old."""
    made = record(visit(10.0), visit(17.0, neutrophils=None, lymphocytes=None))
    assert ("nlr",) in [caution.features for caution in cautions(case(made)) if caution.code == "stale_input"]


# ------------------------------------------------------------------ what a reason names, and what is to be done

ITEMS = dict.fromkeys(ITEMS_ALSFRS_R, 3.0)


@pytest.mark.parametrize(
    ("made", "code", "fields", "says"),
    [
        (
            record(visit(20.0, alsfrs_r_total=None)),
            "no_functional_score",
            ("alsfrs_r_total",),
            "Send the total, or all of its items.",
        ),
        (
            record(visit(20.0, alsfrs_r_total=None, **{**ITEMS, "alsfrs_dyspnea": None, "alsfrs_cutting": None})),
            "no_functional_score",
            ("alsfrs_r_total", "alsfrs_cutting", "alsfrs_dyspnea"),
            "the last visit that has any lacks alsfrs_cutting, alsfrs_dyspnea. Send the total, or all items of one "
            "visit.",
        ),
        (
            record(visit(20.0, alsfrs_r_total=None, alsfrs_total=30)),
            "no_functional_score",
            ("alsfrs_r_total",),
            "alsfrs_total (ALSFRS total (older scale)) is of another scale, and cannot stand in its place.",
        ),
        (
            record(visit(10.0), visit(22.5, alsfrs_r_total=None)),
            "functional_score_too_old",
            ("alsfrs_r_total",),
            "Send the one of the index visit, or of a visit in the year before it.",
        ),
        (TOO_LITTLE, "too_little_to_go_on", ("sex", "age"), "missing: sex (Sex), age (Age). Send them;"),
        (
            record(visit(20.0, crp=500.0)),
            "far_outside_training_range",
            ("crp",),
            "lies: crp (C-reactive protein). Check value and unit;",
        ),
        (
            record(visit(20.0, **{**ITEMS, "alsfrs_ventilation": 0.0})),
            "invasive_ventilation",
            ("alsfrs_ventilation",),
            "By alsfrs_ventilation (Respiratory insufficiency) the patient is on invasive ventilation;",
        ),
        (
            record(visit(20.0, alsfrs_breathing=0.0)),
            "invasive_ventilation",
            ("alsfrs_breathing",),
            "check the item if that is not so.",
        ),
        (
            record(visit(18.0, alsfrs_ventilation=0.0), visit(20.0)),  # nobody is weaned
            "invasive_ventilation",
            ("alsfrs_ventilation",),
            "this model is of people who breathe without it.",
        ),
    ],
)
def test_a_reason_names_the_keys_and_the_remedy(
    made: PatientRecord, code: str, fields: tuple[str, ...], says: str
) -> None:
    reasons = {reason.code: reason for reason in abstentions(case(made))}
    assert reasons[code].fields == fields
    assert says in reasons[code].words
    assert len(reasons[code].words) < 600


@pytest.mark.parametrize("item", [1.0, 2.0, 4.0])
def test_ventilation_through_a_mask_is_answered(item: float) -> None:
    assert abstentions(case(record(visit(20.0, alsfrs_ventilation=item)))) == ()
    weaned = record(visit(18.0, alsfrs_ventilation=0.0), visit(20.0, alsfrs_ventilation=item))
    assert abstentions(case(weaned)) == ()


def test_the_three_values_that_are_most_unlike_the_cohort_are_named() -> None:
    """By hand: how much less the squared distance is without each."""
    made = record(visit(20.0, crp=0.05, nfl=1500.0, neutrophils=30.0))
    [reason] = [each for each in abstentions(case(made)) if each.code == "unlike_training_cohort"]
    row = case(made).row

    def distance(at: list[int]) -> float:
        [scores] = KnotTable.of([APPLICABILITY.knots[i] for i in at]).scores(
            row[None, [APPLICABILITY.positions[i] for i in at]]
        )
        return float(scores @ np.linalg.solve(APPLICABILITY.covariance[np.ix_(at, at)], scores))

    there = list(range(len(APPLICABILITY.positions)))
    less = {MATRIX.columns[APPLICABILITY.positions[i]]: distance([j for j in there if j != i]) for i in there}
    assert sorted(less, key=lambda column: less[column])[:3] == ["nfl_pg_ml", "nlr", "crp_mg_l"]
    assert reason.fields == ("nfl", "nlr", "crp")


# ---------------------------------------------------------------------- what is known to the month or the year


def test_what_an_onset_known_to_the_month_leaves_open_is_said() -> None:
    """12 points lost in 20 months, half a month more or less: 12 / 20.5 and 12 / 19.5."""
    [caution] = cautions(case(replace(USUAL, onset_margin_months=0.5)))
    assert "months since onset may be 0.5 less or more" in caution.words
    assert "the decline since onset (delta-FS) 0.59 to 0.62 points/month" in caution.words


def test_an_onset_that_may_be_the_day_of_the_visit_has_no_highest_decline() -> None:
    made = replace(record(visit(3.0)), onset_margin_months=3.0)
    words = {caution.code: caution.words for caution in cautions(case(made))}["approximate_onset"]
    assert "(delta-FS) 2.00 to any higher value points/month" in words


def test_a_birth_known_to_the_year_is_said() -> None:
    [caution] = cautions(case(replace(USUAL, age_margin_years=182 / 365.25)))
    assert "the age may be 0.50 years less or more" in caution.words


def test_a_range_is_said_with_the_value() -> None:
    words = {c.code: c.words for c in cautions(case(record(visit(20.0, crp=40.0))))}["outside_training_range"]
    seen = APPLICABILITY.range_of[MATRIX.columns.index("crp_mg_l")]
    says = "C-reactive protein, 40 mg/L, is outside the range in which nearly all of the training cohort lies, "
    assert words == f"{says}{seen.lowest:.3g} to {seen.highest:.3g} mg/L."


TWENTY_POINTS = record(visit(17.0, alsfrs_r_total=41.0), visit(20.0, alsfrs_r_total=21.0))


@pytest.mark.parametrize(
    ("first", "last", "speaks"), [(41, 21, True), (46, 26, True), (28, 48, True), (41, 33, False), (41, 41, False)]
)
def test_a_score_that_runs_away_is_cautioned(first: float, last: float, speaks: bool) -> None:
    """20 points in three months, of someone who lost about 1 a month before; 8 in three months happen."""
    made = record(visit(17.0, alsfrs_r_total=first), visit(20.0, alsfrs_r_total=last))
    found = [each for each in cautions(case(made, WITH_CHANGES)) if each.code == "implausible_change"]
    assert bool(found) is speaks
    if speaks:
        assert f"changed by {last - first:+.0f} points over 91 days" in found[0].words
        assert found[0].features == ("alsfrs_r_total_change_per_month",)


def test_every_rule_has_been_triggered_above() -> None:
    triggered = {
        *found(record(visit(10.0), visit(17.0, crp=None, nfl=None))),
        *found(replace(record(visit(20.0, crp=Measurement(400.0, ">"), il6=3.0)), age_years=None)),
        *found(record(visit(20.0, treg_suppression=AT_1_TO_4))),
        *found(record(visit(10.0), visit(20.0, crp=4.0))),
        *(
            each.code
            for each in cautions(
                case(
                    replace(record(visit(19.0, crp=BELOW), visit(20.0)), diagnostic_delay_months=20.5), WITH_CHANGES
                )
            )
        ),
        *found(replace(USUAL, onset_margin_months=0.5, age_margin_years=0.5)),
        *(each.code for each in cautions(case(TWENTY_POINTS, WITH_CHANGES))),
        *(
            caution.code
            for caution in cautions(case(record(visit(20.0, treg_suppression=UNKNOWN_RATIO)), OF_UNKNOWN))
        ),
    }
    assert len(CAUTIONS) == 15
    assert triggered == {
        "missing_input",
        "never_missing_in_training",
        "stale_input",
        "approximate_onset",
        "approximate_age",
        "outside_training_range",
        "beyond_limit",
        "not_comparable",
        "measured_unknown_way",
        "not_an_input",
        "diagnosis_after_visit",
        "earlier_not_used",
        "limit_not_in_change",
        "change_over_short_span",
        "implausible_change",
    }
    assert len(ABSTENTIONS) == 6


def test_reasons_hold_no_number() -> None:
    labels = [*(feature.label for feature in MATRIX.features), *vocabulary().quantities, *vocabulary().categories]
    for made in (record(visit(20.0, alsfrs_r_total=None)), TOO_LITTLE, record(visit(20.0, crp=500.0, nfl=3000.0))):
        for reason in abstentions(case(made)):
            words = reason.words
            for label in labels:
                words = words.replace(label, "")  # "CD4+" and "il6" are names
            assert not re.search(r"\d", words)


def test_the_older_scale_is_answered_by_a_model_of_the_older_scale() -> None:
    columns = ("alsfrs_total", *(c for c in COLUMNS if c != "alsfrs_r_total"))
    older = DesignMatrix(columns, "alsfrs_total", QUALIFIED)
    made = record(bare(20.0, alsfrs_total=30))
    assert not {"no_functional_score"} & {reason.code for reason in abstentions(case(made, older))}
    assert "no_functional_score" in {reason.code for reason in abstentions(case(USUAL, older))}
