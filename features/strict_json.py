"""JSON, strictly: UTF-8, no duplicate keys, no NaN or infinity, no bottomless nesting."""

from __future__ import annotations

import json
from typing import NoReturn

from features.problem import Problem, Rejected


def loads(text: bytes) -> object:
    """The value that ``text`` holds.

    Raises:
        Rejected: the text is not UTF-8, not JSON, nested without end, holds a key twice in one object,
            or a number that is not finite. Duplicate keys are all named at once.

    >>> loads(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    >>> loads(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    features.problem.Rejected: rejected: 1 duplicate_key
    """
    duplicates: list[str] = []

    def build(pairs: list[tuple[str, object]]) -> dict[str, object]:
        built = dict(pairs)
        if len(built) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    duplicates.append(key)
                seen.add(key)
        return built

    try:
        value: object = json.loads(text.decode("utf-8"), object_pairs_hook=build, parse_constant=_not_finite)
    except UnicodeDecodeError as error:
        raise _malformed(f"is not UTF-8 (byte {error.start})", "encode the body as UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _malformed(f"is not JSON ({where}: {error.msg})", "send one JSON object") from None
    except RecursionError:
        raise _malformed("is nested too deeply", "send the shape of /v1/schema") from None
    except Rejected:
        raise
    except ValueError:  # a whole number of more digits than Python converts
        raise _malformed("holds a number of too many digits", "send ordinary numbers") from None
    if duplicates:
        raise Rejected(
            [
                Problem("duplicate_key", key[:80], None, "stands twice in one object", "send each key once")
                for key in duplicates
            ]
        )
    return value


def _malformed(rule: str, remedy: str) -> Rejected:
    return Rejected([Problem("malformed_json", "body", None, rule, remedy)])


def _not_finite(constant: str) -> NoReturn:
    raise Rejected(
        [Problem("not_finite", "body", constant, "is not a number in JSON", "leave out what was not measured")]
    )
