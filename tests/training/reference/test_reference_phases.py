"""The phases of the reference cohort, the laboratories of its sites, and the cohort without a Treg effect.

Expected figures follow from the table of constants by arithmetic written here.
"""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import training
from features.vocabulary import vocabulary
from training.reference.copula import TwoPhaseCopula
from training.reference.reference_cohort import draw, provenance, simulate
from training.reference.reference_constants import reference_constants, without_treg_effect
from training.reference.reference_copula import reference_copula

PATIENTS = 20_000
pytestmark = pytest.mark.xdist_group("phases")
TABLE = tomllib.loads((Path(training.__file__).parent / "reference" / "reference_cohort.toml").read_text("utf-8"))
CHANGING = {name: row["phase"]["change"] for name, row in TABLE["variable"].items() if "phase" in row}


@pytest.fixture(scope="module")
def drawn():
    return draw(PATIENTS, seed=31)


def normal_scores(values):
    return stats.norm.ppf((stats.rankdata(values) - 0.5) / len(values))


def of(copula, matrix, a, b):
    return matrix[copula.names.index(a), copula.names.index(b)]


# ------------------------------------------------------------------------------------------------------ two phases


def test_both_phases_are_there_and_the_passage_is_smooth(drawn):
    months, late = drawn.enrolled["months_since_onset"], drawn.truth["late_phase"]
    expected = 1 / (1 + (15.0 / months) ** 4.0)  # logistic in the logarithm, middle 15 months, width 1/4
    assert late.to_numpy() == pytest.approx(expected.to_numpy(), abs=0.002)
    assert late.mean() == pytest.approx(0.5, abs=0.01)  # what makes the published figure that of both together
    shares = np.histogram(late, bins=[0, 0.2, 0.4, 0.6, 0.8, 1.0])[0] / PATIENTS
    assert shares.min() > 0.1


def test_the_phase_is_not_in_the_visits(drawn):
    late = drawn.truth.set_index("patient_id")["late_phase"].loc[drawn.visits["patient_id"]].to_numpy()
    numbers = drawn.visits.select_dtypes("number")
    assert not np.isclose(numbers, late[:, None], rtol=0, atol=1e-9).any()
    assert "late_phase" not in drawn.visits


@pytest.mark.parametrize("name", sorted(CHANGING))
def test_each_phase_has_its_correlation_with_the_rate(name):
    """As measured: the trait's, weakened by the noise of the assay; published figure -+ half of the change."""
    copula, variable = reference_copula(), reference_constants().variables[name]
    published, half = TABLE["variable"][name]["rate"]["correlation"], CHANGING[name] / 2
    for matrix, expected in ((copula.early, published - half), (copula.late, published + half)):
        as_measured = of(copula, matrix, name, "later_rate") * np.sqrt(variable.stability)
        assert as_measured == pytest.approx(expected, abs=1e-12)
    assert vocabulary().by_column[name].direction * (published - half) >= 0


def test_what_is_drawn_in_a_phase_has_the_correlations_of_the_phase():
    copula, generator = reference_copula(), np.random.default_rng(4)
    shared = copula.draw_shared(PATIENTS, generator)
    for late in (0.0, 0.3, 1.0):
        scores = np.hstack([shared, copula.draw_rest(shared, np.full(PATIENTS, late), generator)])
        expected = (1 - late) * copula.early + late * copula.late
        assert np.abs(np.corrcoef(scores.T) - expected).max() < 5.0 / np.sqrt(PATIENTS)
        assert np.abs(scores.std(axis=0) - 1).max() < 0.02


def test_drawn_patients_of_the_late_phase_are_driven_by_inflammation(drawn):
    """The part of the correlation that the course so far leaves open changes with the weight as the table says."""
    late = drawn.truth["late_phase"].to_numpy()
    rate = normal_scores(drawn.truth["true_rate"])
    for name in ("treg_pct_cd4", "crp_mg_l", "neutrophils_10e9_l", "il6_pg_ml"):
        known = drawn.enrolled[name].notna().to_numpy()
        marker = normal_scores(drawn.enrolled.loc[known, name])
        course = np.column_stack(
            [np.ones(known.sum()), *(normal_scores(v[known]) for v in (drawn.truth["earlier_rate"], late))]
        )
        part, other = (v - course @ np.linalg.lstsq(course, v, rcond=None)[0] for v in (rate[known], marker))
        slope = np.polyfit(late[known] - 0.5, part * other, 1)[0]
        error = np.std(part * other) / (np.std(late[known]) * np.sqrt(known.sum()))
        assert slope == pytest.approx(CHANGING[name], abs=4 * error), name
        assert np.sign(slope) == np.sign(CHANGING[name])


def test_groups_hold_together_as_the_table_says(drawn):
    harm = {name: np.sign(row["rate"]["correlation"]) for name, row in TABLE["variable"].items() if "rate" in row}
    pairs = {frozenset(pair["of"]) for pair in TABLE["pair"]}
    for group, row in TABLE["group"].items():
        names = [name for name, each in TABLE["variable"].items() if each.get("group") == group]
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                both = drawn.enrolled[[a, b]].dropna()
                if frozenset((a, b)) in pairs or len(both) < 1000 or "detection" in TABLE["variable"][a]:
                    continue
                sign = -1 if (harm[a] < 0) != (harm[b] < 0) else 1
                within_sex = both.groupby(drawn.enrolled["sex"].loc[both.index]).rank(pct=True)
                found = np.corrcoef(normal_scores(within_sex[a]), normal_scores(within_sex[b]))[0, 1]
                assert found == pytest.approx(sign * row["correlation"], abs=4 / np.sqrt(len(both)) + 0.03), (a, b)


def test_a_fixed_variable_cannot_change_with_the_phase():
    early, late = np.eye(3), np.eye(3)
    late[0, 2] = late[2, 0] = 0.3
    with pytest.raises(ValueError, match="the same in both phases"):
        TwoPhaseCopula.of(("a", "b", "c"), 1, early, late)
    assert TwoPhaseCopula.of(("a", "b", "c"), 0, early, late).shared == 0


# ---------------------------------------------------------------------------------------------------- laboratories


def test_laboratories_differ_by_their_factor_and_blood_counts_do_not(drawn):
    factors = {site: row["factor"] for site, row in TABLE["laboratory"]["site"].items()}
    assert set(factors) == set(TABLE["variable"]["site"]["marginal"]["values"])
    for name in ("treg_pct_cd4", "nfl_pg_ml", "il6_pg_ml", "neutrophils_10e9_l", "creatinine_umol_l"):
        logs = np.log(drawn.enrolled[name]).groupby(drawn.enrolled["site"])
        for site, factor in factors.items():
            expected = np.log(factor) if name in TABLE["laboratory"]["assays"] else 0.0
            error = np.hypot(*(logs.std()[each] / np.sqrt(logs.count()[each]) for each in (site, "site-1")))
            assert logs.mean()[site] - logs.mean()["site-1"] == pytest.approx(expected, abs=4 * error + 1e-3)


def test_assays_that_differ_are_variables():
    assert set(TABLE["laboratory"]["assays"]) <= set(TABLE["variable"])


# ---------------------------------------------------------------------------------------------- no effect of Tregs


@pytest.fixture(scope="module")
def contrary():
    return draw(PATIENTS, seed=31, treg_effect=False)


def test_without_an_effect_tregs_are_unrelated_to_the_rates(contrary):
    rows = contrary.enrolled
    for name in ("treg_pct_cd4", "treg_suppression_pct", "foxp3_mrna_ratio"):
        known = rows[name].notna().to_numpy()
        for rate in ("true_rate", "earlier_rate"):
            found = stats.spearmanr(rows.loc[known, name], contrary.truth.loc[known, rate]).statistic
            assert abs(found) < 4 / np.sqrt(known.sum())


def test_without_an_effect_tregs_are_independent_of_the_rate_given_everything_else():
    """Zeros of the inverse of the correlations, in both phases; with an effect they are none."""
    for effect in (False, True):
        copula = reference_copula(effect)
        for matrix in (copula.early, copula.late):
            inverse = np.linalg.inv(matrix)
            for name in ("treg_pct_cd4", "treg_suppression_pct", "foxp3_mrna_ratio"):
                assert (abs(of(copula, inverse, name, "later_rate")) < 1e-9) == (not effect)


def test_without_an_effect_cd4_says_what_lymphocytes_say(contrary):
    both = contrary.enrolled[["cd4_count_per_ul", "lymphocytes_10e9_l"]].dropna()
    cd4, lymphocytes = (normal_scores(both[name]) for name in both)
    rate = normal_scores(contrary.truth["true_rate"][both.index])
    found = np.corrcoef([cd4, lymphocytes, rate])
    partial = found[0, 2] - found[0, 1] * found[1, 2]
    assert partial == pytest.approx(0.0, abs=4 / np.sqrt(len(both)))


def test_without_an_effect_all_else_is_as_it_was(drawn, contrary):
    assert contrary.truth["earlier_rate"].to_numpy() == pytest.approx(drawn.truth["earlier_rate"].to_numpy())
    found = np.corrcoef(normal_scores(contrary.truth["true_rate"]), normal_scores(contrary.truth["earlier_rate"]))
    assert found[0, 1] == pytest.approx(0.3335, abs=0.02)
    known = contrary.enrolled["nfl_pg_ml"].notna().to_numpy()
    scores = (normal_scores(v[known]) for v in (contrary.enrolled["nfl_pg_ml"], contrary.truth["true_rate"]))
    assert np.corrcoef(*scores)[0, 1] == pytest.approx(0.55, abs=0.02)
    changed = without_treg_effect(reference_constants()).variables
    others = set(changed) - {"treg_pct_cd4", "treg_suppression_pct", "foxp3_mrna_ratio", "cd4_count_per_ul"}
    assert all(changed[name] == reference_constants().variables[name] for name in others)


def test_the_switch_shows_in_table_and_provenance():
    assert not simulate(50, 1).equals(simulate(50, 1, treg_effect=False))
    assert "Treg effect" not in provenance(50, 1)
    assert provenance(50, 1, treg_effect=False).endswith("without a Treg effect (Cui 2022)")
