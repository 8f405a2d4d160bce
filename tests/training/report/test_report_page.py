"""The page: asks for nothing, runs nothing, holds the numbers of the JSON, and escapes what others named."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from features.matrix import DesignMatrix
from model.regressor import ProgressionRegressor
from training.fit import regressor_for
from training.report.report_document import document
from training.report.report_page import SECTIONS, page
from training.report.tripod import answers
from training.worth import Worth, worth

HOSTILE = """<script>alert("1")</script>&<img src=x onerror='x'>$\\frac{$</svg></style>"""


class Elements(HTMLParser):
    """Every element with its attributes, and all text outside of style sheets."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def small(matrix: DesignMatrix, seed: int) -> ProgressionRegressor:
    return regressor_for(matrix, seed).set_params(n_trees=20, n_folds=2)


@pytest.fixture(scope="module")
def of_nfl(reported) -> Worth:
    return worth(reported.again.examples, only=("NfL",), n_folds=2, resamples=20, make=small)


def test_nothing_is_asked_for_and_nothing_runs(reported) -> None:
    elements = Elements(reported.html)
    names = Counter(tag for tag, _ in elements.found)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "image", "base"} & set(names)
    assert not re.search(r"https?:|//[a-z]|@import|expression\(", reported.html)
    assert set(re.findall(r"url\((.)", reported.html)) <= {"#"}
    for _, attributes in elements.found:
        assert not [name for name in attributes if name.startswith("on") or name in {"src", "srcset", "action"}]
        assert all(value and value.startswith("#") for name, value in attributes.items() if name.endswith("href"))
    assert len(reported.html.encode()) < 3_000_000


def test_it_is_sound_html(reported) -> None:
    elements = Elements(reported.html)
    ids = Counter(a["id"] for _, a in elements.found if "id" in a)
    assert not [name for name, count in ids.items() if count > 1]
    links = {a["href"][1:] for _, a in elements.found if a.get("href")}
    assert links <= set(ids)
    assert set(SECTIONS) <= set(ids)
    drawn = [a for tag, a in elements.found if tag == "svg"]
    assert len(drawn) == 8  # calibration, importance, six effects
    assert all(a["role"] == "img" and a["aria-label"] and a["viewbox"] for a in drawn)
    assert reported.html.startswith("\n<!doctype html>") or reported.html.lstrip().startswith("<!doctype html>")


def test_it_holds_the_numbers_of_the_json(reported) -> None:
    found, text = json.loads(reported.document.json), Elements(reported.html).text
    for figures in found["accuracy"].values():
        for each in figures.values():
            assert f"{each['value']:.3f}" in text
            assert f"{each['lower']:.3f} to {each['upper']:.3f}" in text
    for group in (*found["by_band"], *found["by_group"], *found["by_marker"]):
        assert group["name"] in text
        for each in (group["figures"] or {}).values():
            assert f"{each['value']:.3f}{each['lower']:.3f} to {each['upper']:.3f}" in text
    for key in ("rows", "patients", "patients_with_outcome", "examples"):
        assert f"{found['flow'][key]} " in text
    for example in found["examples"]:
        assert f"{example['answer']['progression_rate']:.2f} {example['answer']['unit']}" in text
        assert all(caution["words"] in text for caution in example["answer"]["cautions"])
    for item in found["tripod"].values():
        assert (item["text"] or "not stated") in text
    for digest in (found["origin"]["pack_id"], found["card"]["digest"], reported.document.digest):
        assert digest in text
    assert "SIMULATED." in text


def test_a_real_cohort_has_no_banner_and_hostile_names_stay_names(reported, of_nfl: Worth) -> None:
    card = replace(reported.report.card, simulated=False, cohort=HOSTILE, provenance=HOSTILE)
    groups = (replace(reported.report.by_group[0], name=f"site: {HOSTILE}"),)
    flow = replace(reported.report.flow, file=HOSTILE, why_patients=((HOSTILE, 3),))
    report = replace(reported.report, card=card, by_group=groups, flow=flow, worth=of_nfl)
    told = answers(report, {"18a": HOSTILE})
    html = page(report, told, document(report, told)).decode()
    elements = Elements(html)
    assert not [tag for tag, _ in elements.found if tag in {"script", "img"}]
    assert not [a for _, a in elements.found if any(name.startswith("on") for name in a)]
    assert elements.text.count(HOSTILE) >= 6
    assert "SIMULATED." not in elements.text
    assert html.count("<svg") == html.count("</svg>") == 10


def test_what_markers_are_worth_is_told_or_said_to_be_missing(reported, of_nfl: Worth) -> None:
    assert "Not examined in this report." in reported.html
    report = replace(reported.report, worth=of_nfl)
    made = document(report, reported.answers)
    text = Elements(page(report, reported.answers, made).decode()).text
    assert "Not examined in this report." not in text
    [ladder] = json.loads(made.json)["worth"]["ladder"]
    rmse = ladder["differences"]["rmse"]
    assert f"{rmse['estimate']:+.3f}{rmse['lower']:+.3f} to {rmse['upper']:+.3f}" in text
    assert of_nfl.ladder[0].sentence in text


def test_the_same_report_has_the_same_bytes(reported) -> None:
    again = document(reported.report, reported.answers)
    assert again == reported.document
    assert page(reported.report, reported.answers, again).decode() == reported.html
