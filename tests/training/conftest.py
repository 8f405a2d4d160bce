"""What tests of training share: the large draw of the reference cohort, a report of the trained run, and rivals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.training.rivals import Rivals, make_rivals
from tests.training.small_registry import SmallRegistry, copy_of, make_small_registry
from training.reference import reference_cohort
from training.report.card_facts import card_facts
from training.report.repeated import Repeated
from training.report.report import Report, report_of
from training.report.report_document import Document, document
from training.report.report_page import page
from training.report.trained_version import TrainedVersion, trained_version
from training.report.tripod import Answer, answers
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


@dataclass(frozen=True)
class Reported:
    """The report of the trained run: gathered from its own cross-validation, which the command would do again."""

    made: TrainedVersion
    again: Repeated
    report: Report
    answers: tuple[Answer, ...]
    document: Document
    html: str


@pytest.fixture(scope="session")
def reported(trained) -> Reported:
    run = trained.run
    made = trained_version(f"models:/{run.version.name}/1", run.tracking_uri, trained.folder / "packs")
    again = Repeated(run.cohort, run.fitted.examples, run.fitted.evaluation)
    report = report_of(made, card_facts(made.pack.card), again, worth=None, changes=None, resamples=200)
    told = answers(report, {})
    made_document = document(report, told)
    return Reported(made, again, report, told, made_document, page(report, told, made_document).decode())


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


@pytest.fixture(scope="session")
def small_database(tmp_path_factory) -> Path:
    """The database of a registry with two versions; copy it before you change it."""
    return make_small_registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture
def registry(small_database: Path, tmp_path: Path) -> SmallRegistry:
    """A copy of that registry, and no pack fetched yet."""
    (tmp_path / "mlruns").mkdir()
    return SmallRegistry(copy_of(small_database, tmp_path / "mlflow.db"), tmp_path / "mlruns" / "packs")
