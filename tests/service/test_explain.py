"""``?explain=``: how many contributions an answer tells; whatever is left out is summed, or all of it is absent."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from service.explain import CHOICES

ROUTES = ("/v1/predict", "/v1/predict/batch", "/v1/whatif")


def asked(client: httpx.Client, path: str, record: dict[str, Any], query: str = "") -> dict[str, Any]:
    """The prediction that a route gives of a record."""
    vary = {"nfl": {"values": [40], "unit": "pg/mL"}}
    bodies = {ROUTES[0]: record, ROUTES[1]: {"records": [record]}, ROUTES[2]: {"record": record, "vary": vary}}
    response = client.post(f"{path}{query}", json=bodies[path])
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    if path == ROUTES[1]:
        [found] = found["answers"]
    return found["as_it_is"] if path == ROUTES[2] else found


@pytest.mark.parametrize("path", ROUTES)
def test_top5_and_the_others_add_up(client: httpx.Client, record: dict[str, Any], path: str) -> None:
    whole, brief = asked(client, path, record), asked(client, path, record, "?explain=top5")
    assert len(whole["contributions"]) > 5
    assert brief["contributions"] == whole["contributions"][:5]
    others = brief["other_contributions"]
    assert others["count"] == len(whole["contributions"]) - 5
    told = sum(each["points_per_month"] for each in brief["contributions"])
    assert brief["base_value"] + told + others["points_per_month"] == brief["progression_rate"]
    assert {**brief, "contributions": 0, "other_contributions": 0} == {
        **whole,
        "contributions": 0,
        "other_contributions": 0,
    }


@pytest.mark.parametrize("path", ROUTES)
def test_none_has_neither_base_nor_contributions(client: httpx.Client, record: dict[str, Any], path: str) -> None:
    whole, bare = asked(client, path, record), asked(client, path, record, "?explain=none")
    assert bare == {key: value for key, value in whole.items() if key not in ("base_value", "contributions")}


@pytest.mark.parametrize("path", ROUTES)
def test_all_is_what_is_told_without_it(client: httpx.Client, record: dict[str, Any], path: str) -> None:
    assert asked(client, path, record) == asked(client, path, record, "?explain=all")
    assert "other_contributions" not in asked(client, path, record)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("query", "problems"),
    [
        ("explain=top3", [("unknown_value", "explain")]),
        ("explain=", [("unknown_value", "explain")]),
        ("explain=ALL", [("unknown_value", "explain")]),
        ("explain=all&explain=none", [("duplicate_key", "explain")]),
        ("explian=top5", [("unknown_key", "explian")]),
        ("reference=17&explain=x", [("unknown_key", "reference"), ("unknown_value", "explain")]),
        ("explain", [("unknown_value", "explain")]),
    ],
)
def test_a_query_that_is_not_known_is_refused(
    client: httpx.Client, record: dict[str, Any], path: str, query: str, problems: list[tuple[str, str]]
) -> None:
    response = client.post(f"{path}?{query}", json=record)
    assert response.status_code == 400
    found = response.json()
    assert found["type"] == "urn:tregcast:problem:bad_query"
    assert [(each["code"], each["field"]) for each in found["problems"]] == problems
    for each in found["problems"]:
        assert each["code"] != "unknown_value" or all(choice in each["remedy"] for choice in CHOICES)


def test_an_abstention_is_the_same_whatever_is_asked(client: httpx.Client) -> None:
    record = {"visits": [{"months_since_onset": {"value": 12, "unit": "mo"}, "measurements": {}}]}
    found = [client.post(f"/v1/predict?explain={choice}", json=record).json() for choice in CHOICES]
    assert found[0]["outcome"] == "abstained"
    assert found[0] == found[1] == found[2]
