"""The people of the demo shop, as data: who they are, their points, what they have ordered."""

from __future__ import annotations

from dataclasses import dataclass, field

PASSWORD = "miles-plus-cash-demo"  # noqa: S105 (development only; production refuses to seed)


@dataclass(frozen=True)
class Lot:
    """`days`: until the points expire; None for never."""

    points: int
    days: int | None


@dataclass(frozen=True)
class DemoOrder:
    """`token` None: points alone pay. `ago`: days since it was placed. `then`: what happened to it afterwards."""

    skus: tuple[str, ...]
    points: int | str
    token: str | None
    ago: int
    then: tuple[str, ...] = ()


@dataclass(frozen=True)
class DemoPerson:
    """`spent`: points given first, for the orders; `lots`: more, once these are placed."""

    email: str
    name: str
    role: str = "customer"
    is_active: bool = True
    locale: str = "en"
    spent: int = 0
    lots: tuple[Lot, ...] = ()
    addresses: tuple[tuple[str, str, str], ...] = field(
        default=(("Home", "8 Harbour View Street", "Hong Kong"),)
    )
    orders: tuple[DemoOrder, ...] = ()


SHIPPED, DELIVERED = ("packed", "shipped"), ("packed", "shipped", "delivered")

PEOPLE = (
    DemoPerson("new@demo.example", "Noor New"),
    DemoPerson("below@demo.example", "Bela Low", lots=(Lot(300, 700),)),
    DemoPerson(
        "rich@demo.example",
        "Rika Rich",
        spent=13_000,
        lots=(Lot(40_000, 60), Lot(90_000, 400), Lot(100_000, 900), Lot(19_000, None)),
        addresses=(("Home", "21 Peak Road", "Hong Kong"), ("Office", "1 Queen's Road Central", "Hong Kong")),
        orders=(
            DemoOrder(("HBL-RKJ89",), 0, "pm_card_visa", 25, DELIVERED),
            DemoOrder(("TSL-EKZMX", "MRB-DEQ49"), 2_000, "pm_card_visa", 20, DELIVERED),
            DemoOrder(("LMF-SPYBW",), 5_000, "pm_card_visa", 12, SHIPPED),
            DemoOrder(("SLM-ABLJU",), 1_500, "pm_card_visa", 5, ("packed",)),
            DemoOrder(("WVH-7K8MF",), "max", None, 3),
            DemoOrder(("ARL-B7QG4",), 1_000, "pm_card_chargeDeclined", 2),
            DemoOrder(("DMW-L746E",), 1_000, "pm_card_visa", 2, ("cancel",)),
            DemoOrder(("ODL-97QAU",), 1_000, "pm_card_visa", 9, ("refund",)),
        ),
    ),
    DemoPerson("expiring@demo.example", "Exa Piring", lots=(Lot(3_200, 12), Lot(1_800, 26), Lot(4_000, 500))),
    DemoPerson(
        "holding@demo.example",
        "Holly Holding",
        spent=2_000,
        lots=(Lot(6_000, 300),),
        orders=(DemoOrder(("TNF-SKK3V",), 2_000, "hosted", 0),),
    ),
    DemoPerson(
        "refunded@demo.example",
        "Remy Funded",
        locale="zh-Hant",
        spent=3_000,
        lots=(Lot(5_000, 365),),
        orders=(
            DemoOrder(
                ("ODL-5K4S7", "TSL-SJT5S"), 3_000, "pm_card_visa", 8, (*DELIVERED, "refund-first-line")
            ),
        ),
    ),
    DemoPerson("locked@demo.example", "Lochlan Locked", is_active=False, lots=(Lot(1_000, 365),)),
    DemoPerson("support@demo.example", "Sue Support", role="support"),
    DemoPerson("approver@demo.example", "Apolline Approver", role="approver"),
    DemoPerson("catalogue@demo.example", "Cato Logue", role="catalogue_manager"),
    DemoPerson("auditor@demo.example", "Audrey Auditor", role="auditor"),
    DemoPerson("admin@demo.example", "Ada Admin", role="admin"),
)
