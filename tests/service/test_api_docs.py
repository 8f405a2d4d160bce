"""The examples of ``docs/api.md`` are of the schemas of ``/openapi.json``; what is deprecated says so."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import date
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from service.deprecation import DEPRECATED, Deprecation, saying_so
from tests.service.conftest import ROOT
from tests.service.test_schema import faults

TEXT = (ROOT / "docs" / "api.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(?:json|bash)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def examples() -> list[dict[str, Any]]:
    """What stands in the blocks as JSON, whole where it is cut."""
    found = []
    for block in BLOCKS:
        start = block.find("{")
        if start < 0:
            continue
        text = re.sub(r",\s*\.\.\.(?=\s*[\]}])", "", block[start:].rstrip().removesuffix("'"))
        text = text.replace('"record": {...}', f'"record": {json.dumps(found[0])}' if found else "")
        found.append(json.loads(text, strict=False))
    return found


def schema_of(example: dict[str, Any]) -> str:
    """The name of the schema that an example is of."""
    kinds = {"prediction_with_cautions": "Prediction", "abstained": "Abstention", "end": "StreamEnd"}
    keys = {"visits": "Record", "vary": "WhatIfQuestion", "problems": "ProblemDocument"}
    if "outcome" in example:
        return kinds[example["outcome"]]
    return next(name for key, name in keys.items() if key in example)


def test_every_example_of_the_page_is_of_its_schema(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    kinds = []
    for example in examples():
        kinds.append(schema_of(example))
        assert faults(document["components"]["schemas"][kinds[-1]], example, document) == [], example
    assert sorted(kinds) == [
        "Abstention",
        "Prediction",
        "ProblemDocument",
        "Record",
        "StreamEnd",
        "WhatIfQuestion",
    ]


def test_the_page_names_every_route(client: httpx.Client) -> None:
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in TEXT or path == "/schema.json"


def test_what_is_deprecated_says_since_when_until_when_and_what_else() -> None:
    async def answer(_: Any) -> Response:
        return Response("old")

    ending = Deprecation(date(2027, 1, 1), date(2028, 1, 1), "https://hospital.example/api")
    request: Any = None  # which the handler does not read
    headers = asyncio.run(saying_so(answer, ending)(request)).headers
    assert headers["deprecation"] == "@1798761600"  # date -u -d 2027-01-01 +%s
    assert headers["sunset"] == "Sat, 01 Jan 2028 00:00:00 GMT"
    assert headers["link"].startswith('<https://hospital.example/api>; rel="deprecation"')
    assert saying_so(answer, None) is answer
    with pytest.raises(ValueError, match="less than a year"):
        Deprecation(date(2027, 1, 1), date(2027, 12, 1), "x")


def test_nothing_is_deprecated_that_openapi_does_not_say(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    said = {path for path, methods in paths.items() if any(each.get("deprecated") for each in methods.values())}
    assert said == set(DEPRECATED)
