"""Groups of patients: as the file of the cohort has them, and judged only where there are enough."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.evaluation import MODEL
from training.report.subgroup_figures import group_figures, measured_or_not
from training.subgroups import TOO_SMALL, predicted_bands, subgroups


def test_the_groups_are_those_of_the_file(reported, reference_frame: pd.DataFrame) -> None:
    examples = reported.again.examples
    found = subgroups(examples, reported.again.cohort)
    first = reference_frame.groupby("patient_id").first()
    for name, column, value in (
        ("sex: female", "sex", "female"),
        ("onset: bulbar", "onset_site", "bulbar"),
        ("C9orf72: normal", "c9orf72", "normal"),
        ("site: site-2", "site", "site-2"),
    ):
        of_file = set(first.index[first[column] == value]) & set(examples.patient)
        assert set(examples.patient[found[name]]) == of_file
    years = examples.feature("age_years")
    np.testing.assert_array_equal(found["age: under 50"], years < 50)
    np.testing.assert_array_equal(found["age: over 65"], years > 65)
    ages = np.sum([found[name] for name in found if name.startswith("age: ")], axis=0)
    np.testing.assert_array_equal(ages, np.ones(len(years)))  # each visit in one band
    assert all(mask.dtype == np.bool_ and mask.any() for mask in found.values())


def test_examples_of_another_cohort_are_refused(reported) -> None:
    from dataclasses import replace

    cohort = reported.again.cohort
    with pytest.raises(ValueError, match="are not those of a cohort with 3"):
        subgroups(reported.again.examples, replace(cohort, examples=cohort.examples[:3]))


def test_a_group_has_the_figures_of_its_rows(reported) -> None:
    examples, evaluation = reported.again.examples, reported.again.evaluation
    mask = subgroups(examples, reported.again.cohort)["sex: female"]
    [group] = group_figures({"women": mask}, examples, evaluation, resamples=50, seed=0)
    forecasts = evaluation.forecasts[MODEL]
    error = (forecasts.rate - evaluation.observed)[mask]
    inside = (forecasts.interval[:, 0] <= evaluation.observed) & (evaluation.observed <= forecasts.interval[:, 1])
    assert group.figures is not None
    assert group.figures.rmse.value == pytest.approx(np.sqrt(np.mean(error**2)))
    assert group.figures.bias.value == pytest.approx(error.mean())
    assert group.figures.coverage.value == pytest.approx(inside[mask].mean())
    assert group.examples == mask.sum()
    assert group.patients == len(set(examples.patient[mask]))


def test_a_group_of_fewer_than_twenty_patients_is_not_judged(reported) -> None:
    examples, evaluation = reported.again.examples, reported.again.evaluation
    names = np.unique(examples.patient)
    masks = {str(count): np.isin(examples.patient, names[:count]) for count in (TOO_SMALL - 1, TOO_SMALL)}
    small, enough = group_figures(masks, examples, evaluation, resamples=20, seed=0)
    assert (small.patients, small.figures) == (19, None)
    assert enough.patients == 20
    assert enough.figures is not None


def test_measured_or_not_and_bands_share_out_all_visits(reported) -> None:
    examples = reported.again.examples
    found = measured_or_not(examples)
    nfl = ~np.isnan(examples.feature("nfl_pg_ml")) | ~np.isnan(examples.feature("pnfh_pg_ml"))
    np.testing.assert_array_equal(found["NfL: measured"], nfl)
    np.testing.assert_array_equal(found["NfL: not measured"], ~nfl)
    bands = predicted_bands(reported.again.evaluation.forecasts[MODEL].rate)
    assert list(bands) == ["slow", "intermediate", "fast"]
    np.testing.assert_array_equal(np.sum(list(bands.values()), axis=0), np.ones(len(nfl)))
