"""The schemas hold for what the service takes and gives."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from features.parse import parse_record
from features.problem import Rejected
from features.vocabulary import vocabulary
from model.pack import Pack
from service.answer_schema import ABSTENTION, PREDICTION, PROBLEM
from service.example import make_examples
from service.schema import record_schema


def faults(schema: Any, value: Any, whole: Any) -> list[str]:
    """Where ``value`` breaks ``schema`` (draft 2020-12), whose references are into ``whole``."""
    rooted = schema if whole is None else {**schema, "components": whole["components"]}
    Draft202012Validator.check_schema(rooted)
    return [error.json_path for error in Draft202012Validator(rooted).iter_errors(value)]


def accepted(record: object) -> bool:
    try:
        parse_record(record, today=date(2026, 1, 1))
    except Rejected:
        return False
    return True


def at(visit: dict[str, object], **record: object) -> dict[str, object]:
    return {**record, "visits": [{"measurements": {}, **visit}]}


MONTH = {"months_since_onset": {"value": 20, "unit": "mo"}}
OTHER_MONTH = {"months_since_onset": {"value": 26, "unit": "mo"}}
DATED = {"date": "2025-03-01"}
CRP = {"value": 8.2, "unit": "mg/L"}

# What schema and parser both judge, and must judge alike.
RECORDS = [
    at(MONTH),
    at(MONTH, sex="female", onset_site="bulbar", c9orf72="normal", reference="x" * 128),
    at({**MONTH, "measurements": {"crp": CRP}}),
    at({**MONTH, "measurements": {"crp": {**CRP, "comparator": "<"}}}),
    at({**MONTH, "measurements": {"crp": {"value": 0.82, "unit": "mg/dL"}}}),
    at({**MONTH, "measurements": {"alsfrs_r_total": {"value": 40, "unit": "{score}"}}}),
    at({**MONTH, "measurements": {"alsfrs_r_total": {"value": 40.0, "unit": "{score}"}}}),
    at(
        {
            **MONTH,
            "measurements": {"treg_suppression": {"value": 50, "unit": "%", "treg_responder_ratio": "1:2"}},
        }
    ),
    at(DATED, onset_date="2024-01-01", age={"value": 61, "unit": "a"}),
    at(DATED, onset_date="2024-01", birth_date="1961"),
    at(DATED, onset_date="2024", birth_date="1961-04-02"),
    at({**MONTH, "riluzole": "yes"}),
    {"visits": [{"measurements": {}, **MONTH}, {"measurements": {}, **OTHER_MONTH}]},
    # and not
    [],
    None,
    {},
    {"visits": []},
    {"visits": None},
    at(MONTH, sex="f"),
    at(MONTH, sex=None),
    at(MONTH, patient="x"),
    at(MONTH, reference="x" * 129),
    at(MONTH, age=61),
    at(MONTH, age={"value": 61, "unit": "a", "comparator": "<"}),
    at(DATED),
    at({}),
    at({**DATED, **MONTH}, onset_date="2024-01-01"),
    at({"date": "1 March 2025"}, onset_date="2024-01-01"),
    at({"date": "2025-03"}, onset_date="2024-01-01"),
    at(DATED, onset_date="2024-1"),
    at(DATED, onset_date="01/2024"),
    at(MONTH, birth_date="1961"),
    at(MONTH, onset_date="2024-01-01", birth_date="1961"),
    at(DATED, onset_date="2024-01-01", birth_date=1961),
    {
        "onset_date": "2024-01-01",
        "visits": [{"measurements": {}, **MONTH}, {"measurements": {}, "date": "2025-12-01"}],
    },
    {"visits": [MONTH]},
    at({**MONTH, "measurements": []}),
    at({**MONTH, "measurements": {"crp": 8.2}}),
    at({**MONTH, "measurements": {"crp": {"value": 8.2}}}),
    at({**MONTH, "measurements": {"crp": {"unit": "mg/L"}}}),
    at({**MONTH, "measurements": {"crp": {**CRP, "unit": "g/L"}}}),
    at({**MONTH, "measurements": {"crp": {**CRP, "value": "8.2"}}}),
    at({**MONTH, "measurements": {"crp": {**CRP, "value": True}}}),
    at({**MONTH, "measurements": {"crp": {**CRP, "comparator": "<="}}}),
    at({**MONTH, "measurements": {"crp": {**CRP, "assay": "x"}}}),
    at({**MONTH, "measurements": {"crp_mg_l": CRP}}),
    at({**MONTH, "measurements": {"age": {"value": 61, "unit": "a"}}}),
    at({**MONTH, "measurements": {"alsfrs_r_total": {"value": 40.5, "unit": "{score}"}}}),
    at({**MONTH, "measurements": {"alsfrs_r_total": {"value": 40, "unit": "{score}", "comparator": "<"}}}),
    at({**MONTH, "measurements": {"alsfrs_r_total": {"value": 49, "unit": "{score}"}}}),
    at({**MONTH, "measurements": {"treg_suppression": {"value": 50, "unit": "%"}}}),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: str(record)[:90])
def test_schema_and_parser_judge_alike(record: object) -> None:
    assert (faults(record_schema(), record, None) == []) == accepted(record)


def test_both_judgements_occur() -> None:
    assert {accepted(record) for record in RECORDS} == {True, False}
    assert sum(map(accepted, RECORDS)) == 13


def test_the_schema_knows_the_whole_vocabulary() -> None:
    schema: Any = record_schema()
    visit = schema["properties"]["visits"]["items"]["properties"]
    names = {*schema["properties"], *visit, *visit["measurements"]["properties"]}
    words = vocabulary()
    assert names >= {*words.quantities, *words.categories}
    for name, quantity in words.quantities.items():
        holder = (
            visit["measurements"]["properties"] if quantity.level == "visit" else {**schema["properties"], **visit}
        )
        assert holder[name]["properties"]["unit"]["enum"] == list(quantity.units)
        assert holder[name]["additionalProperties"] is False
        assert {"value", "unit"} <= set(holder[name]["required"])


def test_golden_records_are_valid(pack: Pack) -> None:
    for golden in pack.golden:
        assert faults(record_schema(), golden.record, None) == []


def test_the_served_schema_is_that_of_the_parser(client: httpx.Client) -> None:
    response = client.get("/v1/schema")
    assert response.headers["content-type"] == "application/schema+json"
    assert response.json() == record_schema()
    assert response.json()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_answers_and_problems_are_of_their_schemas(client: httpx.Client, pack: Pack) -> None:
    examples = make_examples(pack)
    assert examples.prediction is not None
    for example in (examples.prediction, examples.brief, examples.abstention):
        answer = client.post("/v1/predict", json=example.record).json()
        schema = ABSTENTION if answer["outcome"] == "abstained" else PREDICTION
        assert faults(schema, answer, None) == []
    assert faults(PROBLEM, client.post("/v1/predict", json={}).json(), None) == []
    assert faults(PROBLEM, client.get("/nope").json(), None) == []


def test_the_openapi_document_is_complete(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    for path, methods in document["paths"].items():
        for method in methods:
            response = client.request(method, path, json={} if method == "post" else None)
            told = methods[method]["responses"][str(response.status_code)]["content"]
            [(media, content)] = told.items()
            assert response.headers["content-type"].split(";")[0] == media
            if "json" in media:
                assert faults(content["schema"], response.json(), document) == []


def test_openapi_examples_are_true(client: httpx.Client, pack: Pack) -> None:
    document = client.get("/openapi.json").json()
    predict = document["paths"]["/v1/predict"]["post"]
    body = predict["requestBody"]["content"]["application/json"]
    answers = predict["responses"]["200"]["content"]["application/json"]
    assert set(body["examples"]) == {"brief", "prediction", "abstained"}
    for name, example in body["examples"].items():
        assert faults(body["schema"], example["value"], document) == []
        answer = client.post("/v1/predict", json=example["value"]).json()
        assert faults(answers["schema"], answer, document) == []
        if name in answers["examples"]:
            assert answers["examples"][name]["value"] == answer
            assert answer["pack"]["id"] == pack.id


@pytest.mark.parametrize("path", ["/v1/predict/batch", "/v1/whatif"])
def test_what_is_sent_and_answered_elsewhere_is_of_its_schema(client: httpx.Client, path: str) -> None:
    document = client.get("/openapi.json").json()
    post = document["paths"][path]["post"]
    body = post["requestBody"]["content"]["application/json"]
    answers = post["responses"]["200"]["content"]["application/json"]
    for example in body["examples"].values():
        response = client.post(path, json=example["value"])
        assert response.status_code == 200
        assert faults(answers["schema"], response.json(), document) == []
    assert faults(body["schema"], {}, document)


def test_openapi_problem_examples_are_true(client: httpx.Client, pack: Pack) -> None:
    examples = make_examples(pack)
    record = examples.brief.record
    json_type = {"content-type": "application/json"}
    sent = {
        "400": client.post("/v1/predict", content=examples.malformed_body, headers=json_type),
        "413": client.post("/v1/predict", content=b" " * (256 * 1024 + 1), headers=json_type),
        "415": client.post("/v1/predict", content=b"{}", headers={"content-type": "text/plain"}),
        "422": client.post("/v1/predict", json=examples.rejected_record),
    }
    assert accepted(record)
    document = client.get("/openapi.json").json()
    responses = document["paths"]["/v1/predict"]["post"]["responses"]
    tried_elsewhere = {
        "401",
        "403",
        "408",
        "409",
        "429",
        "503",
    }  # access/, test_bounds, test_desk, ...
    assert set(responses) == {"200", "500", *sent, *tried_elsewhere}
    for status in tried_elsewhere:
        (example,) = responses[status]["content"]["application/problem+json"]["examples"].values()
        assert faults(PROBLEM, example["value"], None) == []
    for status, response in sent.items():
        content = responses[status]["content"]["application/problem+json"]
        (example,) = content["examples"].values()
        assert faults(content["schema"], example["value"], document) == []
        assert response.status_code == int(status)
        assert {**response.json(), "instance": ""} == {**copy.deepcopy(example["value"]), "instance": ""}
