"""What is on the shelf: set by files, adjusted by people, and never below what orders hold."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from app.inventory import queries
from app.inventory.service.stock import adjust, set_on_hand
from app.kernel.actor import system
from app.kernel.database import transaction
from app.kernel.errors import Conflict, NotFound
from tests.factories.shop import make_variant, stock_of

pytestmark = pytest.mark.usefixtures("app_context")
ACTOR = system("test")


def test_setting_counts_what_changed(owner: psycopg.Connection) -> None:
    same, other, held = make_variant(stock=5), make_variant(stock=5), make_variant(stock=5)
    owner.execute("UPDATE stock SET reserved = 3 WHERE variant_id = %s", (held,))
    with transaction():
        result = set_on_hand(quantities=[(same, 5), (other, 9), (held, 1)])
    assert (result.changed, result.promised) == (2, [held])
    assert [stock_of(variant) for variant in (same, other, held)] == [(5, 0), (9, 0), (3, 3)]
    assert queries.sellable([same, held]) == {same: 5, held: 0}
    assert queries.on_hand([held, uuid.uuid4()])[held] == 3
    with transaction():
        assert set_on_hand(quantities=[]).changed == 0


def test_adjusting_is_in_the_audit_log(owner: psycopg.Connection) -> None:
    variant = make_variant(stock=5)
    with transaction():
        assert adjust(variant_id=variant, by=-2, reason="broken", actor=ACTOR) == 3
    row = owner.execute(
        "SELECT action, before, after, reason FROM audit_log WHERE target_id = %s", (str(variant),)
    ).fetchone()
    assert row == ("stock.adjust", {"on_hand": 5}, {"on_hand": 3}, "broken")


def test_adjusting_below_what_orders_hold_changes_nothing(owner: psycopg.Connection) -> None:
    variant = make_variant(stock=5)
    owner.execute("UPDATE stock SET reserved = 4 WHERE variant_id = %s", (variant,))
    with pytest.raises(Conflict) as refused, transaction():
        adjust(variant_id=variant, by=-2, reason="lost", actor=ACTOR)
    assert refused.value.code == "STOCK_PROMISED"
    assert stock_of(variant) == (5, 4)
    assert owner.execute(
        "SELECT count(*) FROM audit_log WHERE target_id = %s", (str(variant),)
    ).fetchone() == (0,)
    with pytest.raises(NotFound), transaction():
        adjust(variant_id=uuid.uuid4(), by=1, reason="?", actor=ACTOR)
