"""What simulated visits hold: noise, items, gaps, limits of detection, deaths, and the laws between columns.

Expected figures are written here from the publications, or follow from the table of constants.
"""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import training
from features.consistency import ITEMS_ALSFRS_R
from features.table import patients as parse_table
from features.vocabulary import vocabulary
from training.reference.reference_cohort import simulate
from training.reference.reference_constants import reference_constants

TABLE = tomllib.loads((Path(training.__file__).parent / "reference" / "reference_cohort.toml").read_text("utf-8"))


def normal_scores(values):
    return stats.norm.ppf((stats.rankdata(values) - 0.5) / len(values))


def test_what_is_missing_is_what_clinics_miss(cohort, enrolled):
    later = cohort.visits[cohort.planned != 0]
    for name, row in TABLE["variable"].items():
        if name not in vocabulary().by_column or name == "bmi_kg_m2":
            continue
        shares = row["available"]
        assert enrolled[name].notna().mean() == pytest.approx(shares["baseline"], abs=0.015), name
        assert later[name].notna().mean() == pytest.approx(shares["follow_up"], abs=0.015), name
    assert enrolled["lymphocytes_10e9_l"].notna().mean() > 0.9
    assert enrolled["treg_suppression_pct"].notna().mean() < 0.15
    together = enrolled[["cd4_count_per_ul", "treg_pct_cd4"]].notna().all(axis=1).mean()
    assert together > 0.4  # one tube; by chance it would be 0.28


def test_noise_of_a_score_is_the_published_one(enrolled):
    """SD 1.05, in scores that no bound can reach."""
    true = 48 - enrolled["earlier"] * enrolled["months_since_onset"]
    free = true.between(6, 42)
    assert (enrolled["alsfrs_r_total"] - true)[free].std() == pytest.approx(1.05, abs=0.02)
    assert (enrolled["alsfrs_r_total"] - true)[free].mean() == pytest.approx(0.0, abs=0.03)


def test_the_score_falls_by_the_true_rate(cohort, enrolled):
    last = cohort.visits[cohort.planned == 12].set_index("patient_id")
    first = enrolled.set_index("patient_id").loc[last.index]
    lost = (first["alsfrs_r_total"] - last["alsfrs_r_total"]) / (
        last["months_since_onset"] - first["months_since_onset"]
    )
    free = first["alsfrs_r_total"].between(36, 45) & (first["rate"] < 2.0)
    assert (lost - first["rate"])[free].mean() == pytest.approx(0.0, abs=0.02)
    assert (lost - first["rate"])[free].std() == pytest.approx(1.05 * np.sqrt(2) / 12, abs=0.02)


def test_items_add_up_and_are_mostly_there(cohort):
    items = cohort.visits[list(ITEMS_ALSFRS_R)]
    complete = items.notna().all(axis=1)
    assert (complete == items.notna().any(axis=1)).all()
    assert complete.mean() == pytest.approx(0.9, abs=0.01)
    assert (items[complete].sum(axis=1) == cohort.visits.loc[complete, "alsfrs_r_total"]).all()
    assert items[complete].isin(range(5)).all(axis=None)


def test_bulbar_onset_shows_in_bulbar_items(enrolled):
    speech = enrolled.groupby("onset_site")["alsfrs_speech"].mean()
    walking = enrolled.groupby("onset_site")["alsfrs_walking"].mean()
    assert speech["bulbar"] < speech["spinal"] - 0.5
    assert walking["bulbar"] > walking["spinal"] + 0.3


def test_identities_between_columns(cohort):
    visits = cohort.visits
    product = visits["cd4_count_per_ul"] * visits["treg_pct_cd4"] / 100
    ratio = (visits["treg_count_per_ul"] / product).dropna()
    assert len(ratio) > 10_000
    assert ratio.between(0.9, 1.1).all()
    index = visits["weight_kg"] / (visits["height_cm"] / 100) ** 2
    assert (visits["bmi_kg_m2"] - index).abs().max() <= 0.0501
    assert (visits["bmi_kg_m2"].notna() == index.notna()).all()
    known = visits.dropna(subset=["cd4_count_per_ul", "lymphocytes_10e9_l"])
    assert (known["cd4_count_per_ul"] <= 1000 * known["lymphocytes_10e9_l"]).all()
    parts = visits["neutrophils_10e9_l"] + visits["lymphocytes_10e9_l"] + visits["monocytes_10e9_l"]
    assert ((visits["leukocytes_10e9_l"] - parts).dropna() > -0.011).all()
    assert "nlr" not in visits


def test_every_value_is_plausible_and_few_were_clipped(cohort):
    numbers = cohort.visits.select_dtypes("number")
    for name in numbers.columns.drop("death_month"):
        low, high = vocabulary().by_column[name].plausible
        assert numbers[name].dropna().between(low, high).all(), name
    assert all(count < 0.01 * len(numbers) for count in cohort.clipped.values()), cohort.clipped


def test_limits_of_detection(cohort, enrolled):
    censored = {name for name, row in TABLE["variable"].items() if "detection" in row}
    comparators = {column for column in cohort.visits if column.endswith("_comparator")}
    assert comparators == {f"{name}_comparator" for name in censored}
    for name in censored:
        below = cohort.visits[f"{name}_comparator"].notna()
        limit = TABLE["variable"][name]["detection"]["limit"]
        assert set(cohort.visits.loc[below, f"{name}_comparator"]) == {"<"}
        assert (cohort.visits.loc[below, name] == limit).all()
        assert (cohort.visits.loc[~below, name].dropna() >= limit).all()
    lacking = (enrolled["chit1_ng_ml_comparator"] == "<").sum() / enrolled["chit1_ng_ml"].notna().sum()
    assert lacking == pytest.approx(0.09, abs=0.03)  # Thompson 2019; Steinacker 2021


def test_markers_change_little_within_a_patient(cohort, enrolled):
    later = cohort.visits[cohort.planned == 6].set_index("patient_id")
    first = enrolled.set_index("patient_id").loc[later.index]
    for name in ("nfl_pg_ml", "treg_pct_cd4", "creatinine_umol_l"):
        both = first[name].notna() & later[name].notna()
        found = np.corrcoef(normal_scores(first.loc[both, name]), normal_scores(later.loc[both, name]))[0, 1]
        variable = reference_constants().variables[name]
        assert found == pytest.approx(variable.stability, abs=0.03)
        assert found > 0.8


def test_death_and_dropout_rise_with_the_rate(cohort, enrolled):
    band = pd.cut(enrolled["rate"], [0, 0.5, 1.0, np.inf], labels=["slow", "intermediate", "fast"]).to_numpy()
    died = enrolled["death_month"].notna().groupby(band).mean()
    seen = cohort.visits.loc[cohort.planned == 12, "patient_id"]
    alive = enrolled["death_month"].isna()
    stayed = enrolled["patient_id"].isin(seen)[alive].groupby(band[alive]).mean()
    assert died["slow"] < died["intermediate"] < died["fast"]
    assert stayed["slow"] > stayed["intermediate"] > stayed["fast"]
    assert 0.10 < enrolled["death_month"].notna().mean() < 0.25


def test_nobody_is_seen_after_death_and_time_goes_forward(cohort):
    visits = cohort.visits
    dead = visits["death_month"].notna()
    assert (visits["months_since_onset"] <= visits["death_month"] + 0.011)[dead].all()
    assert (visits["months_since_onset"] > 0).all()
    assert (visits.groupby("patient_id")["months_since_onset"].diff().dropna() > 0).all()
    before = visits.loc[cohort.planned < 0, "patient_id"].nunique() / len(cohort.truth)
    assert before == pytest.approx(0.25, abs=0.02)


def test_own_parser_takes_the_table_without_a_problem():
    found = parse_table(simulate(patients=300, seed=5).to_dict("records"))
    assert [problem for patient in found for problem in patient.problems] == []
    assert len(found) == 300
