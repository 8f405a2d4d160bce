"""The OpenAPI 3.1 document, with examples that are true: the pack answered them when the service started."""

from __future__ import annotations

from model.pack import Pack
from service.answer_schema import (
    ABSTENTION,
    BATCH,
    IN_A_BATCH,
    IN_A_STREAM,
    PREDICTION,
    PROBLEM,
    STREAM_LINE,
    WHATIF,
)
from service.batch import MOST_RECORDS, MOST_ROWS
from service.body import MOST_BATCH_BYTES, MOST_BYTES, SECONDS_TO_SEND
from service.components import Components
from service.deprecation import DEPRECATED
from service.document_schema import ALIVE, FREE, HTML, JSON_SCHEMA, MODEL, READY, VOCABULARY
from service.example import Examples
from service.explain import CHOICES, DEFAULT, NOTICE, PARAMETER
from service.json_response import JSON, NDJSON, PROBLEM_JSON, SCHEMA_JSON
from service.problem import (
    ProblemDocument,
    forbidden,
    idempotency_key_in_use,
    internal_error,
    no_report,
    too_large,
    too_many_requests,
    too_slow,
    unauthenticated,
    unrecorded,
    unsupported_media_type,
)
from service.schema import record_schema
from service.varied import MOST_QUANTITIES
from service.whatif import whatif_schema

Json = dict[str, object]
EXAMPLE_REQUEST_ID = "0123456789abcdef"


def openapi_document(pack: Pack, examples: Examples) -> Json:
    """The document that ``/openapi.json`` serves."""
    name = pack.predictor.pack.name
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tregcast",
            "version": pack.predictor.pack.made_by.removeprefix("tregcast "),
            "summary": "How fast a person with ALS will progress, how sure that is, and why.",
            "description": f"Served from the pack {name}. {pack.predictor.statement}",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": _deprecated(_paths(examples)),
        "components": {"schemas": _schemas(), "securitySchemes": {"bearer": _BEARER}},
    }


def _paths(examples: Examples) -> Json:
    alive, ready = "The process is alive", "A verified pack is loaded and answers"
    words = "Every quantity and category that a record may hold"
    return {
        "/v1/predict": {"post": _predict(examples)},
        "/v1/predict/batch": {"post": _batch(examples)},
        "/v1/whatif": {"post": _whatif(examples)},
        "/v1/model": {"get": _get("model", "Which pack answers, made from what, how good, for what", "Model")},
        "/v1/model/report": {
            "get": _get(
                "model_report", "The report of the model that answers", "Page", no_report(), media="text/html"
            )
        },
        "/v1/vocabulary": {"get": _get("vocabulary", words, "Vocabulary")},
        "/v1/schema": {
            "get": _get("schema", "The JSON schema of a record (draft 2020-12)", "JsonSchema", media=SCHEMA_JSON)
        },
        "/schema.json": {"get": _get("client", "What BentoML's own client reads before it calls", "Document")},
        "/openapi.json": {"get": _get("openapi", "This document", "Document")},
        "/livez": {"get": _get("livez", alive, "Alive")},
        "/readyz": {"get": _get("readyz", ready, "Ready", unrecorded())},
    }


def _deprecated(paths: Json) -> Json:
    """The same, where what is deprecated says so."""
    for path in DEPRECATED:
        methods = paths[path]
        assert isinstance(methods, dict)
        for operation in methods.values():
            operation["deprecated"] = True
    return paths


def _schemas() -> Json:
    """Every object that is sent or answered, by a short name."""
    return Components(
        {
            "Record": record_schema(),
            "Records": records_schema(),
            "WhatIfQuestion": whatif_schema(),
            "Prediction": PREDICTION,
            "Abstention": ABSTENTION,
            **IN_A_BATCH,
            "Batch": BATCH,
            "WhatIf": WHATIF,
            "ProblemDocument": PROBLEM,
            **IN_A_STREAM,
            "StreamLine": STREAM_LINE,
            "Model": MODEL,
            "Vocabulary": VOCABULARY,
            "Alive": ALIVE,
            "Ready": READY,
            "Page": HTML,
            "JsonSchema": JSON_SCHEMA,
            "Document": FREE,
        }
    ).schemas


def records_schema() -> Json:
    """The schema of what ``/v1/predict/batch`` takes."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["records"],
        "properties": {
            "records": {"type": "array", "minItems": 1, "maxItems": MOST_RECORDS, "items": record_schema()}
        },
    }


def _predict(examples: Examples) -> Json:
    records = {"brief": _example("The index visit alone", examples.brief.record)}
    answers: Json = {}
    if examples.prediction is not None:
        records["prediction"] = _example("A record that is answered", examples.prediction.record)
        answers["prediction"] = _example("A prediction", examples.prediction.answer)
    records["abstained"] = _example("A record that is not answered", examples.abstention.record)
    answers["abstained"] = _example("An abstention", examples.abstention.answer)
    answered = {"oneOf": [_ref("Prediction"), _ref("Abstention")]}
    return {
        "operationId": "predict",
        "summary": "Predict the progression rate of one patient",
        "description": "Nothing of the record is logged. With the audit trail on, the answer is recorded "
        f"before it leaves, and of the record a keyed digest. {_SENT_AGAIN}",
        "parameters": [_EXPLAIN],
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": _ref("Record"), "examples": records}},
        },
        "responses": {
            "200": {
                "description": "A prediction, or an abstention (understood, and no number anywhere)",
                "headers": _HEADERS,
                "content": {JSON: {"schema": answered, "examples": answers}},
            },
            **_refusals(examples, "predict", MOST_BYTES, JSON),
        },
        "security": _SECURITY,
    }


def _batch(examples: Examples) -> Json:
    sent: Json = {"records": [examples.brief.record, examples.rejected_record]}
    found = _post(
        "predict_batch",
        f"Predict for up to {MOST_RECORDS:,} records, or for a stream of more; a bad one spoils no other",
        ("Records", _example("One record that is valid and one that is not", sent)),
        "Batch",
        _refusals(examples, "batch", MOST_BATCH_BYTES, JSON, NDJSON),
    )
    lines = f"As {NDJSON}: each line a StreamLine, the last one a StreamEnd."
    return {**found, "description": f"{_STREAM} {lines}"}


def _whatif(examples: Examples) -> Json:
    vary: Json = {"nfl": {"from": 20, "to": 120, "steps": 3, "unit": "pg/mL"}}
    return _post(
        "whatif",
        f"What the model says of other values of up to {MOST_QUANTITIES} quantities at the index visit",
        ("WhatIfQuestion", _example("Three values of NfL", {"record": examples.brief.record, "vary": vary})),
        "WhatIf",
        _refusals(examples, "predict", MOST_BYTES, JSON),
    )


def _post(name: str, summary: str, sent: tuple[str, Json], answer: str, refusals: Json) -> Json:
    schema, example = sent
    content: Json = {JSON: {"schema": _ref(schema), "examples": {"example": example}}}
    told: Json = {JSON: {"schema": _ref(answer)}}
    return {
        "operationId": name,
        "summary": summary,
        "description": _SENT_AGAIN,
        "parameters": [_EXPLAIN],
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": summary, "headers": _HEADERS, "content": told}, **refusals},
        "security": _SECURITY,
    }


def _refusals(examples: Examples, scope: str, most_bytes: int, *media_types: str) -> Json:
    return _problems(
        examples.malformation,
        unauthenticated(),
        forbidden(scope),
        too_slow("body", SECONDS_TO_SEND),
        idempotency_key_in_use(1),
        too_large(most_bytes),
        unsupported_media_type(*media_types),
        examples.rejection,
        too_many_requests(1),
        internal_error(),
        unrecorded(),
    )


def _get(name: str, summary: str, schema: str, *refusals: ProblemDocument, media: str = JSON) -> Json:
    content: Json = {media: {"schema": _ref(schema)}}
    answer: Json = {"description": summary, "headers": _HEADERS, "content": content}
    responses = {"200": answer, **_problems(*refusals, internal_error())}
    return {"operationId": name, "summary": summary, "responses": responses}


def _problems(*documents: ProblemDocument) -> Json:
    return {str(document.status): _problem(document) for document in documents}


def _problem(document: ProblemDocument) -> Json:
    example = _example(document.title, document.to_json(EXAMPLE_REQUEST_ID))
    content: Json = {"schema": _ref("ProblemDocument"), "examples": {document.code: example}}
    return {"description": document.title, "headers": _HEADERS, "content": {PROBLEM_JSON: content}}


def _example(summary: str, value: Json) -> Json:
    return {"summary": summary, "value": value}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_BEARER: Json = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key of this service, or a token of the hospital's issuer",
}
_SECURITY: list[Json] = [{}, {"bearer": []}]  # nobody is asked where TREGCAST_AUTH is off, on this machine alone
_SENT_AGAIN = (
    "With the header Idempotency-Key (a new UUID for each new request), the same request sent again within a day "
    "gets the same answer and no second audit record; another request with that key is refused (422)."
)
_HEADERS: Json = {
    "x-request-id": {
        "description": "The id of this request, as in the log: the caller's, where it sent one, or the service's",
        "schema": {"type": "string"},
    },
    "cache-control": {"description": "Always no-store", "schema": {"const": "no-store"}},
}
_EXPLAIN: Json = {
    "name": PARAMETER,
    "in": "query",
    "required": False,
    "description": NOTICE,
    "schema": {"type": "string", "enum": list(CHOICES), "default": DEFAULT},
}
_STREAM = (
    f"A body of {NDJSON} is a record a line, up to {MOST_ROWS:,} of them, and is answered a line a record, each as "
    "it would have been alone, while more is sent: read while you send. A line that is not valid is answered with "
    "its problems. Where there is no last line, the answer was cut off."
)
