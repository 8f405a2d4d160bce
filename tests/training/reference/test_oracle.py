"""The oracle's answers are those of brute force, they are calibrated, and no regression beats them."""

import numpy as np
import pandas as pd
import pytest
import xgboost
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PolynomialFeatures

from features.consistency import ITEMS_ALSFRS_R
from features.table import COMPARATOR
from training.reference.oracle import attainable
from training.reference.reference_cohort import Draw, draw
from training.reference.reference_constants import reference_constants
from training.reference.reference_copula import reference_copula
from training.reference.score_intervals import without

pytestmark = pytest.mark.xdist_group("oracle")  # one draw of 20,000 for all

PATIENTS = 20_000
MARKERS = [name for name, v in reference_constants().variables.items() if v.assay_cv and v.name != "bmi_kg_m2"]


@pytest.fixture(scope="module")
def drawn() -> Draw:
    return draw(PATIENTS, seed=23)


@pytest.fixture(scope="module")
def answers(drawn):
    return attainable(drawn.enrolled, drawn.before)


@pytest.fixture(scope="module")
def small() -> Draw:
    return draw(600, seed=3)


# ----------------------------------------------------------------------------------------------------- calibration


def test_true_rates_fall_evenly_over_what_the_oracle_tells(drawn, answers):
    """Probability integral transform: uniform overall, and in groups that the oracle treats in their own way."""
    rate, late = drawn.truth["true_rate"].to_numpy(), drawn.truth["late_phase"].to_numpy()
    place = answers.below(rate)
    lost = drawn.truth["earlier_rate"] * drawn.enrolled["months_since_onset"]
    groups = {
        "all": late >= 0,
        "early": late < 0.2,
        "late": late > 0.8,
        "delay unknown": drawn.enrolled["diagnostic_delay_months"].isna().to_numpy(),
        "enrolled sooner": (abs(lost - 38) < 0.4).to_numpy(),
        "seen before": drawn.enrolled["patient_id"].isin(drawn.before["patient_id"]).to_numpy(),
        "women": (drawn.enrolled["sex"] == "female").to_numpy(),
        "site-3": (drawn.enrolled["site"] == "site-3").to_numpy(),
        "Tregs": drawn.enrolled["treg_pct_cd4"].notna().to_numpy(),
        "CRP below": (drawn.enrolled["crp_mg_l_comparator"] == "<").to_numpy(),
    }
    for name, these in groups.items():
        assert these.sum() > 300, name
        assert stats.kstest(place[these], "uniform").pvalue > 0.001, name


def test_squared_errors_are_as_large_as_said(drawn, answers):
    rate = drawn.truth["true_rate"].to_numpy()
    error = rate - answers.rate
    assert error.mean() == pytest.approx(0.0, abs=4 * error.std() / np.sqrt(PATIENTS))
    relative = (error / answers.rate_sd) ** 2
    assert relative.mean() == pytest.approx(1.0, abs=4 * relative.std() / np.sqrt(PATIENTS))
    assert (rate < answers.quantile(0.9)).mean() == pytest.approx(0.9, abs=0.0085)


def test_probabilities_of_bands_come_true(drawn, answers):
    rate = drawn.truth["true_rate"].to_numpy()
    found = np.column_stack([rate < 0.5, (rate >= 0.5) & (rate <= 1.0), rate > 1.0])
    assert answers.bands.sum(axis=1) == pytest.approx(np.ones(PATIENTS))
    for band in range(3):
        said = answers.bands[:, band]
        for part in np.array_split(np.argsort(said), 8):
            expected = said[part].mean()
            allowed = 4.5 * np.sqrt(expected * (1 - expected) / len(part)) + 1e-3
            assert found[part, band].mean() == pytest.approx(expected, abs=allowed)


@pytest.fixture(scope="module")
def many() -> Draw:
    return draw(50_000, seed=5)


def test_no_regression_beats_it(drawn, answers, many):
    """Fitted on the true rates of 50,000 others, with all that the oracle is given."""
    rate, target = drawn.truth["true_rate"].to_numpy(), many.truth["true_rate"].to_numpy()
    X, Y = (_design(each) for each in (many, drawn))
    X, Y = (each.to_numpy(dtype=np.float32) for each in (X, Y[X.columns]))
    settings = {"max_depth": 3, "learning_rate": 0.1, "min_child_weight": 50, "nthread": 1, "base_score": 0.89}
    trees = xgboost.train(settings, xgboost.DMatrix(X, target, nthread=1), 120)
    middle = np.nanmedian(X, axis=0)
    filled, fresh = (np.where(np.isnan(each), middle, each) - middle for each in (X, Y))
    for guess in (
        trees.predict(xgboost.DMatrix(Y, nthread=1)),
        LinearRegression().fit(filled / filled.std(axis=0), target).predict(fresh / filled.std(axis=0)),
    ):
        gain = (rate - guess) ** 2 - (rate - answers.rate) ** 2
        assert gain.mean() > 2 * gain.std() / np.sqrt(PATIENTS)


def test_a_regression_with_nothing_missing_comes_close(drawn, many):
    """A quadratic on normal scores loses under 1 % to the oracle of the same six markers, and wins nothing."""
    kept = ["neutrophils_10e9_l", "lymphocytes_10e9_l", "creatinine_umol_l", "albumin_g_l", "nfl_pg_ml"]
    unseen = [name for name in [*MARKERS, "treg_count_per_ul", "c9orf72"] if name not in kept]
    known = [*kept, "diagnostic_delay_months"]
    rows, others = (each.enrolled.dropna(subset=known) for each in (drawn, many))
    found = attainable(without(rows, unseen))
    said = (found.weight * found.mean).sum(axis=1)
    expand = PolynomialFeatures(2)
    X, Y = (expand.fit_transform(_six_scores(each, kept)) for each in (others, rows))
    truth, target = (
        _later_score(each.truth["true_rate"][part.index]) for each, part in ((drawn, rows), (many, others))
    )
    guess = LinearRegression().fit(X, target).predict(Y)
    lost = (truth - guess) ** 2 - (truth - said) ** 2
    error = lost.std() / np.sqrt(len(rows))
    assert -2 * error < lost.mean() < 0.01 * ((truth - said) ** 2).mean() + 2 * error


def _later_score(rate):
    sd = np.sqrt(np.log1p((0.65 / 0.89) ** 2))
    return (np.log(rate / 0.89).to_numpy() + sd**2 / 2) / sd


def _six_scores(rows: pd.DataFrame, kept: list[str]) -> np.ndarray:
    shift = rows["site"].map({"site-1": 1.0, "site-2": 1.08, "site-3": 0.92}).to_numpy()
    months, delay, male = rows["months_since_onset"], rows["diagnostic_delay_months"], rows["sex"] == "male"
    so_far = (np.maximum(48 - rows["alsfrs_r_total"], 1.0)) / months
    return np.column_stack(
        [
            *(np.log(rows[name] / (shift if name == "nfl_pg_ml" else 1.0)) for name in kept),
            np.log(so_far),
            np.log(months),
            np.log(delay),
            rows["age_years"] / 11,
            male,
            rows["onset_site"] == "bulbar",
            rows["onset_site"] == "respiratory",
        ]
    ).astype(float)


def _design(cohort: Draw) -> pd.DataFrame:
    numbers = cohort.enrolled.select_dtypes("number").drop(columns=["death_month", *ITEMS_ALSFRS_R])
    earlier = cohort.before.set_index("patient_id").select_dtypes("number").drop(columns="death_month")
    numbers = numbers.join(earlier.reindex(cohort.enrolled["patient_id"]).reset_index(drop=True).add_suffix("_b"))
    numbers = numbers.drop(columns=[f"{item}_b" for item in ITEMS_ALSFRS_R])
    for name in numbers.columns.intersection(MARKERS):
        numbers[name] = np.log(numbers[name].clip(lower=0.01))
    for name in ("site", "sex", "onset_site", "c9orf72"):
        numbers = numbers.join(pd.get_dummies(cohort.enrolled[name], prefix=name, dtype=float))
    lost = 48 - cohort.enrolled["alsfrs_r_total"]
    return numbers.assign(so_far=np.log((lost + 0.5) / cohort.enrolled["months_since_onset"]))


# ----------------------------------------------------------------------------------------------------- brute force


@pytest.mark.parametrize("place", range(6))
def test_answers_are_those_of_importance_sampling(small, place):
    """Draws of all traits of a patient, weighted by how probable they make the score, two markers and the onset."""
    names = ["nfl_pg_ml", "crp_mg_l", "treg_pct_cd4"]
    whole = small.enrolled.dropna(subset=[*names, "diagnostic_delay_months"])
    if place == 5:  # one with CRP below detection
        whole = whole[whole["crp_mg_l_comparator"] == "<"]
    row = whole.iloc[[place]]
    unseen = [name for name in [*MARKERS, "treg_count_per_ul", "c9orf72"] if name not in names]
    found = attainable(without(row, unseen))
    rate, weight = _sampled(row.iloc[0], names, np.random.default_rng(place))
    expected = np.average(rate, weights=weight)
    spread = np.sqrt(np.average((rate - expected) ** 2, weights=weight))
    allowed = 5 * spread / np.sqrt(weight.sum() ** 2 / (weight**2).sum()) + 0.002
    assert found.rate[0] == pytest.approx(expected, abs=allowed)
    assert found.rate_sd[0] == pytest.approx(spread, abs=2 * allowed)
    assert found.bands[0, 0] == pytest.approx(np.average(rate < 0.5, weights=weight), abs=2 * allowed)


def _sampled(row, names, generator, draws=400_000):
    """Later rates and weights. The course is drawn from its prior given the delay and the months since onset."""
    constants, copula = reference_constants(), reference_copula()
    months, delay = row["months_since_onset"], row["diagnostic_delay_months"]
    late = 1 / (1 + (months / 15.0) ** -4.0)
    traits = ["earlier_rate", "diagnostic_delay_months", "enrolment_lag_months", "later_rate", *names]
    traits += ["age_years", "sex", "onset_site"]
    at = [copula.names.index(name) for name in traits]
    matrix = ((1 - late) * copula.early + late * copula.late)[np.ix_(at, at)]
    course = [np.log(delay / 10.0) / 0.6, np.log((months - delay) / 4.0) / 0.8]
    gain = np.linalg.solve(matrix[1:3, 1:3], matrix[1:3])
    z = (matrix[:, 1:3] @ np.linalg.solve(matrix[1:3, 1:3], course))[:, None] + np.linalg.cholesky(
        matrix - matrix[:, 1:3] @ gain + 1e-12 * np.eye(len(at))
    ) @ generator.standard_normal((len(at), draws))
    sd = np.sqrt(np.log1p((0.82 / 0.97) ** 2))
    earlier = 0.97 * np.exp(sd * z[0] - sd**2 / 2)
    true = 48 - earlier * months
    noise = stats.norm(0, np.sqrt(1.05**2 - 1 / 12))
    weight = noise.cdf(row["alsfrs_r_total"] + 0.5 - true) - noise.cdf(row["alsfrs_r_total"] - 0.5 - true)
    weight *= earlier * months < 38  # the patients chosen are far from having been enrolled sooner
    for i, name in enumerate(names, 4):
        variable = constants.variables[name]
        marginal, half = variable.marginals["any"], 0.5 * 10.0**-variable.decimals
        shift = {"site-1": 1.0, "site-2": 1.08, "site-3": 0.92}[row["site"]] if name != "crp_mg_l" else 1.0
        below = row.get(name + COMPARATOR) == "<"
        edges = [np.log((row[name] + way * half) / shift / marginal.median) / marginal.log_sd for way in (-1, 1)]
        rest = stats.norm(np.sqrt(variable.stability) * z[i], np.sqrt(1 - variable.stability))
        weight *= rest.cdf(edges[0]) if below else rest.cdf(edges[1]) - rest.cdf(edges[0])
    age = stats.norm.ppf([0.57, 0.69, 0.97])  # sex; onset
    weight *= np.exp(-0.5 * ((z[-3] - (row["age_years"] - 62) / 11) / 0.02) ** 2)
    weight *= (z[-2] > age[0]) == (row["sex"] == "female")
    onset = ["spinal", "bulbar", "respiratory"].index(row["onset_site"])
    weight *= np.digitize(z[-1], age[1:]) == onset
    sd = np.sqrt(np.log1p((0.65 / 0.89) ** 2))
    return np.clip(0.89 * np.exp(sd * z[3] - sd**2 / 2), 0.01, 10.0), weight


def test_knowing_less_is_knowing_the_mean_over_those_who_look_alike(drawn):
    """Of months and score alone, against the patients of a large draw whose months and score are these."""
    rows = without(drawn.enrolled, [*MARKERS, "treg_count_per_ul", "c9orf72", "diagnostic_delay_months"])
    months, score = rows["months_since_onset"], rows["alsfrs_r_total"]
    deviations = []
    for at in (8.0, 15.0, 30.0):
        for total in (44, 40, 34, 25):
            like = (months.between(at / 1.12, at * 1.12) & (abs(score - total) <= 1)).to_numpy()
            nearest = rows[like].assign(distance=abs(np.log(months / at)) + abs(score - total))
            said = attainable(nearest.nsmallest(40, "distance")[rows.columns])
            rate = drawn.truth["true_rate"].to_numpy()[like]
            error = rate.std() / np.sqrt(len(rate)) + 0.25 * said.rate.std()
            deviations.append((rate.mean() - said.rate.mean()) / error)
    assert np.abs(deviations).max() < 4.0
    assert np.sqrt(np.mean(np.square(deviations))) < 1.6
