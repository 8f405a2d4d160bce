"""BentoML's own client: the same guard, the same answers."""

from __future__ import annotations

import json
from typing import Any

import bentoml
import httpx
import pytest
from bentoml.exceptions import BentoMLException


@pytest.fixture
def bento_client(server: Any) -> Any:
    with bentoml.SyncHTTPClient(server.url) as client:
        yield client
    client._temp_dir.cleanup()  # the client leaves that to the end of the process


def test_it_gets_what_everybody_gets(bento_client: Any, client: httpx.Client, record: dict[str, Any]) -> None:
    assert bento_client.predict(record) == client.post("/v1/predict", json=record).json()
    records = {"records": [record, {}]}
    assert bento_client.predict_batch(records) == client.post("/v1/predict/batch", json=records).json()
    question = {"record": record, "vary": {"crp": {"values": [1, 2], "unit": "mg/L"}}}
    assert bento_client.whatif(question) == client.post("/v1/whatif", json=question).json()


def test_it_is_told_what_is_wrong(bento_client: Any) -> None:
    with pytest.raises(BentoMLException) as caught:
        bento_client.predict({"visits": []})
    assert caught.value.error_code == 422
    assert json.loads(str(caught.value))["problems"][0]["field"] == "visits"
