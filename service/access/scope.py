"""What a caller may ask for: each route wants one scope."""

from __future__ import annotations

from typing import Literal, TypeGuard, get_args

Scope = Literal["predict", "batch", "admin"]
SCOPES: frozenset[Scope] = frozenset(get_args(Scope))
IN_ORDER: tuple[Scope, ...] = get_args(Scope)


def is_scope(word: str) -> TypeGuard[Scope]:
    """Whether a word is a scope.

    >>> is_scope("predict"), is_scope("Predict"), is_scope("")
    (True, False, False)
    """
    return word in SCOPES
