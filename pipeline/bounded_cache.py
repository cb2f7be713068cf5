"""A cache whose keys come from strangers: bounded in number, and in what each may take."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

Key = TypeVar("Key", str, bytes)
Value = TypeVar("Value")


def remembered(
    *, most: int, longest: int
) -> Callable[[Callable[[Key], Value]], Callable[[Key], Value]]:
    """Remember the values of the `most` latest keys; one over `longest` is not remembered."""

    def bounded(make: Callable[[Key], Value]) -> Callable[[Key], Value]:
        cached = lru_cache(maxsize=most)(make)

        @wraps(cached)
        def value(key: Key) -> Value:
            return cached(key) if len(key) <= longest else make(key)

        return value

    return bounded
