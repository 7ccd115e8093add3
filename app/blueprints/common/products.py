"""Products as shoppers see them, pages and API alike: prices in money and in points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import g

from app.catalogue.queries.detail import Detail, VariantView
from app.catalogue.queries.products import Image, Named, Summary
from app.kernel import clock
from app.kernel.money import Money
from app.rewards.queries import rules_in_force
from app.rewards.rules import Rules, earned_by_card, fewest_points, points_to_pay, value_of


@dataclass(frozen=True, slots=True)
class Mix:
    points: int
    card: Money


@dataclass(frozen=True, slots=True)
class ShownProduct:
    """A summary of the API contract. `mix`: about half in points, where the rules allow that."""

    id: str
    slug: str
    name: str
    brand: Named
    category: Named
    price: Money
    compare_at_price: Money | None
    points_price: int
    earn_points: int
    availability: str
    image: Image | None
    mix: Mix | None


@dataclass(frozen=True, slots=True)
class ShownVariant:
    sku: str
    options: dict[str, str]
    price: Money
    availability: str


def current_rules() -> Rules:
    """The points rules in force, read once a request."""
    if "points_rules" not in g:
        g.points_rules = rules_in_force()
    rules: Rules = g.points_rules
    return rules


def show(product: Summary) -> ShownProduct:
    rules = current_rules()
    price = Money(product.price, product.currency)
    before = product.compare_at_price
    return ShownProduct(
        id=str(product.id),
        slug=product.slug,
        name=product.name,
        brand=product.brand,
        category=product.category,
        price=price,
        # A comparison that is not higher is no reduction, whatever the file says.
        compare_at_price=Money(before, product.currency) if before and before > product.price else None,
        points_price=points_to_pay(product.price, rules),
        earn_points=earned_by_card(
            slug=product.slug,
            brand=product.brand.slug,
            category=product.category_path,
            price=product.price,
            at=clock.now(),
            rules=rules,
        ),
        availability=product.availability,
        image=product.image,
        mix=_mix(price, rules),
    )


def show_all(products: Iterable[Summary]) -> list[ShownProduct]:
    return [show(product) for product in products]


def show_variants(product: Detail) -> list[ShownVariant]:
    return [_variant(variant, product.summary.currency) for variant in product.variants]


def _variant(variant: VariantView, currency: str) -> ShownVariant:
    return ShownVariant(variant.sku, variant.options, Money(variant.price, currency), variant.availability)


def _mix(price: Money, rules: Rules) -> Mix | None:
    half = points_to_pay(price.amount, rules) // 2
    points = min(half, rules.max_points_per_order) // rules.step * rules.step
    share = value_of(points, rules)
    if points < fewest_points(rules) or share * 100 > price.amount * rules.max_share_percent:
        return None
    return Mix(points, price - Money(share, price.currency))
