"""The large draw of the reference cohort that its tests share."""

from __future__ import annotations

import pytest

from training import reference_cohort

DRAWN = 20_000


@pytest.fixture(scope="session")
def cohort():
    return reference_cohort.draw(DRAWN, seed=7)


@pytest.fixture(scope="session")
def enrolled(cohort):
    """The visit of enrolment, one row a patient in the order of the truth, with the truth beside it."""
    rows = cohort.visits[cohort.planned == 0].reset_index(drop=True)
    assert rows["patient_id"].tolist() == cohort.truth["patient_id"].tolist()
    return rows.assign(rate=cohort.truth["true_rate"], earlier=cohort.truth["earlier_rate"])
