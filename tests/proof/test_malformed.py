"""Malformed requests to the real server: no prediction, no fault, always a problem document, nothing in the log."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode

from tests.proof.malformed_requests import requests
from tests.proof.raw_request import CANARY, CANARY_NUMBER, PATHS, raw
from tests.proof.scale import scaled
from tests.proof.socket_answers import Said, asked
from tests.proof.spoilt_bodies import spoilt_body
from tests.servers import resident_kib

MOST_GROWTH_KIB = 60 * 1024
DEFINITIONS = "#/components/schemas/"


class Watch:
    """Checks every answer, and at the end the server itself."""

    def __init__(self, server: Any, client: httpx.Client) -> None:
        self.server, self.client = server, client
        self.document = client.get("/openapi.json").json()
        self.problem = self.validator("ProblemDocument")
        self.record = self.validator("Record")
        self.statuses: Counter[int] = Counter()
        self.silent = 0
        self.wrong: list[str] = []
        client.post("/v1/predict", content=b"{")
        self.before = resident_kib(server.process.pid)

    def validator(self, name: str) -> Draft202012Validator:
        return Draft202012Validator({"$ref": DEFINITIONS + name, "components": self.document["components"]})

    def malformed(self, name: str, said: list[Said]) -> None:
        """All responses to one malformed request; what stands behind it on the connection may be another."""
        self.silent += not said
        for response in said[:1]:
            self.statuses[response.status] += 1
            if response.status == 200 and only_rejections(response):
                continue
            if not 400 <= response.status < 500 and response.status != 501:  # a transfer coding that is not done
                self.wrong.append(f"{name}: {response.status} {response.body[:200]!r}")
            elif response.body:
                self._problem(name, response)
        if any(b'"progression_rate":' in response.body for response in said):
            self.wrong.append(f"{name}: a prediction")

    def _problem(self, name: str, response: Said) -> None:
        if response.content_type != "application/problem+json":
            self.wrong.append(f"{name}: {response.status} is {response.content_type}")
            return
        document = json.loads(response.body)
        for error in self.problem.iter_errors(document):
            self.wrong.append(f"{name}: {error.message[:200]}")
        if document["status"] != response.status:
            self.wrong.append(f"{name}: says {document['status']}, is {response.status}")

    def end(self) -> None:
        assert self.wrong == [], f"{len(self.wrong)} of {sum(self.statuses.values())}: {self.wrong[:10]}"
        assert self.client.get("/readyz").status_code == 200
        assert self.server.process.poll() is None
        grown = resident_kib(self.server.process.pid) - self.before
        assert grown < MOST_GROWTH_KIB, f"{grown} KiB more"
        written = self.server.output.read_text("utf-8")
        assert CANARY not in written
        assert CANARY_NUMBER not in written
        assert '"event":"fault"' not in written.replace('": "', '":"')
        print(
            f"{sum(self.statuses.values())} answered {dict(self.statuses)}, {self.silent} closed, {grown} KiB more"
        )


@pytest.fixture
def watch(server: Any, client: httpx.Client) -> Watch:
    return Watch(server, client)


def only_rejections(response: Said) -> bool:
    """A batch of which every record is rejected is answered with 200 and no prediction."""
    answers = json.loads(response.body).get("answers") if response.content_type == "application/json" else None
    return bool(answers) and all(answer["outcome"] == "rejected" for answer in answers)


@pytest.mark.slow
def test_a_corpus_over_raw_sockets(watch: Watch, record: dict[str, Any]) -> None:
    corpus = list(requests(record))
    wanted = scaled(3000, least=400)
    random.Random(7).shuffle(corpus)
    for at in range(max(wanted, len(corpus)) if wanted >= len(corpus) else wanted):
        name, sent = corpus[at % len(corpus)]
        watch.malformed(name, asked(watch.server.url, sent))
    watch.end()


@pytest.mark.slow
def test_spoilt_records(watch: Watch, record: dict[str, Any]) -> None:
    """What is no JSON, or not a record by the schema that the service itself publishes, is never answered."""
    rng, tried, others = random.Random(11), 0, 0
    with httpx.Client(base_url=watch.server.url, timeout=30, trust_env=False) as client:
        while tried < scaled(5000, least=400):
            body = spoilt_body({**record, "reference": CANARY}, rng)
            response = client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
            said = Said(response.status_code, response.headers["content-type"], response.content)
            if is_record(watch, body):  # spoilt into another record, or one that only more rules refuse
                others += 1
                assert said.status in (200, 422), said
                continue
            tried += 1
            watch.malformed(repr(body[:300]), [said])
    assert others < tried
    watch.end()


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_schemathesis_against_our_own_document(watch: Watch, path: str) -> None:
    """Requests made to break the schemas of ``/openapi.json``."""
    document = copy.deepcopy(watch.document)
    del document["paths"][path]["post"]["parameters"]  # it is the body that is to be malformed
    operation = schemathesis.openapi.from_dict(document)[path]["POST"]
    url = watch.server.url

    @settings(
        max_examples=scaled(1000, least=60), database=None, deadline=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def ask(case: Any) -> None:
        sent = case.as_transport_kwargs(base_url=url)
        body = json.dumps(sent["json"]).encode() if "json" in sent else sent.get("data", b"")
        body = body.encode() if isinstance(body, str) else body
        [*said] = asked(url, raw(body, path=path, content_type=sent["headers"].get("Content-Type", "").encode()))
        if path.endswith("batch") and said and said[0].status == 200:
            answers = json.loads(said[0].body)["answers"]
            records = json.loads(body)["records"]
            for one, answer in zip(records, answers, strict=True):
                valid = watch.record.is_valid(one)
                assert valid or answer["outcome"] == "rejected", (one, answer)
            return
        watch.malformed(repr(body[:300]), said)

    ask()
    watch.end()


def is_record(watch: Watch, body: bytes) -> bool:
    """Whether bytes are strict JSON that the published schema takes, as another library judges."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    def number(_: str) -> float:
        raise ValueError("not a number")

    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=once, parse_constant=number)
    except (ValueError, RecursionError):
        return False
    return watch.record.is_valid(value)
