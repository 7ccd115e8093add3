"""Sample data in the shapes of the API contract, for rendering every template in every state."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace as Obj

from markupsafe import Markup

from app.kernel.money import Money

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
PICTURES = sorted(
    p.name for p in Path("app/static/demo").glob("*.svg") if not p.name.startswith(("hero", "category-"))
)
LONG_NAME = (
    "Meridian 76-litre expandable four-wheel trolley case with separate laundry compartment and "
    "combination lock, aluminium grey"
)


def hkd(amount: int) -> Money:
    return Money(amount, "HKD")


def picture(index: int, alt: str = "Product picture") -> dict[str, str]:
    if not PICTURES:
        return {"url": f"/picture/{index}.svg", "alt": alt}
    return {"url": f"/static/demo/{PICTURES[(index * 37) % len(PICTURES)]}", "alt": alt}


def tree() -> list[Obj]:
    shape = {
        "Travel & Luggage": ["Cabin cases", "Check-in cases", "Backpacks", "Travel comfort", "Organisers"],
        "Home & Living": ["Kitchen", "Lighting", "Textiles", "Garden"],
        "Electronics & Audio": ["Headphones", "Speakers", "Power", "Watches"],
        "Style & Taste": ["Tea & coffee", "Chocolate", "Glassware", "Beauty"],
    }
    return [
        Obj(
            slug=f"top-{n}",
            name=name,
            image={"url": f"/static/demo/category-{slug}.svg", "alt": ""},
            children=[Obj(slug=f"sub-{n}-{i}", name=child, children=[]) for i, child in enumerate(children)],
        )
        for n, (name, children) in enumerate(shape.items())
        for slug in [name.lower().replace(" & ", "-")]
    ]


NAMES = [
    "Aldermere cabin case 38 L",
    "Quiet Hours wireless headphones",
    "Stoneware pour-over set",
    "Harbour brass desk lamp",
    "Merino travel blanket",
    "First-flush Darjeeling, tin of 100 g",
    "Compass automatic watch",
    "Folding weekend bag",
]
PRICES = [168000, 129000, 42000, 89900, 76000, 18800, 1280000, 59000]


def summary(n: int = 0, **changes: object) -> Obj:
    price = PRICES[n % 8]
    values: dict[str, object] = {
        "id": f"p{n}",
        "slug": f"product-{n}",
        "name": NAMES[n % 8],
        "brand": Obj(slug="aldermere", name=["Aldermere", "Quiet Hours", "Fold & Field"][n % 3]),
        "category": Obj(slug="sub-0-0", name="Cabin cases"),
        "price": hkd(price),
        "compare_at_price": hkd(price + 30000) if n % 3 == 1 else None,
        "points_price": price // 10,
        "earn_points": price // 100,
        "availability": "low_stock" if n % 5 == 4 else "in_stock",
        "image": picture(n),
        "mix": Obj(points=3000, card=hkd(price - 30000)) if price > 30000 else None,
    }
    return Obj(**(values | changes))


def detail(variants: int = 4, images: int = 3, **changes: object) -> Obj:
    sizes = ["Small", "Medium", "Large", "Extra large"]
    base = vars(summary(1))
    values = base | {
        "description": Markup(
            "<p>Closed-back headphones for long flights: 30 hours on one charge.</p><ul><li>Folds flat</li></ul>"
        ),
        "images": [picture(n, "Headphones, view") for n in range(images)],
        "options": ["Size"],
        "variants": [
            Obj(
                sku=f"QH-{n}",
                options={"Size": sizes[n % 4], "Colour": ["Ink", "Sand", "Fern"][n // 4]}
                if variants > 4
                else {"Size": sizes[n % 4]},
                price=hkd(129000 + 1000 * (n == 3)),
                availability=["in_stock", "low_stock", "sold_out", "in_stock"][n % 4],
            )
            for n in range(variants)
        ],
        "attributes": {"Weight": "254 g", "Battery": "30 h", "Material": "Recycled polycarbonate"},
    }
    return Obj(**(values | changes))


def cart(lines: int = 3, notices: bool = False) -> Obj:
    rows = [
        Obj(
            sku=f"SKU-{n}",
            slug=f"product-{n}",
            name=LONG_NAME if n == 1 else NAMES[n % 8],
            quantity=1 + n % 3,
            unit_price=hkd(PRICES[n % 8]),
            line_total=hkd(PRICES[n % 8] * (1 + n % 3)),
            availability="in_stock",
            image=picture(n),
            options={"Size": "Medium"} if n % 2 else {},
            notices=[],
        )
        for n in range(lines)
    ]
    if notices:
        rows[0].notices = [
            Obj(code="PRICE_CHANGED", message="The price changed from HK$1,580.00 to HK$1,680.00.")
        ]
        rows[1].notices = [Obj(code="STOCK_INSUFFICIENT", message="Only 1 left. You asked for 2.")]
        rows[2].availability = "sold_out"
        rows[2].notices = [Obj(code="SOLD_OUT", message="Sold out since you added it. Remove it to go on.")]
    return Obj(lines=rows, items_total=hkd(sum(r.line_total.amount for r in rows)), version=3)


def address(n: int = 1) -> Obj:
    return Obj(
        id=f"a{n}",
        name="Mei Chan",
        line1=f"{n} Harbour View Street",
        line2="Flat 12B",
        city="Hong Kong",
        region="",
        postcode="",
        country="HK",
        phone="+852 5555 0100",
        is_default=n == 1,
    )


RULES = Obj(
    version=1,
    unit_name="miles",
    currency="HKD",
    minor_units_per_100_points=1000,
    min_points=500,
    step=100,
    max_points_per_order=200000,
    max_share_percent=100,
    quote_ttl_seconds=600,
    hold_ttl_seconds=900,
)


def account(available: int = 18240, **changes: object) -> Obj:
    values: dict[str, object] = {
        "available": available,
        "cooling": 0,
        "held": 1200,
        "pending": 340,
        "lifetime_earned": 54000,
        "tier": None,
        "expiring": [
            Obj(points=900, expires_on=date(2026, 12, 31)),
            Obj(points=4200, expires_on=date(2027, 3, 31)),
        ],
        "holds": [
            Obj(order_number="MPC-1043", points=1200, expires_at=NOW + timedelta(minutes=14), minutes_left=14)
        ],
    }
    return Obj(**(values | changes))


def quote(points: int = 6000, **limits: object) -> Obj:
    bounds: dict[str, object] = {"min": 500, "max": 12400, "step": 100, "bound_by": "order_cap"}
    total = 124500
    return Obj(
        id="q_5f2c",
        lines=cart(2).lines,
        items_total=hkd(120000),
        shipping=hkd(4500),
        tax=hkd(0),
        total=hkd(total),
        points=points,
        points_value=hkd(points * 10),
        card_due=hkd(total - points * 10),
        earn_points=(total - points * 10) // 100,
        rules_version=1,
        limits=Obj(**(bounds | limits)),
        expires_at=NOW + timedelta(minutes=10),
        cart_version=3,
    )


def order(status: str = "paid", refunded: bool = False) -> Obj:
    return Obj(
        number="MPC-7K3Q-20461",
        status=status,
        payment_status="captured",
        placed_at=NOW,
        lines=[
            Obj(
                sku="SKU-0",
                name=NAMES[0],
                quantity=1,
                unit_price=hkd(78000),
                total=hkd(78000),
                points=3900,
                card=hkd(41900),
                paid=hkd(80900),
                extras=hkd(2900),
            ),
            Obj(
                sku="SKU-1",
                name=LONG_NAME,
                quantity=2,
                unit_price=hkd(21000),
                total=hkd(42000),
                points=2100,
                card=hkd(22600),
                paid=hkd(43600),
                extras=hkd(1600),
            ),
        ],
        items_total=hkd(120000),
        shipping=hkd(4500),
        tax=hkd(0),
        total=hkd(124500),
        points=6000,
        points_value=hkd(60000),
        card_charged=hkd(64500),
        points_earned=645,
        rules_version=1,
        refunds=[
            Obj(
                created_at=NOW,
                points=2100,
                card=hkd(21000),
                sent=hkd(21000 - already),
                already=hkd(already),
                back=hkd(21000),
                reason="Returned",
                elsewhere_ref=reference,
                id=already,
            )
            for reference, already in ([(None, 6000), ("FT2026" * 16, 0), (None, 21000)] if refunded else [])
        ],
        timeline=[
            Obj(
                at=NOW + timedelta(minutes=1),
                event="paid",
                text="Payment confirmed" + refunded * (" " + "FT2026" * 16),
            ),
            Obj(at=NOW, event="placed", text="Order placed, 6,000 miles held"),
        ],
        address=address(),
    )


def transactions(count: int = 12) -> list[Obj]:
    kinds = [
        ("earn", 645),
        ("redeem", -6000),
        ("refund", 2100),
        ("adjust", 500),
        ("expire", -300),
        ("clawback", -21),
    ]
    balance, rows = 18240, []
    for n in range(count):
        kind, points = kinds[n % 6]
        rows.append(
            Obj(
                id=f"t{n}",
                kind=kind,
                points=points,
                balance_after=balance,
                description=[
                    "Earned on an order",
                    "Used for an order",
                    "Returned to you",
                    "Added by customer care",
                    "Expired",
                    "Taken back after a refund",
                ][n % 6],
                order_number="MPC-7K3Q-20461" if n % 6 < 3 else None,
                created_at=NOW - timedelta(days=n),
            )
        )
        balance -= points
    return rows
