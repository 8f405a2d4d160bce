"""A change of the API that breaks a caller is seen; one that does not is let through; the released API is kept."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.service.conftest import ROOT
from tools.api_changes import breaking_changes, main, shape

RELEASED = ROOT / "docs" / "openapi-released.json"


def document() -> dict[str, Any]:
    """A small API: a route that takes a record and answers one of two things."""
    record = {
        "type": "object",
        "additionalProperties": False,
        "required": ["age"],
        "properties": {
            "age": {"type": "number", "minimum": 18, "maximum": 110},
            "sex": {"type": "string", "enum": ["female", "male"]},
            "name": {"type": "string", "maxLength": 9},
        },
    }
    answer = {
        "type": "object",
        "required": ["rate", "outcome"],
        "properties": {
            "rate": {"type": "number"},
            "outcome": {"type": "string", "enum": ["prediction"]},
            "words": {"type": "array", "items": {"type": "string"}},
        },
    }
    refusal = {"type": "object", "required": ["why"], "properties": {"why": {"type": "string"}}}
    choice = {"oneOf": [{"$ref": "#/components/schemas/Answer"}, {"$ref": "#/components/schemas/Refusal"}]}
    explain = {"in": "query", "name": "explain", "schema": {"type": "string", "enum": ["all", "none"]}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {
            "/v1/predict": {
                "post": {
                    "operationId": "predict",
                    "security": [{}, {"bearer": []}],
                    "parameters": [explain],
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Record"}}},
                    },
                    "responses": {
                        "200": {
                            "headers": {"x-request-id": {}},
                            "content": {"application/json": {"schema": choice}},
                        },
                        "422": {"content": {"application/problem+json": {}}},
                    },
                }
            },
            "/livez": {"get": {"operationId": "livez", "responses": {"200": {"content": {}}}}},
        },
        "components": {"schemas": {"Record": record, "Answer": answer, "Refusal": refusal}},
    }


def at(found: dict[str, Any], name: str) -> dict[str, Any]:
    schema: dict[str, Any] = found["components"]["schemas"][name]
    return schema


def post(found: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = found["paths"]["/v1/predict"]["post"]
    return operation


Change = Callable[[dict[str, Any]], object]
BREAKING: dict[str, tuple[Change, str]] = {
    "a path": (lambda d: d["paths"].pop("/livez"), "/livez: the path is gone"),
    "a method": (lambda d: d["paths"]["/livez"].clear(), "the method is gone"),
    "an operationId": (lambda d: post(d).update(operationId="p"), "operationId"),
    "callers without a key": (lambda d: post(d).update(security=[{"bearer": []}]), "nothing at all"),
    "a parameter": (lambda d: post(d)["parameters"].clear(), "explain is gone"),
    "a value of a parameter": (
        lambda d: post(d)["parameters"][0]["schema"]["enum"].remove("none"),
        "'none' is gone",
    ),
    "a new required parameter": (
        lambda d: post(d)["parameters"].append({"in": "query", "name": "x", "required": True}),
        "x is required",
    ),
    "a media type of requests": (lambda d: post(d)["requestBody"]["content"].clear(), "application/json is gone"),
    "an answer": (lambda d: post(d)["responses"].pop("200"), "200 is no answer"),
    "a media type of answers": (
        lambda d: post(d)["responses"]["200"]["content"].clear(),
        "application/json is gone",
    ),
    "a header of answers": (lambda d: post(d)["responses"]["200"]["headers"].clear(), "x-request-id is gone"),
    "a new required field": (lambda d: at(d, "Record")["required"].append("sex"), "sex: it is required"),
    "a field of requests": (lambda d: at(d, "Record")["properties"].pop("name"), "name: the property is gone"),
    "a narrower type": (
        lambda d: at(d, "Record")["properties"]["age"].update(type="integer"),
        "number is not taken",
    ),
    "a higher least": (lambda d: at(d, "Record")["properties"]["age"].update(minimum=20), "minimum was 18"),
    "a lower most": (lambda d: at(d, "Record")["properties"]["name"].update(maxLength=8), "maxLength was 9"),
    "a new pattern": (lambda d: at(d, "Record")["properties"]["name"].update(pattern="^A"), "pattern is another"),
    "a value of requests": (
        lambda d: at(d, "Record")["properties"]["sex"]["enum"].remove("male"),
        "'male' is gone",
    ),
    "values where any was taken": (lambda d: at(d, "Record")["properties"]["name"].update(enum=["x"]), "only some"),
    "a new rule": (lambda d: at(d, "Record").update({"if": {"required": ["sex"]}, "else": False}), "if is another"),
    "a field of answers": (lambda d: at(d, "Answer")["properties"].pop("words"), "words: the property is gone"),
    "a field that may be absent": (lambda d: at(d, "Answer")["required"].remove("rate"), "rate: it may be absent"),
    "a wider type": (
        lambda d: at(d, "Answer")["properties"]["rate"].update(type=["number", "null"]),
        "may be null",
    ),
    "another type": (lambda d: at(d, "Answer")["properties"]["rate"].update(type="string"), "may be string"),
    "another type in a list": (
        lambda d: at(d, "Answer")["properties"]["words"].update(items={"type": "number"}),
        "may be integer, number",
    ),
    "a value of answers": (
        lambda d: at(d, "Answer")["properties"]["outcome"].update(enum=["prediction", "maybe"]),
        "may be 'maybe'",
    ),
    "a value of answers that is gone": (
        lambda d: at(d, "Answer")["properties"]["outcome"].update(enum=["predicted"]),
        "'prediction' is gone",
    ),
    "a choice": (
        lambda d: post(d)["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"].pop(),
        "Refusal is no choice",
    ),
    "a new choice": (
        lambda d: post(d)["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"].append(
            {"$ref": "#/components/schemas/Record"}
        ),
        "Record is a new choice",
    ),
    "a name": (
        lambda d: (
            d["components"]["schemas"].update(Reply=d["components"]["schemas"].pop("Record"))
            or post(d)["requestBody"]["content"]["application/json"]["schema"].update(
                {"$ref": "#/components/schemas/Reply"}
            )
        ),
        "schema Record: the name is gone",
    ),
}
HARMLESS: dict[str, Change] = {
    "a path": lambda d: d["paths"].update({"/v1/new": {"get": {"operationId": "new"}}}),
    "an optional field of requests": lambda d: at(d, "Record")["properties"].update(more={"type": "string"}),
    "a field that is required no more": lambda d: at(d, "Record")["required"].clear(),
    "a wider range of requests": lambda d: at(d, "Record")["properties"]["age"].update(minimum=0, maximum=120),
    "no limit of requests": lambda d: at(d, "Record")["properties"]["name"].pop("maxLength"),
    "a value of requests": lambda d: at(d, "Record")["properties"]["sex"]["enum"].append("unknown"),
    "a wider type of requests": lambda d: at(d, "Record")["properties"]["age"].update(type=["number", "string"]),
    "a field of answers": lambda d: at(d, "Answer")["properties"].update(more={"type": "string"}),
    "a field that is always there": lambda d: at(d, "Answer")["required"].append("words"),
    "a narrower type of answers": lambda d: at(d, "Answer")["properties"]["rate"].update(type="integer"),
    "an optional parameter": lambda d: post(d)["parameters"].append({"in": "query", "name": "x"}),
    "a status": lambda d: post(d)["responses"].update({"429": {"content": {}}}),
    "words": lambda d: at(d, "Record").update(description="A patient."),
    "a schema": lambda d: d["components"]["schemas"].update(New={"type": "object"}),
    "another way to be known": lambda d: post(d)["security"].append({"mtls": []}),
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_is_named(name: str) -> None:
    change, words = BREAKING[name]
    changed = copy.deepcopy(document())
    change(changed)
    found = breaking_changes(document(), changed)
    assert any(words in each for each in found), found


@pytest.mark.parametrize("name", HARMLESS)
def test_what_adds_breaks_nothing(name: str) -> None:
    changed = copy.deepcopy(document())
    HARMLESS[name](changed)
    assert breaking_changes(document(), changed) == []


def test_the_command_compares(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(document()))
    new.write_text(json.dumps({**document(), "paths": {}}))
    assert main(["compare", str(old), str(old)]) == 0
    assert main(["compare", str(old), str(new)]) == 1
    assert "/livez: the path is gone" in capsys.readouterr().out
    assert main([]) == 2


def test_the_release_is_the_shape_alone_and_equal_to_what_is_served(
    client: httpx.Client, pack_folder: Any, tmp_path: Any
) -> None:
    assert main(["release", str(pack_folder), str(tmp_path / "released.json")]) == 0
    text = (tmp_path / "released.json").read_text("utf-8")
    served = client.get("/openapi.json").json()
    assert json.loads(text) == shape(served)
    assert '"examples"' not in text
    assert breaking_changes(json.loads(text), served) == []
    del served["components"]["schemas"]["Prediction"]["properties"]["progression_rate"]
    assert breaking_changes(json.loads(text), served)


def test_the_api_breaks_nothing_that_was_released(client: httpx.Client) -> None:
    """From the first release on (``make api-release``) this is what holds ``docs/api-policy.md``."""
    if not RELEASED.exists():
        print("no version of the API has been released yet: there is nothing that could break")
        return
    released = json.loads(RELEASED.read_text("utf-8"))
    assert breaking_changes(released, client.get("/openapi.json").json()) == []
