"""Strict JSON: what it lets through is what the standard library reads; what it refuses, it says where."""

from __future__ import annotations

import json
import math
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.problem import Rejected
from features.strict_json import loads

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def problems(text: bytes) -> list[tuple[str, str, str | None, str]]:
    with pytest.raises(Rejected) as caught:
        loads(text)
    return [(p.code, p.field, p.value, p.rule) for p in caught.value.problems]


def fields(text: bytes) -> list[str]:
    found = problems(text)
    assert {(code, value, rule) for code, _, value, rule in found} == {
        ("duplicate_key", None, "stands twice in one object")
    }
    return [field for _, field, _, _ in found]


@given(JSON, st.booleans(), st.sampled_from([None, 1, "\t"]))
@settings(deadline=None, max_examples=200)
def test_loads_reads_what_dumps_writes(value: object, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert repr(loads(text.encode("utf-8"))) == repr(value)


@given(st.dictionaries(st.text(max_size=20), JSON, min_size=1), st.data())
@settings(deadline=None, max_examples=50)
def test_any_key_that_stands_twice_is_found(value: dict[str, object], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(list(value)))
    text = json.dumps(value)[:-1] + f", {json.dumps(key)}: 0}}"
    assert fields(text.encode()) == [key]


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    """Nothing but `Rejected` comes out; and what is read, the standard library reads alike."""
    try:
        value = loads(text)
    except Rejected:
        return
    assert repr(json.loads(text)) == repr(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a": 1, "a": 1}', ["a"]),
        (b'{"a": 1, "a": 2, "a": 3}', ["a"]),
        (b'{"a": 1, "b": 1, "b": 2, "a": 2}', ["a", "b"]),
        (b'{"a": {"b": 1, "b": 2}}', ["a.b"]),
        (b'[{"a": 1}, {"a": 1, "a": 2}]', ["[1].a"]),
        (b'{"v": [{"m": {"crp": 1, "crp": 2}}, {"m": {"il6": 1, "il6": 2}}]}', ["v[0].m.crp", "v[1].m.il6"]),
        (b'{"a": 1, "\\u0061": 2}', ["a"]),
        (b'{"": 1, "": 2}', [""]),
        (b'{"a": {"b": 1, "b": 2}, "a": 0}', ["b", "a"]),  # the place of the first is gone
    ],
)
def test_duplicate_keys_are_named_with_their_place(text: bytes, expected: list[str]) -> None:
    assert fields(text) == expected


def test_the_same_key_in_two_objects_is_not_twice() -> None:
    assert loads(b'[{"a": 1}, {"a": 1}, {"a": {"a": 1}}]') == [{"a": 1}, {"a": 1}, {"a": {"a": 1}}]


def test_letters_are_not_normalised() -> None:
    """An accented letter, as one code point and as two, makes two keys: no key is taken for another."""
    assert loads('{"\u00e9": 1, "e\u0301": 2}'.encode()) == {"\u00e9": 1, "e\u0301": 2}


def test_a_place_stays_short() -> None:
    key = "k" * 1000
    text = json.dumps({key: {key: {key: 1}}}).replace(": 1}", f': 1, "{key}": 2}}')
    [field] = fields(text.encode())
    assert set(field) == {"k", "."}
    assert len(field) <= 240


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_is_refused(constant: str) -> None:
    for text in (constant, f"[{constant}]", f'{{"a": {{"b": {constant}}}}}'):
        assert problems(text.encode()) == [("not_finite", "body", constant, "is not a number in JSON")]


def test_all_that_is_not_finite_and_all_that_stands_twice_are_told_together() -> None:
    found = problems(b'{"a": NaN, "b": Infinity, "c": NaN, "d": 1, "d": 2}')
    assert [(code, field, value) for code, field, value, _ in found] == [
        ("not_finite", "body", "NaN"),
        ("not_finite", "body", "Infinity"),
        ("duplicate_key", "d", None),
    ]


def test_a_number_beyond_the_range_of_a_float_is_left_to_the_parser() -> None:
    assert loads(b"[1e999, -1e999]") == [math.inf, -math.inf]
    assert loads(b"1e-999") == 0.0


def test_huge_whole_numbers() -> None:
    assert loads(b"9" * 4300) == 10**4300 - 1
    assert problems(b'{"a": ' + b"9" * 4301 + b"}") == [
        ("malformed_json", "body", None, "holds a number of too many digits")
    ]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"", "is not JSON (line 1, column 1: Expecting value)"),
        (b"  \n ", "is not JSON (line 2, column 2: Expecting value)"),
        (b'{"a": 1} x', "is not JSON (line 1, column 10: Extra data)"),
        (b'{"a": 1}{"a": 1}', "is not JSON (line 1, column 9: Extra data)"),
        (b"{'a': 1}", "is not JSON (line 1, column 2: Expecting property name enclosed in double quotes)"),
        (b'{"a": 1', "is not JSON (line 1, column 8: Expecting ',' delimiter)"),
        (b'{"a": "x\ny"}', "is not JSON (line 1, column 9: Invalid control character at)"),
        (b"[01]", "is not JSON (line 1, column 3: Expecting ',' delimiter)"),
        (b"nan", "is not JSON (line 1, column 1: Expecting value)"),
        (b'{"a": /* no */ 1}', "is not JSON (line 1, column 7: Expecting value)"),
        (b"\xef\xbb\xbf{}", "starts with a byte order mark"),
        (b'{"a": "\xff"}', "is not UTF-8 (byte 7)"),
        (b'{"a": "\xed\xa0\x80"}', "is not UTF-8 (byte 7)"),  # half of a surrogate pair
        (b'{"a": "\xc0\xaf"}', "is not UTF-8 (byte 7)"),  # an overlong form
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8 (byte 0)"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"a":' * 100_000, "is nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_not_json_is_refused(text: bytes, rule: str) -> None:
    assert problems(text) == [("malformed_json", "body", None, rule)]


def test_the_error_holds_nothing_of_the_text() -> None:
    for text in (b'{"canary": 1, "canary": 2}', b'{"a": canary}', b"canary", b'{"canary": NaN}', b'"\xffcanary"'):
        with pytest.raises(Rejected) as caught:
            loads(text)
        assert "canary" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


def test_moderate_nesting_is_json() -> None:
    value: object = 1
    for _ in range(100):
        value = [value]
    assert loads(json.dumps(value).encode()) == value
