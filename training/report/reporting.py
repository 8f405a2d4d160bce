"""One report: the version and its cohort, gathered, checked, written and logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.fit import regressor_for
from training.progress import Progress, silent
from training.registry import PACKS
from training.report.card_facts import card_facts
from training.report.changes import changes
from training.report.repeated import repeated
from training.report.report import report_of
from training.report.report_document import document
from training.report.report_files import Written, log, write
from training.report.report_page import page
from training.report.trained_version import trained_version
from training.report.tripod import answers
from training.worth import worth


@dataclass(frozen=True, slots=True)
class Reported:
    """A report that was written and logged."""

    title: str  # of the version
    files: Written
    digest: str  # of the JSON
    empty: tuple[str, ...]  # items of the checklist


def report(
    cohort_path: Path,
    mapping_path: Path | None,
    out: Path,
    *,
    reference: str,
    statements: Mapping[str, str],
    with_worth: bool = True,
    workers: int = 1,
    tracking_uri: str | None = None,
    packs: Path = PACKS,
    progress: Progress = silent,
) -> Reported:
    """Report on a version.

    Args:
        cohort_path, mapping_path: what the version was trained on.
        out: folder for the two files.
        reference: ``models:/name@alias`` or ``models:/name/version``.
        statements: what people say, by item of the checklist.
        with_worth: whether to find what each marker is worth, which takes most of the time.
        workers: processes that find it.

    Raises:
        CohortError, MappingError: the cohort or its mapping cannot be used.
        NotTheSame: the cohort or the figures are not those of the version.
        StoreError: the store or what is asked of it cannot be had. Refused: a pack does not verify.
        OSError: the folder cannot be written.
    """
    made = trained_version(reference, tracking_uri, packs)
    card = card_facts(made.pack.card)
    progress(f"{made.title}, trained on {card.cohort}")
    again = repeated(made, card, cohort_path, mapping_path, progress=progress)
    progress("the figures are those of the card")
    recipe, value = made.recipe, None
    if with_worth:
        value = worth(
            again.examples,
            seed=recipe.seed,
            make=partial(regressor_for, settings=recipe.settings),
            workers=workers,
            progress=progress,
        )
    found = report_of(made, card, again, worth=value, changes=changes(made, tracking_uri, packs))
    told = answers(found, statements)
    json = document(found, told)
    files = write(out, page(found, told, json), json.json)
    log(made, files, json.digest)
    return Reported(made.title, files, json.digest, json.empty)
