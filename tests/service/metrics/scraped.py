"""What a scrape says, as a mapping from series to value."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def series(text: str) -> Series:
    """Each series of a text in the format of Prometheus, read by its own parser."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(url: str) -> Series:
    answer = httpx.get(f"{url}/metrics", timeout=20, trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return series(answer.text)


def value(found: Series, name: str, **labels: str) -> float:
    """The value of a series, 0 where it is not there."""
    return found.get((name, frozenset(labels.items())), 0.0)


def risen(before: Series, after: Series, name: str, **labels: str) -> float:
    return value(after, name, **labels) - value(before, name, **labels)
