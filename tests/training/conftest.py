"""The large draw of the reference cohort that its tests share, and one report of the trained run."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from training import reference_cohort
from training.card_facts import card_facts
from training.repeated import Repeated
from training.report import Report, report_of
from training.report_document import Document, document
from training.report_page import page
from training.trained_version import TrainedVersion, trained_version
from training.tripod import Answer, answers

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
