"""What a change of ``openapi.json`` would break for those who call the API, and the release of a document.

    python tools/api_changes.py compare OLD.json NEW.json    prints what would break; exit 1 where anything would
    python tools/api_changes.py release PACK OUT.json        writes what the service says of itself, to be compared

What is compared and why: ``docs/api-policy.md``. A request that was valid has to stay so; an answer has to stay
what a client was told that it could be, but for properties, codes, statuses and routes that are added.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

METHODS = ("get", "put", "post", "delete", "patch")
LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
SAME = ("pattern", "format", "multipleOf", "uniqueItems", "propertyNames")
RULES = (
    "if",
    "then",
    "else",
    "not",
    "dependentRequired",
    "allOf",
)  # of which no more is judged
EVERYTHING = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
NOT_THE_SHAPE = ("examples", "example", "description", "summary", "title")


def breaking_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Each change from one OpenAPI 3.1 document to another that breaks a client, in words.

    >>> page = {"paths": {"/livez": {"get": {"operationId": "livez"}}}}
    >>> breaking_changes(page, {"paths": {}}), breaking_changes(page, page)
    (['/livez: the path is gone'], [])
    """
    return list(dict.fromkeys(_Comparison(old, new).found()))


def shape(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without examples and words: what is released."""
    kept: dict[str, Any] = _without_words({key: document[key] for key in ("openapi", "paths", "components")})
    return {**kept, "info": {"title": document["info"]["title"], "version": document["info"]["version"]}}


def _without_words(value: Any, *, named: bool = False) -> Any:
    """``named``: its keys are names (of properties, schemas, paths), whatever they are."""
    if isinstance(value, list):
        return [_without_words(each) for each in value]
    if not isinstance(value, dict):
        return value
    names = ("properties", "schemas", "paths", "responses", "content", "headers", "securitySchemes")
    return {
        key: _without_words(each, named=not named and key in names)
        for key, each in value.items()
        if named or key not in NOT_THE_SHAPE
    }


class _Comparison:
    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self.old, self.new = old, new
        self.seen: set[tuple[str, str, bool]] = set()

    def found(self) -> Iterator[str]:
        for path, methods in self.old.get("paths", {}).items():
            if path not in self.new.get("paths", {}):
                yield f"{path}: the path is gone"
                continue
            for method in (each for each in METHODS if each in methods):
                place, now = f"{method.upper()} {path}", self.new["paths"][path].get(method)
                if now is None:
                    yield f"{place}: the method is gone"
                else:
                    yield from self.operation(place, methods[method], now)
        names = self.new.get("components", {}).get("schemas", {})
        for name in self.old.get("components", {}).get("schemas", {}):
            if name not in names:
                yield f"schema {name}: the name is gone, and with it a class of generated clients"

    def operation(self, place: str, old: Any, new: Any) -> Iterator[str]:
        if old.get("operationId") != new.get("operationId"):
            yield f"{place}: operationId is another, and with it a function of generated clients"
        for each in old.get("security", []):
            if each not in new.get("security", []):
                yield f"{place}: callers may no longer be known by {', '.join(each) or 'nothing at all'}"
        yield from self.parameters(place, old.get("parameters", []), new.get("parameters", []))
        body, now = old.get("requestBody", {}), new.get("requestBody", {})
        if now.get("required") and not body.get("required"):
            yield f"{place}: a body is required"
        yield from self.content(f"{place} request", body.get("content", {}), now.get("content", {}), request=True)
        for status, response in old.get("responses", {}).items():
            answered = new.get("responses", {}).get(status)
            if answered is not None:
                where = f"{place} {status}"
                yield from self.content(
                    where, response.get("content", {}), answered.get("content", {}), request=False
                )
                yield from (
                    f"{where}: the header {header} is gone"
                    for header in response.get("headers", {})
                    if header not in answered.get("headers", {})
                )
            elif status.startswith("2"):
                yield f"{place}: {status} is no answer any more"

    def parameters(self, place: str, old: list[Any], new: list[Any]) -> Iterator[str]:
        before, after = ({(each["in"], each["name"]): each for each in some} for some in (old, new))
        for key, parameter in before.items():
            if key not in after:
                yield f"{place}: the parameter {key[1]} is gone"
            else:
                where = f"{place} parameter {key[1]}"
                yield from self.schema(where, parameter.get("schema", {}), after[key].get("schema", {}), True)
        for key, parameter in after.items():
            if parameter.get("required") and not before.get(key, {}).get("required"):
                yield f"{place}: the parameter {key[1]} is required"

    def content(self, place: str, old: Any, new: Any, *, request: bool) -> Iterator[str]:
        for media, content in old.items():
            if media not in new:
                yield f"{place}: {media} is gone"
            else:
                yield from self.schema(place, content.get("schema", {}), new[media].get("schema", {}), request)

    def schema(self, place: str, old: Any, new: Any, request: bool) -> Iterator[str]:
        """``request``: the new one has to take all that the old one took; else it may give only what that gave."""
        refs = (old.get("$ref"), new.get("$ref")) if isinstance(old, dict) and isinstance(new, dict) else ("", "")
        if all(refs):
            if (*refs, request) in self.seen:
                return
            self.seen.add((*refs, request))
            place = f"{place} {refs[0].rpartition('/')[2]}" if refs[0].rpartition("/")[2] not in place else place
        old, new = _resolved(old, self.old), _resolved(new, self.new)
        yield from _types(place, old, new, request)
        yield from _values(place, old, new, request)
        yield from _bounds(place, old, new, request)
        yield from self.properties(place, old, new, request)
        yield from self.choices(place, old, new, request)
        for key in ("items", "additionalProperties"):
            if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
                yield from self.schema(f"{place}[]", old[key], new[key], request)

    def properties(self, place: str, old: Any, new: Any, request: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        closed = new.get("additionalProperties", True) is False
        if request and closed and old.get("additionalProperties", True) is not False and "object" in _kinds(old):
            yield f"{place}: properties that are not named are refused"
        for name, each in before.items():
            if name in after:
                yield from self.schema(f"{place}.{name}", each, after[name], request)
            elif not request or closed:
                yield f"{place}.{name}: the property is gone"
        was, now = set(old.get("required", [])), set(new.get("required", []))
        if request:
            yield from (f"{place}.{name}: it is required" for name in sorted(now - was))
        else:
            yield from (f"{place}.{name}: it may be absent" for name in sorted((was - now) & set(after)))

    def choices(self, place: str, old: Any, new: Any, request: bool) -> Iterator[str]:
        for key in ("oneOf", "anyOf"):
            before, after = old.get(key), new.get(key)
            if before is None and after is None:
                continue
            if before is None or after is None:
                if not (request and after is None):
                    yield f"{place}: {key} is {'new' if before is None else 'gone'}"
                continue
            for each in before:
                fitting = [other for other in after if self.fits(each, other, request)]
                if not fitting:
                    yield f"{place}: {_called(each)} is no choice any more"
                elif "$ref" in each:
                    yield from self.schema(place, each, fitting[0], request)
            come = [each for each in after if not any(self.fits(other, each, request) for other in before)]
            yield from (f"{place}: {_called(each)} is a new choice" for each in come if not request)

    def fits(self, old: Any, new: Any, request: bool) -> bool:
        """Whether a choice is still there: by its name, or, where it has none, because nothing in it breaks."""
        if "$ref" in old or "$ref" in new:
            return bool(old.get("$ref") == new.get("$ref"))
        return not any(_Comparison(self.old, self.new).schema("", old, new, request))


def _resolved(schema: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(schema, dict):
        return {} if schema else {"not": {}}
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return dict(schema)


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    kinds = schema.get("type", EVERYTHING)
    found = frozenset([kinds] if isinstance(kinds, str) else kinds)
    return found | {"integer"} if "number" in found else found


def _types(place: str, old: Any, new: Any, request: bool) -> Iterator[str]:
    lost, more = _kinds(old) - _kinds(new), _kinds(new) - _kinds(old)
    if request and lost:
        yield f"{place}: {', '.join(sorted(lost))} is not taken any more"
    if not request and more:
        yield f"{place}: it may be {', '.join(sorted(more))}"


def _values(place: str, old: Any, new: Any, request: bool) -> Iterator[str]:
    before, after = (each.get("enum", [each["const"]] if "const" in each else None) for each in (old, new))
    if before is None and after is None:
        return
    if before is None or after is None:
        if (before is None) == request:
            yield f"{place}: {'only some values are taken' if request else 'it may have any value'}"
        return
    yield from (f"{place}: the value {each!r} is gone" for each in before if each not in after)
    if not request:
        yield from (f"{place}: it may be {each!r}" for each in after if each not in before)


def _bounds(place: str, old: Any, new: Any, request: bool) -> Iterator[str]:
    """Narrower than before, of a request; wider, of an answer."""
    narrow, wide = (new, old) if request else (old, new)
    for key in (*LOWER, *UPPER):
        if key not in narrow:
            continue
        sign = 1 if key in LOWER else -1
        if key not in wide or sign * narrow[key] > sign * wide[key]:
            yield f"{place}: {key} was {old.get(key, 'not there')} and is {new.get(key, 'not there')}"
    for key in (*SAME, *RULES):
        if old.get(key) != new.get(key) and (key in new if request else key in old):
            yield f"{place}: {key} is another"


def _called(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2] or json.dumps(schema)[:60]


def main(arguments: list[str]) -> int:
    """Compare two documents, or release one."""
    if len(arguments) == 3 and arguments[0] == "compare":
        old, new = (json.loads(Path(each).read_text("utf-8")) for each in arguments[1:])
        found = breaking_changes(old, new)
        print("\n".join(found) or "Nothing breaks.")
        return 1 if found else 0
    if len(arguments) == 3 and arguments[0] == "release":
        from model.pack import load_pack
        from service.example import make_examples
        from service.openapi import openapi_document

        pack = load_pack(Path(arguments[1]))
        document = shape(openapi_document(pack, make_examples(pack)))
        Path(arguments[2]).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", "utf-8")
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
