"""The checks of verify that nothing else breaks: with every guard of the database down, each sees its own fault."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.blueprints.ops.commands_rewards_proof import PROBES
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from tests.checkout.conftest import Shopper
from tests.checkout.versions import bought
from tests.factories.shop import fill_cart
from tests.services.test_batches import file, staff, submit

TESTS = Path(__file__).parents[1]
GUARDED = (
    *("points_entry", "points_account", "points_lot", "points_hold", "points_earning", "points_adjustment"),
    *(
        "points_adjustment_batch",
        "orders",
        "order_line",
        "order_line_lot",
        "payment",
        "stock",
        "stock_reservation",
    ),
)
BREAKS = {
    "programme_zero": "UPDATE points_entry SET amount = amount + 1",
    "no_overdraw": "UPDATE points_account SET debt = 1 WHERE customer_id = %(customer)s",
    "lots_add_up": "UPDATE points_lot SET granted = granted + 1 WHERE customer_id = %(customer)s",
    "one_live_hold": """INSERT INTO points_hold SELECT (jsonb_populate_record(h, %(another)s)).*
                          FROM points_hold h WHERE state = 'captured' LIMIT 1""",
    "files_booked": "UPDATE points_adjustment_batch SET rows = rows + 1",
    "order_holds": "UPDATE points_hold SET amount = amount + 1 WHERE state = 'captured'",
    "one_order_per_checkout": "UPDATE orders SET checkout_key = 'the same'",
    "earned_once": "DELETE FROM points_earning WHERE source_type = 'order'",
    "line_lots": "UPDATE order_line_lot SET points = points + 1",
    "paid_by_card": "UPDATE payment SET captured = captured - 1 WHERE state = 'captured'",
    "one_live_payment": """INSERT INTO payment SELECT (jsonb_populate_record(p, %(another)s)).*
                             FROM payment p WHERE state = 'captured' LIMIT 1""",
    "reserved": "UPDATE stock SET reserved = reserved + 1",
    "reservations": "UPDATE stock_reservation SET quantity = quantity + 1 WHERE state = 'committed'",
}

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")


@pytest.fixture
def customer(gateway: SandboxGateway) -> uuid.UUID:
    """Two orders paid with points and card, and a file of adjustments."""
    shopper = Shopper(gateway, points=5_000)
    bought(shopper, 500)
    fill_cart(shopper.id, {shopper.variant_id: 1})
    bought(shopper, 500)
    submit(file(f"{shopper.id},10,goodwill,Late parcel,"), staff())
    return shopper.id


@pytest.fixture
def unguarded(owner: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """Neither triggers nor constraints nor unique indexes, in a transaction that is undone at the end."""
    with owner.transaction(force_rollback=True):
        for table in GUARDED:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            rows = owner.execute(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c','u')",
                (table,),
            ).fetchall()
            for (name,) in rows:
                owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE")
            indexes = owner.execute(
                "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass AND indisunique "
                "AND NOT indisprimary",
                (table,),
            ).fetchall()
            for (name,) in indexes:
                owner.execute(f"DROP INDEX {name}")
        owner.execute("SELECT set_config('shop.now', %s, true)", (clock.now().isoformat(),))
        yield owner


def found(connection: psycopg.Connection, check: str) -> list[str]:
    """What the probe that has `check` says under its name."""
    (probe,) = (probe for probe in PROBES if check in probe.checks)
    return [ref for name, ref in connection.execute(probe.sql).fetchall() if name == check]  # type: ignore[call-overload]


@pytest.mark.parametrize("check", BREAKS)
def test_a_check_sees_what_it_is_there_for(
    customer: uuid.UUID, unguarded: psycopg.Connection, check: str
) -> None:
    assert found(unguarded, check) == []
    another = f'{{"id": "{uuid.uuid4()}"}}'
    broken = unguarded.execute(BREAKS[check], {"customer": customer, "another": another})
    assert broken.rowcount > 0
    assert found(unguarded, check) != []


def test_every_check_is_broken_by_some_test() -> None:
    """One that no test names may be one that cannot fail."""
    tests = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    checks = {check for probe in PROBES for check in probe.checks}
    assert {check for check in checks if f'"{check}"' not in tests and f'"{check}:' not in tests} == set()
