"""JSON, strictly: UTF-8, no duplicate keys, no NaN or Infinity, no bottomless nesting."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator

from features.problem import Problem, Rejected

LONGEST_PATH = 160  # of its end, where a key stands twice
LONGEST_KEY = 80


def loads(text: bytes) -> object:
    """The value that ``text`` holds.

    A number beyond the range of a float, such as ``1e999``, is read as infinite: `features.parse`, which knows the
    field, refuses it.

    Raises:
        Rejected: the text is not UTF-8, not JSON, nested too deeply; or it is JSON but for a key that stands twice
            in one object, NaN or Infinity, and then all of these are named at once.

    >>> loads(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    >>> loads(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    features.problem.Rejected: rejected: 1 duplicate_key
    """
    not_finite: list[str] = []
    value, problems = _read(text, not_finite.append)
    problems = [*(_not_finite(constant) for constant in dict.fromkeys(not_finite)), *problems]
    if problems:
        raise Rejected(problems)
    return value


def loads_with_problems(text: bytes) -> tuple[object, list[Problem]]:
    """The value that ``text`` holds, and a problem for each key that stands twice, by its place.

    For a body of many records, of which a bad one must not spoil the others. NaN and Infinity are read as such:
    `features.parse` refuses them where they stand.

    Raises:
        Rejected: the text is not UTF-8, not JSON, or nested too deeply.

    >>> value, problems = loads_with_problems(b'{"records": [{"a": 1}, {"b": 1, "b": 2}]}')
    >>> value["records"][0], problems[0].field
    ({'a': 1}, 'records[1].b')
    """
    return _read(text, float)


def _read(text: bytes, constant: Callable[[str], object]) -> tuple[object, list[Problem]]:
    duplicates: list[tuple[dict[str, object], str]] = []

    def build(pairs: list[tuple[str, object]]) -> dict[str, object]:
        built = dict(pairs)
        if len(built) != len(pairs):
            times = Counter(key for key, _ in pairs)
            duplicates.extend((built, key) for key, count in times.items() if count > 1)
        return built

    try:
        value: object = json.loads(text.decode("utf-8"), object_pairs_hook=build, parse_constant=constant)
    except UnicodeDecodeError as error:
        raise _malformed(f"is not UTF-8 (byte {error.start})", "encode the body as UTF-8") from None
    except json.JSONDecodeError as error:
        if text.startswith(b"\xef\xbb\xbf"):
            raise _malformed("starts with a byte order mark", "leave the mark out") from None
        where = f"line {error.lineno}, column {error.colno}"
        raise _malformed(f"is not JSON ({where}: {error.msg})", "send one JSON object") from None
    except RecursionError:
        raise _malformed("is nested too deeply", "send the shape of /v1/schema") from None
    except ValueError:  # a whole number of more digits than Python converts
        raise _malformed("holds a number of too many digits", "send ordinary numbers") from None
    return value, _duplicated(value, duplicates)


def _duplicated(value: object, duplicates: list[tuple[dict[str, object], str]]) -> list[Problem]:
    """A problem for each key that stands twice, with its place; the key alone if its object was itself replaced."""
    if not duplicates:
        return []
    paths = {id(item): path for path, item in _objects(value)}
    fields = [f"{paths.get(id(item), '')}{key[:LONGEST_KEY]}" for item, key in duplicates]
    return [
        Problem("duplicate_key", field, None, "stands twice in one object", "send each key once")
        for field in dict.fromkeys(fields)
    ]


def _objects(value: object) -> Iterator[tuple[str, object]]:
    """Each object in a value, with what its keys are prefixed with."""
    waiting: list[tuple[str, object]] = [("", value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict):
            prefix = f"{path}."[-LONGEST_PATH:] if path else ""
            yield prefix, item
            waiting += [(f"{prefix}{key[:LONGEST_KEY]}", child) for key, child in item.items()]
        elif isinstance(item, list):
            waiting += [(f"{path}[{position}]", child) for position, child in enumerate(item)]


def _malformed(rule: str, remedy: str) -> Rejected:
    return Rejected([Problem("malformed_json", "body", None, rule, remedy)])


def _not_finite(constant: str) -> Problem:
    return Problem("not_finite", "body", constant, "is not a number in JSON", "leave out what was not measured")
