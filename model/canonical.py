"""JSON in one form, so that the same value always has the same bytes and the same digest."""

from __future__ import annotations

import json


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys, no spaces, no NaN, and one line feed at the end.

    >>> canonical_json({"b": 1.5, "a": [1]})
    b'{"a":[1],"b":1.5}\\n'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.encode("utf-8") + b"\n"
