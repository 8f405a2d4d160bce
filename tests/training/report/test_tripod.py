"""Every item of the checklist is in a report, and what nobody said is told as empty."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from training.report.report_document import document
from training.report.report_page import SECTIONS
from training.report.tripod import ASKED, ITEMS, answers, empty

# The item numbers of TRIPOD+AI (BMJ 2024;385:e078378, table of the checklist).
CHECKLIST = re.findall(
    r"\w+",
    "1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9a 9b 9c 10 11 12a 12b 12c 12d 12e 12f 12g 13 14 15 16 17 "
    "18a 18b 18c 18d 18e 18f 19 20a 20b 20c 21 22 23a 23b 24 25 26 27a 27b 27c",
)
ONLY_PEOPLE = {"3c", "18a", "18b", "18c", "18d", "19", "27b", "27c"}
OF_REAL_PATIENTS = {"5b", "6a", "8b", "8c", "9c", "17", "18e"}


def numbers(found) -> set[str]:
    return {text.split()[0] for text in empty(found)}


def test_every_item_is_there_once_and_in_order(reported) -> None:
    assert [item.number for item in ITEMS] == CHECKLIST
    found = json.loads(reported.document.json)
    assert set(found["tripod"]) == set(CHECKLIST)
    assert all(set(entry["see"]) <= set(SECTIONS) for entry in found["tripod"].values())


def test_what_only_people_can_say_is_empty(reported) -> None:
    assert numbers(reported.answers) == ONLY_PEOPLE
    found = json.loads(reported.document.json)
    assert found["complete"] is False
    assert len(found["empty"]) == len(ONLY_PEOPLE)
    assert found["tripod"]["18a"]["status"] == "not stated"
    assert found["tripod"]["17"]["text"].startswith("Not applicable: the cohort is simulated")


def test_a_cohort_of_real_patients_leaves_more_to_people(reported) -> None:
    card = replace(reported.report.card, simulated=False, provenance="not stated, read from x.csv")
    found = answers(replace(reported.report, card=card), {})
    assert numbers(found) == ONLY_PEOPLE | OF_REAL_PATIENTS | {"5a"}
    assert numbers(found) <= set(ASKED)  # the template asks for all that can be empty


def test_with_all_statements_it_is_complete(reported) -> None:
    card = replace(reported.report.card, simulated=False, provenance="not stated, read from x.csv")
    said = dict.fromkeys(ASKED, "Said by people.")
    real = replace(reported.report, card=card)
    found = answers(real, said)
    assert empty(found) == ()
    assert json.loads(document(real, found).json)["complete"] is True
    by_number = {answer.number: answer for answer in found}
    assert by_number["18a"].status == "stated"


def test_people_may_add_to_what_the_pipeline_says(reported) -> None:
    [title, *_] = answers(reported.report, {"1": "Nobody else would call it so."})
    assert title.status == "reported"
    assert title.text
    assert title.statement == "Nobody else would call it so."


def test_the_sentences_hold_the_figures(reported) -> None:
    by_number = {answer.number: answer.text for answer in reported.answers}
    card, flow = reported.made.pack.card, reported.again.cohort.report
    own = card["evaluation"]["overall"]["tregcast"]
    assert f"RMSE {own['rmse']:.3f} (" in by_number["23a"]
    assert f"{own['coverage']:.3f} (" in by_number["23a"]
    assert f"{flow.rows} rows of {flow.patients} patients" in by_number["20a"]
    assert str(len(reported.made.pack.predictor.matrix.columns)) in by_number["9a"]
    assert reported.made.pack.id in by_number["22"]
    assert all(limit in by_number["26"] for limit in card["limits"])
    assert "delta-FS alone" in by_number["25"]
