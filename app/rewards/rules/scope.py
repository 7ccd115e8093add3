"""Which products a rule is about."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Protocol

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Goods(Protocol):
    """What a scope looks at: the product's slug, its brand's slug, its category's path of slugs (`a/b/c`)."""

    @property
    def slug(self) -> str: ...
    @property
    def brand(self) -> str: ...
    @property
    def category(self) -> str: ...


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Products of any of these categories (their descendants included), brands or slugs; none named: all."""

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    products: tuple[str, ...] = ()

    def covers(self, goods: Goods) -> bool:
        if not (self.categories or self.brands or self.products):
            return True
        path = goods.category.split("/")
        return (
            goods.slug in self.products
            or goods.brand in self.brands
            or any(category in path for category in self.categories)
        )
