"""What tests of training share: the large draw of the reference cohort, and versions that are rivals."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.rivals import Rivals, make_rivals
from training import reference_cohort
from training.tracking import open_store

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


@pytest.fixture(scope="session")
def rivals(tmp_path_factory: pytest.TempPathFactory) -> Rivals:
    """Three versions of a quick model, of which the first is champion. Only to be read."""
    return make_rivals(tmp_path_factory.mktemp("rivals") / "made")


@pytest.fixture
def own(rivals: Rivals, tmp_path: Path) -> Rivals:
    """The same in a store of the test's own, with MLflow pointed at it."""
    copy = rivals.copied(tmp_path / "store")
    open_store(copy.uri)
    return copy
