"""How often the pages where money is spent ask the database: pinned, so that no edit makes it more unnoticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask
from sqlalchemy import event

from app.kernel.database import db
from tests.web.conftest import Buyer

Make = Callable[..., Buyer]


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """What is sent to the database inside the block. The category tree does not count: it is kept for a second."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM category" not in statement:
            sent.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_the_pay_page(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    with statements(shopper.app) as sent:
        shopper.go("/checkout/pay")
    assert len(sent) == 12, "\n\n".join(sent)


def test_a_new_total_for_the_slider(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    form, _ = shopper.to_pay().form("Update total")
    with statements(shopper.app) as sent:
        answer = shopper.client.post(
            "/checkout/pay",
            data={**form.values, "miles": "1,000", "action": "quote"},
            headers={"X-Requested-With": "fetch"},
        )
    assert "Pay 1,000 miles" in answer.text
    assert len(sent) == 12, "\n\n".join(sent)


def test_paying_with_miles_and_card(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    shopper.press("Update total", miles="1,000")
    form, _ = shopper.page.form("Pay")
    with statements(shopper.app) as sent:
        answer = shopper.client.post("/checkout/pay", data={**form.values, "action": "pay"})
    assert answer.status_code == 303
    assert len(sent) == 44, "\n\n".join(sent)


def test_the_result_and_its_fragment(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    shopper.press("Update total", miles="1,000")
    shopper.press("Pay 1,000 miles", card="pm_sandbox_timeout_paid")
    for path, count in ((f"/checkout/result/{shopper.number}", 9), (f"/checkout/status/{shopper.number}", 9)):
        with statements(shopper.app) as sent:
            shopper.client.get(path)
        assert len(sent) == count, "\n\n".join(sent)
