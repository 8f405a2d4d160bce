"""Clients that generators make of ``/openapi.json``: short names, the record's shape, and every route called."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from model.pack import Pack
from service.example import make_examples

LONGEST_NAME = 60  # characters of a generated module


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def generated(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package that openapi-python-client makes, as anybody would call it, importable as ``tregcast_client``."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_text(json.dumps(document), "utf-8")
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    command = [programs / "openapi-python-client", "generate", "--path", "openapi.json", "--meta", "none"]
    done = subprocess.run(
        [*command, "--output-path", "tregcast_client", "--fail-on-warning"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    sys.path.insert(0, str(folder))
    yield folder / "tregcast_client"
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == "tregcast_client"]:
        del sys.modules[name]


def module(name: str) -> ModuleType:
    return importlib.import_module(f"tregcast_client.{name}")


@pytest.fixture(scope="module")
def calls(generated: Path, server: Any) -> Iterator[Any]:
    """``calls(operation, **arguments)``: the generated function's answer, with status, parsed and raw content."""
    with module("client").Client(base_url=server.url, httpx_args={"trust_env": False}) as made:

        def call(operation: str, **arguments: object) -> Any:
            return module(f"api.default.{operation}").sync_detailed(client=made, **arguments)

        yield call


def test_names_are_short_and_the_record_keeps_its_shape(generated: Path, document: dict[str, Any]) -> None:
    names = [path.stem for path in generated.rglob("*.py")]
    assert max(map(len, names)) <= LONGEST_NAME
    assert max(map(len, document["components"]["schemas"])) <= LONGEST_NAME
    record = module("models").Record
    fields = set(record.__annotations__)
    assert fields >= {"visits", "reference", "sex", "age", "onset_site"}
    assert set(module("models").Visit.__annotations__) >= {"date", "months_since_onset", "measurements", "riluzole"}
    assert {"treg_count", "nfl"} <= set(module("models").Measurements.__annotations__)
    assert set(module("models").Prediction.__annotations__) >= {"progression_rate", "contributions", "cautions"}
    assert {"values", "from_", "to", "steps", "unit", "treg_responder_ratio"} <= set(
        module("models").Varied.__annotations__
    )


def test_a_record_goes_through_the_models_unchanged(generated: Path, pack: Pack) -> None:
    for golden in pack.golden:
        assert module("models").Record.from_dict(golden.record).to_dict() == golden.record


def test_predict_is_called(calls: Any, client: httpx.Client, pack: Pack) -> None:
    kinds = set()
    for golden in pack.golden:
        raw = client.post("/v1/predict", json=golden.record).json()
        answer = calls("predict", body=module("models").Record.from_dict(golden.record))
        assert answer.status_code == 200
        assert answer.parsed.to_dict() == raw
        kinds.add(type(answer.parsed).__name__)
    assert "Prediction" in kinds


def test_abstentions_and_problems_are_told_apart(calls: Any, pack: Pack) -> None:
    examples, record = make_examples(pack), module("models").Record
    answer = calls("predict", body=record.from_dict(examples.abstention.record))
    assert type(answer.parsed).__name__ == "Abstention"
    answer = calls("predict", body=record(visits=[]))
    assert (answer.status_code, type(answer.parsed).__name__) == (422, "ProblemDocument")
    assert [each.code for each in answer.parsed.problems] == ["empty_history"]


@pytest.mark.parametrize("choice", ["all", "top5", "none"])
def test_batch_is_called(calls: Any, client: httpx.Client, pack: Pack, choice: str) -> None:
    records = [dict(golden.record) for golden in pack.golden]
    body = module("models").Records.from_dict({"records": [*records, {"visits": []}]})
    explain = module("models").PredictBatchExplain(choice)
    answer = calls("predict_batch", body=body, explain=explain)
    raw = client.post(f"/v1/predict/batch?explain={choice}", json={"records": [*records, {"visits": []}]})
    assert answer.parsed.to_dict() == raw.json()
    assert type(answer.parsed.answers[0]).__name__ in ("BatchPrediction", "BatchAbstention")
    assert type(answer.parsed.answers[-1]).__name__ == "BatchRejection"


def test_whatif_is_called(calls: Any, client: httpx.Client, record: dict[str, Any]) -> None:
    vary = {
        "nfl": {"values": [20, 40], "unit": "pg/mL"},
        "treg_suppression": {"from": 30, "to": 60, "steps": 3, "unit": "%", "treg_responder_ratio": "1:1"},
    }
    question = {"record": record, "vary": vary}
    answer = calls("whatif", body=module("models").WhatIfQuestion.from_dict(question))
    assert answer.status_code == 200, answer.content
    found, raw = answer.parsed.to_dict(), client.post("/v1/whatif", json=question).json()
    for each in (found, raw):  # in the order of the properties as they are sent, which a model does not keep
        each["curves"].sort(key=lambda curve: curve["quantity"])
    assert found == raw


def test_every_other_route_is_called(calls: Any, client: httpx.Client, document: dict[str, Any]) -> None:
    seen = {"predict", "predict_batch", "whatif"}
    for path, methods in document["paths"].items():
        if "get" not in methods:
            continue
        operation = methods["get"]["operationId"]
        answer, raw = calls(operation), client.get(path)
        assert answer.status_code == raw.status_code
        assert answer.parsed is not None, path
        if raw.status_code == 200:
            assert answer.parsed.to_dict() == raw.json()
        else:
            assert (path, type(answer.parsed).__name__) == ("/v1/model/report", "ProblemDocument")
        seen.add(operation)
    assert seen == {each["operationId"] for methods in document["paths"].values() for each in methods.values()}


USE = """
import type { components, paths } from "./api";
type Record = components["schemas"]["Record"];
export const record: Record = {
  sex: "female",
  visits: [{ months_since_onset: { value: 12, unit: "mo" },
             measurements: { nfl: { value: 40, unit: "pg/mL", comparator: "<" } } }],
};
// @ts-expect-error a unit that the quantity does not have
export const unit: Record = { visits: [{ measurements: { nfl: { value: 40, unit: "kg" } } }] };
// @ts-expect-error visits are required
export const empty: Record = {};
// @ts-expect-error no such measurement
export const unknown: Record = { visits: [{ measurements: { nflx: { value: 40, unit: "pg/mL" } } }] };
type Answer = paths["/v1/predict"]["post"]["responses"][200]["content"]["application/json"];
export function rate(answer: Answer): number | null {
  return answer.outcome === "abstained" ? null : answer.progression_rate;
}
type Ready = paths["/readyz"]["get"]["responses"][200]["content"]["application/json"];
export const pack = (ready: Ready): string => ready.pack;
export const page: paths["/v1/model/report"]["get"]["responses"][200]["content"]["text/html"] = "<p>";
"""


@pytest.mark.slow
def test_typescript_types_keep_the_shape_and_compile(document: dict[str, Any], tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("there is no node with npm here")
    packages = ["openapi-typescript@7", "typescript@5"]
    options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(tmp_path)]
    installed = subprocess.run(
        [npm, "install", *options, *packages], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    if installed.returncode:
        pytest.skip(f"npm cannot install {' '.join(packages)}: no registry is reached")
    (tmp_path / "openapi.json").write_text(json.dumps(document), "utf-8")
    (tmp_path / "use.ts").write_text(USE, "utf-8")
    programs = tmp_path / "node_modules" / ".bin"
    for command in (
        [programs / "openapi-typescript", "openapi.json", "-o", "api.ts"],
        [programs / "tsc", "--noEmit", "--strict", "--skipLibCheck", "use.ts"],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    types = (tmp_path / "api.ts").read_text("utf-8")
    assert "Record: {" in types
    assert 'visits: components["schemas"]["Visit"][];' in types
