"""What every page or many calls read of the catalogue, kept for a second: no price or stock is older than that.

Redis may be away: then everything is simply read again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import structlog
from flask import g
from redis.exceptions import RedisError

from app.catalogue.queries.suggestions import vocabulary
from app.catalogue.queries.taxonomy import CategoryNode, category_tree
from app.extensions import cache

T = TypeVar("T")
FRESH = 1  # seconds: how late a change of price, stock or text may show
WORDS_FRESH = 300
log = structlog.get_logger("shop.cache")


def remembered(key: str, build: Callable[[], T], *, seconds: int = FRESH) -> T:
    """The kept value of `key`, else what `build` gives, kept for `seconds`. None is never kept."""
    try:
        kept: Any = cache.get(key)
    except RedisError as error:
        log.warning("cache unavailable", error=type(error).__name__)
        return build()
    if kept is not None:
        return cast(T, kept)
    value = build()
    try:
        cache.set(key, value, timeout=seconds)
    except RedisError as error:
        log.warning("cache unavailable", error=type(error).__name__)
    return value


def tree() -> list[CategoryNode]:
    """The category tree with counts, once a request."""
    if "category_tree" not in g:
        g.category_tree = remembered("catalogue:tree", category_tree)
    return cast(list[CategoryNode], g.category_tree)


def words() -> list[str]:
    return remembered("catalogue:words", vocabulary, seconds=WORDS_FRESH)
