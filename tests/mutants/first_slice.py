"""What keeps one shopper from another's miles, goods and money, taken away one by one. The points lock is M4."""

from __future__ import annotations

from tests.mutants.catalogue import Edit, Mutant

RACES = "tests/races/test_placing_at_once.py"

FIRST_SLICE = (
    Mutant(
        "S1",
        "the stock guard is left to the constraint",
        f"{RACES}::test_a_hundred_buyers_for_the_last_unit",
        (
            Edit(
                "app/inventory/service/reservations.py",
                "     WHERE s.variant_id = w.variant_id AND s.reserved + w.quantity <= s.on_hand",
                "     WHERE s.variant_id = w.variant_id",
            ),
        ),
    ),
    Mutant(
        "S2",
        "a key is given to whoever asks, while its first request still runs",
        f"{RACES}::test_one_key_forty_times_is_one_order_and_one_answer",
        (Edit("app/idempotency/service.py", "                    row.c.lease_until < now,\n", ""),),
    ),
    Mutant(
        "S3",
        "a key serves any body",
        f"{RACES}::test_one_key_with_two_bodies_serves_one_of_them",
        (Edit("app/idempotency/service.py", "if row.fingerprint != fingerprint:", "if False:"),),
    ),
    Mutant(
        "S4",
        "a declined card gives nothing back",
        "tests/checkout/test_placing.py::test_a_declined_card_gives_points_and_stock_back_at_once",
        (
            Edit(
                "app/checkout/settle.py",
                "    _release(order, actor)\n    if cancel_wanted:",
                "    if cancel_wanted:",
            ),
        ),
    ),
    Mutant(
        "S5",
        "forms need no CSRF token",
        "tests/web/test_csrf.py::test_every_unsafe_route_refuses",
        (Edit("app/__init__.py", "(login_manager, csrf, cache,", "(login_manager, cache,"),),
    ),
    Mutant(
        "S6",
        "whoever is signed in may use the back office",
        "tests/web/test_backoffice.py::test_reading",
        (
            Edit(
                "app/blueprints/backoffice/access.py",
                "if not allowed(person.role, permission_of(self, name)):",
                "if not person:",
            ),
        ),
    ),
    Mutant(
        "S7",
        "whoever is signed in may make staff calls",
        "tests/web/test_admin_api.py::TestWhoMay::test_roles",
        (
            Edit(
                "app/blueprints/api_v1/contract.py",
                "if declared.permission is not None and not rules.may(g.person.role, declared.permission):",
                "if declared.permission is not None and not g.person:",
            ),
        ),
    ),
    Mutant(
        "S8",
        "the cart is not locked while it becomes an order",
        f"{RACES}::test_two_tabs_with_the_same_cart_are_one_order",
        (Edit("app/checkout/queries.py", "statement = statement.with_for_update()", "pass"),),
    ),
)
