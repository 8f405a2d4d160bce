"""What must hold of the oracle's answers whatever the numbers are, and the command that writes them."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import cli
from features.vocabulary import vocabulary
from training.reference.oracle import attainable, oracle_table
from training.reference.reference_cohort import Draw, draw
from training.reference.reference_constants import reference_constants
from training.reference.score_intervals import without

MARKERS = [name for name, v in reference_constants().variables.items() if v.assay_cv and v.name != "bmi_kg_m2"]


@pytest.fixture(scope="module")
def small() -> Draw:
    return draw(600, seed=3)


def test_a_row_alone_is_a_row_in_a_batch(small):
    together = attainable(small.enrolled, small.before)
    turned = attainable(small.enrolled.iloc[::-1], small.before.iloc[::-1])
    assert turned.rate[::-1] == pytest.approx(together.rate, abs=1e-8)
    for place in (0, 7, 599):
        alone = attainable(small.enrolled.iloc[[place]], small.before)
        assert alone.rate[0] == pytest.approx(together.rate[place], abs=1e-8)
        assert alone.quantile(0.9)[0] == pytest.approx(together.quantile(0.9)[place], abs=1e-8)


def test_more_measured_is_less_unsure(small):
    levels = [["nfl_pg_ml"], ["il6_pg_ml"], ["treg_pct_cd4", "treg_count_per_ul", "cd4_count_per_ul"]]
    unseen = [*MARKERS, "treg_count_per_ul", "c9orf72"]
    variances = [(attainable(without(small.enrolled, unseen)).rate_sd ** 2).mean()]
    for names in levels:
        unseen = [name for name in unseen if name not in names]
        variances.append((attainable(without(small.enrolled, unseen)).rate_sd ** 2).mean())
    variances.append((attainable(small.enrolled).rate_sd ** 2).mean())
    variances.append((attainable(small.enrolled, small.before).rate_sd ** 2).mean())
    assert (np.diff(variances) < 0).all()


def test_better_suppression_is_never_told_to_be_faster(small):
    """With the rest as it is, at every phase; vocabulary: suppression goes with slower decline."""
    assert vocabulary().by_column["treg_suppression_pct"].direction == -1
    rates = [attainable(small.enrolled.assign(treg_suppression_pct=value)).rate for value in (20.0, 50.0, 80.0)]
    assert (np.diff(rates, axis=0) < 0).all()


def test_without_a_treg_effect_tregs_say_nothing():
    contrary = draw(400, seed=9, treg_effect=False)
    rows = without(contrary.enrolled, ["treg_count_per_ul"])
    with_tregs = attainable(rows, treg_effect=False)
    bare = attainable(
        without(rows, ["treg_pct_cd4", "treg_suppression_pct", "foxp3_mrna_ratio"]), treg_effect=False
    )
    assert with_tregs.rate == pytest.approx(bare.rate, abs=1e-9)


def test_rows_that_it_cannot_use_are_refused(small):
    twice = pd.concat([small.enrolled, small.enrolled.head(1)])
    with pytest.raises(ValueError, match="one row a patient"):
        attainable(twice)
    with pytest.raises(ValueError, match="sex is missing"):
        attainable(without(small.enrolled, ["sex"]))


# --------------------------------------------------------------------------------------------------------- command


@pytest.mark.parametrize("flags", [[], ["--no-treg-effect"]])
def test_the_command_writes_it_beside_the_cohort(tmp_path, flags):
    cohort, best = tmp_path / "cohort.parquet", tmp_path / "oracle.parquet"
    for command, out in (("simulate", cohort), ("oracle", best)):
        arguments = ["cohort", command, "--patients", "40", "--seed", "2", *flags, "--out", str(out)]
        result = CliRunner().invoke(cli.main, arguments)
        assert result.exit_code == 0, result.output
    visits, table = pd.read_parquet(cohort), pd.read_parquet(best)
    assert table["patient_id"].tolist() == visits["patient_id"].unique().tolist()
    indexed = table.merge(
        visits, left_on=["patient_id", "index_month"], right_on=["patient_id", "months_since_onset"]
    )
    assert len(indexed) == 40
    assert (table["rate_q05"] < table["rate_q50"]).all()
    assert (table["rate_q50"] < table["rate_q95"]).all()
    assert set(visits["provenance"]) == set(table["provenance"])
    assert ("without a Treg effect (Cui 2022)" in table["provenance"][0]) == bool(flags)
    expected = oracle_table(draw(40, 2, treg_effect=not flags))
    pd.testing.assert_frame_equal(table[expected.columns], expected, check_dtype=False)
