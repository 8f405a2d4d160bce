"""The items of TRIPOD+AI, and what a report answers to each.

TRIPOD+AI is the checklist for reports of prediction models: Collins et al., BMJ 2024;385:e078378. Its numbers are
used here; the titles are our own short words for the items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from training.report import tripod_methods as say
from training.report import tripod_results as found
from training.report.report import Report

Status = Literal["reported", "stated", "not stated"]


@dataclass(frozen=True, slots=True)
class Item:
    """An item: its number, its title, what the pipeline says to it, and the sections of a report that show it.

    ``ask`` is the question to people where only they can answer; then ``tell`` may still answer for some cohorts.
    """

    number: str
    title: str
    tell: Callable[[Report], str]
    see: tuple[str, ...] = ()
    ask: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a report says to an item: by the pipeline (``text``), by people (``statement``), or not at all."""

    number: str
    title: str
    status: Status
    text: str
    statement: str
    see: tuple[str, ...]


def answers(report: Report, statements: Mapping[str, str]) -> tuple[Answer, ...]:
    """The answer to every item, in the checklist's order."""
    return tuple(_answer(item, report, statements.get(item.number, "")) for item in ITEMS)


def empty(given: tuple[Answer, ...]) -> tuple[str, ...]:
    """The items that nothing was said to, as "18a Funding"."""
    return tuple(f"{answer.number} {answer.title}" for answer in given if answer.status == "not stated")


def _answer(item: Item, report: Report, statement: str) -> Answer:
    text = item.tell(report).strip()
    status: Status = "stated" if statement and not text else "reported" if text else "not stated"
    return Answer(item.number, item.title, status, text, statement, item.see if text else ())


ITEMS = (
    Item("1", "Title", say.title),
    Item("2", "Abstract", say.abstract),
    Item("3a", "Context and reasons", say.context),
    Item("3b", "For whom and for what", say.population, ("use", "markers")),
    Item(
        "3c", "Known inequalities", say.nothing, ask="Which inequalities in health between groups are known here?"
    ),
    Item("4", "Objectives", say.objectives),
    Item("5a", "Sources of data", say.sources, ("flow",), "Where are the data from, and whom do they stand for?"),
    Item("5b", "Dates of the data", say.no_person, ask="From when to when were patients enrolled and followed?"),
    Item("6a", "Setting", say.no_person, ask="In what kind of care, and in which centres, were patients seen?"),
    Item("6b", "Who was eligible", say.eligibility, ("flow",)),
    Item("6c", "Treatments", say.treatments, ("groups",)),
    Item("7", "Preparation of data", say.preparation, ("flow",)),
    Item("8a", "Outcome and horizon", say.outcome),
    Item("8b", "Who assessed the outcome", say.no_person, ask="Who scored the outcome, with what training?"),
    Item(
        "8c", "Blinding of the outcome", say.no_person, ask="Did those who scored the outcome know the predictors?"
    ),
    Item("9a", "Choice of predictors", say.predictors, ("contributions",)),
    Item("9b", "Definition of predictors", say.definitions, ("markers",)),
    Item("9c", "Who assessed predictors", say.no_person, ask="Who judged predictors that need judgement, and how?"),
    Item("10", "Sample size", say.sample_size, ("flow",)),
    Item("11", "Missing data", say.missing, ("markers",)),
    Item("12a", "Use of the data", say.use_of_data),
    Item("12b", "Handling of predictors", say.handling),
    Item("12c", "Model, building, internal validation", say.model, ("origin",)),
    Item("12d", "Differences between clusters", say.clusters, ("groups",)),
    Item("12e", "Measures of performance", say.measures, ("accuracy", "calibration")),
    Item("12f", "Updating in evaluation", say.updating),
    Item("12g", "How predictions were computed", say.computed, ("examples",)),
    Item("13", "Class imbalance", say.imbalance, ("bands",)),
    Item("14", "Fairness", say.fairness, ("groups",)),
    Item("15", "Output of the model", say.output, ("examples",)),
    Item("16", "Development against evaluation data", say.differences),
    Item(
        "17", "Ethical approval", say.no_person, ask="Which committee approved the work, and how was consent given?"
    ),
    Item("18a", "Funding", say.nothing, ask="Who paid for the work, and what part did they have in it?"),
    Item("18b", "Conflicts of interest", say.nothing, ask="Which interests of the authors could matter?"),
    Item("18c", "Protocol", say.nothing, ask="Where is the protocol, or was there none?"),
    Item("18d", "Registration", say.nothing, ask="Where was the work registered, or was it not?"),
    Item("18e", "Sharing of data", found.data_sharing, ("origin",), "Who can have the data, and how?"),
    Item("18f", "Sharing of code", found.code_sharing, ("origin",)),
    Item("19", "Involvement of patients", say.nothing, ask="What part had patients and the public, or none?"),
    Item("20a", "Flow of participants", found.flow, ("flow",)),
    Item("20b", "Characteristics", found.characteristics, ("markers",)),
    Item("20c", "Development and evaluation compared", found.compared),
    Item("21", "Numbers in each analysis", found.numbers, ("flow",)),
    Item("22", "The full model", found.full_model, ("origin",)),
    Item("23a", "Performance", found.performance, ("accuracy", "calibration", "bands", "groups")),
    Item("23b", "Performance between clusters", found.by_site, ("groups",)),
    Item("24", "Result of updating", found.update_result, ("changes",)),
    Item("25", "Interpretation", found.interpretation, ("accuracy", "groups")),
    Item("26", "Limitations", found.limitations, ("limits",)),
    Item("27a", "Poor or missing input", found.poor_input, ("examples",)),
    Item("27b", "What users must do and know", say.nothing, ask="What must a user do, and know, to use it here?"),
    Item("27c", "Next steps", say.nothing, ask="What is to be studied next, for other patients and places?"),
)
"""All of them, in order; adding one is one line."""

ASKED = {item.number: f"{item.number} {item.title}. {item.ask}" for item in ITEMS if item.ask}
NUMBERS = tuple(item.number for item in ITEMS)
