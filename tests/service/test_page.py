"""The page for people, and the documents about the model and the vocabulary."""

from __future__ import annotations

import json
import shlex
from html.parser import HTMLParser

import httpx
import pytest

from features.vocabulary import vocabulary
from model.pack import Pack
from service.text import as_text


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.code: list[str] = []
        self.in_pre = False
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        if tag == "pre":
            self.in_pre = True
            self.code.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.in_pre:
            self.code[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.in_pre = self.in_pre and tag != "pre"


@pytest.fixture
def page(admin: httpx.Client) -> tuple[httpx.Response, Reader]:
    response = admin.get("/")
    reader = Reader()
    reader.feed(response.text)
    return response, reader


def test_it_asks_for_nothing_from_outside(page: tuple[httpx.Response, Reader]) -> None:
    response, reader = page
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert reader.tags.isdisjoint({"iframe", "img", "object", "form", "base"})
    assert [link for link in reader.links if ":" in link and link != "data:,"] == []
    assert "openapi.json" in reader.links
    assert "@import" not in response.text
    assert "url(" not in response.text


def test_its_links_lead_somewhere(admin: httpx.Client, page: tuple[httpx.Response, Reader]) -> None:
    links = [link for link in page[1].links if link != "data:,"]
    assert len(links) == 6
    assert {admin.get(link).status_code for link in links} == {200}
    assert admin.get("/docs").text == page[0].text


def test_it_says_which_model_it_serves(pack: Pack, page: tuple[httpx.Response, Reader]) -> None:
    response, reader = page
    assert pack.predictor.statement in reader.text
    assert pack.id in reader.text
    assert "synthetic <table>" in reader.text
    assert "A table made for tests & nothing else." in reader.text
    assert "<b>only</b>" not in response.text


def test_it_lists_the_vocabulary(page: tuple[httpx.Response, Reader]) -> None:
    for quantity in vocabulary().quantities.values():
        assert quantity.name in page[1].text
        assert quantity.label in page[1].text


def test_its_curl_example_works(admin: httpx.Client, page: tuple[httpx.Response, Reader]) -> None:
    shown, as_json, command, text, answer = page[1].code
    assert shown == as_json == ""
    curl, silent, url, _, header, _, body = shlex.split(command)
    assert (curl, silent) == ("curl", "-sS")
    assert url == str(admin.base_url.join("/v1/predict"))
    name, value = header.split(": ")
    response = admin.post(url, content=body.encode(), headers={name: value})
    assert response.status_code == 200
    assert response.json()["outcome"].startswith("prediction")
    assert response.json() == json.loads(answer)
    assert text == as_text(response.json())


@pytest.mark.parametrize(
    "host", ["evil.example'; rm -rf ~ #", "<script>alert(1)</script>", "a" * 300, "x/y", "[::1"]
)
def test_an_odd_host_is_refused_and_not_repeated(admin: httpx.Client, host: str) -> None:
    response = admin.get("/", headers={"host": host})
    assert response.status_code == 400
    assert response.json()["type"] == "urn:tregcast:problem:host_not_allowed"
    assert host not in response.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:3000"])
def test_the_host_asked_for_stands_in_the_example(admin: httpx.Client, host: str) -> None:
    assert f"http://{host}/v1/predict" in admin.get("/", headers={"host": host}).text


def test_the_model_document(client: httpx.Client, pack: Pack) -> None:
    document = client.get("/v1/model").json()
    assert document["pack"] == {"id": pack.id, "name": "als-progression", "made_by": "tregcast 0.1.0"}
    assert document["card"] == pack.card
    assert document["statement"] == pack.predictor.statement
    assert document["coverage"] == 0.9
    assert document["scale"] == {"name": "alsfrs_r_total", "label": "ALSFRS-R (0-48)"}
    columns = [(c["column"], c["label"], c["unit"]) for c in document["columns"]]
    assert columns == [(f.column, f.label, f.unit) for f in pack.predictor.matrix.features]


def test_the_vocabulary_document(client: httpx.Client) -> None:
    document = client.get("/v1/vocabulary").json()
    crp = next(quantity for quantity in document["quantities"] if quantity["name"] == "crp")
    assert crp["code"] == {"system": "http://loinc.org", "code": "1988-5"}
    assert {"unit": "mg/dL", "numerator": 10.0, "denominator": 1.0, "source": None} in crp["units"]
    assert [category["name"] for category in document["categories"]] == list(vocabulary().categories)


def test_probes(client: httpx.Client, pack: Pack) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready", "pack": pack.id}
