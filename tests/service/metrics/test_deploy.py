"""Dashboard, alarms and scrape: each name and label in them is one that a real server exposes."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from features.vocabulary import vocabulary
from service.audit.record import OUTCOMES
from tests.service.metrics.scraped import scrape

ROOT = Path(__file__).parents[3]
DEPLOY, DOCUMENT = ROOT / "deploy", ROOT / "docs" / "operations.md"
BY_PROMETHEUS = {"job", "instance"}  # labels that the scrape adds
ROWS = ("Traffic", "Latency", "Outcomes", "Why not answered", "Who may call", "Model drift", "Pack and process")
CLOSED = ("outcome", "endpoint", "route")  # labels of which an expression may name values


def alarms() -> dict[str, dict[str, Any]]:
    rules = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text("utf-8"))
    return {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"]}


def board() -> dict[str, Any]:
    return dict(json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8")))


def expressions() -> Iterator[str]:
    for rule in alarms().values():
        yield rule["expr"]
    for panel in board()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (each["definition"] for each in board()["templating"]["list"] if each["type"] == "query")


@pytest.fixture(scope="module")
def exposed(server: Any, pack: Any) -> dict[str, dict[str, set[str]]]:
    """Series -> label -> values, after some requests."""
    record = next(item.record for item in pack.golden if item.answer["outcome"] != "abstained")
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client:
        for body in (record, {}):
            last = client.post("/v1/predict", json=body)
        client.post("/v1/predict/batch", json={"records": [record, {}]})
        server.written_until(last.headers["x-request-id"])
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, labels in scrape(server.admin):
        found[name]["__name__"].add(name)
        for label, value in labels:
            found[name][label].add(value)
    return found


def test_each_name_and_label_is_one_that_is_exposed(exposed: dict[str, dict[str, set[str]]]) -> None:
    seen = 0
    for expression in expressions():
        known: set[str] = set()
        for name, selector in re.findall(r"(tregcast_\w+)(?:\{([^}]*)\})?", expression):
            assert name in exposed, expression
            known |= set(exposed[name])
            seen += 1
            for label, _, value in re.findall(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"', selector):
                assert label in {*exposed[name], *BY_PROMETHEUS}, expression
                if label in CLOSED:
                    assert set(value.split("|")) <= exposed[name][label], expression
        for labels in re.findall(r"\bby \(([^)]*)\)", expression):
            assert {label.strip() for label in labels.split(",")} <= {*known, *BY_PROMETHEUS}, expression
        assert expression.count("(") == expression.count(")"), expression
    assert seen > 60


def test_everything_that_is_told_of_answers_is_on_the_dashboard(exposed: dict[str, dict[str, set[str]]]) -> None:
    shown = " ".join(expressions())
    families = {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed if not name.startswith("tregcast_process")
    }
    assert {name for name in families if name not in shown} == set()


def test_the_words_of_closed_labels_are_those_of_the_source(exposed: dict[str, dict[str, set[str]]]) -> None:
    assert exposed["tregcast_answers_total"]["outcome"] == set(OUTCOMES)
    assert exposed["tregcast_missing_quantities_total"]["quantity"] == set(vocabulary().quantities)


def test_the_dashboard_has_its_rows_and_panels_that_do_not_overlap() -> None:
    panels = board()["panels"]
    assert tuple(panel["title"] for panel in panels if panel["type"] == "row") == ROWS
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


def test_each_alarm_has_its_paragraph_and_each_paragraph_its_alarm() -> None:
    section = DOCUMENT.read_text("utf-8").partition("\n## Alarms\n")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^### (\w+)\n\n(.+)$", section, re.MULTILINE))
    assert set(told) == set(alarms())
    assert min(map(len, told.values())) > 60
    for rule in alarms().values():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]


def test_the_document_tells_of_every_series(exposed: dict[str, dict[str, set[str]]]) -> None:
    section = DOCUMENT.read_text("utf-8").partition("\n## Metrics\n")[2].partition("\n## ")[0]
    for name in exposed:
        if not name.startswith("tregcast_process_"):
            family = re.sub(r"_(bucket|sum|count)$", "", name).removeprefix("tregcast_")
            assert f"`{family}`" in section, name


def test_the_scrape_reads_the_alarms_and_names_the_job_they_watch() -> None:
    scrape = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
    assert all((DEPLOY / name).is_file() for name in scrape["rule_files"])
    [job] = scrape["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("tregcast", "/metrics")
    assert 'up{job="tregcast"}' in alarms()["TregcastDown"]["expr"]
