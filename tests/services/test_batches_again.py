"""A file of adjustments is booked once, however its bytes are written."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from app.rewards import queries
from app.rewards.errors import AdjustmentDuplicate
from tests.factories.people import make_customer
from tests.services.test_batches import email, everything, file, staff, submit

pytestmark = pytest.mark.usefixtures("app_context")


def quoted(content: bytes) -> bytes:
    return b"\r\n".join(b'"%b"' % line.replace(b",", b'","') for line in content.splitlines())


def without_expiry(content: bytes) -> bytes:
    return b"\r\n".join(line.removesuffix(b",").removesuffix(b",expires_at") for line in content.splitlines())


def backwards(content: bytes) -> bytes:
    header, *rows = content.splitlines()
    return b"\r\n".join([header, *reversed(rows)])


AGAIN: dict[str, Callable[[bytes], bytes]] = {
    "an empty line more": lambda content: content + b"\r\n",
    "another line end": lambda content: content.replace(b"\r\n", b"\n"),
    "a byte order mark": lambda content: b"\xef\xbb\xbf" + content,
    "every value quoted": quoted,
    "without the column that is empty": without_expiry,
    "in another order": backwards,
}


@pytest.mark.parametrize("points", [50, 900], ids=["booked", "waiting"])
@pytest.mark.parametrize("how", AGAIN)
def test_saved_again_it_is_the_same_file(owner: psycopg.Connection, how: str, points: int) -> None:
    first, second = make_customer(), make_customer()
    content = file(
        f"{email(first)},{points},goodwill,Late parcel,", f"{email(second)},200,goodwill,Late parcel,"
    )
    again = AGAIN[how](content)
    assert again != content
    maker = staff()
    assert submit(content, maker).state == ("applied" if points == 50 else "awaiting_approval")
    before = everything(owner)
    with pytest.raises(AdjustmentDuplicate):
        submit(again, maker)
    assert everything(owner) == before


def test_named_by_id_it_is_the_same_customer(owner: psycopg.Connection) -> None:
    person, maker = make_customer(), staff()
    submit(file(f"{email(person)},50,goodwill,Late parcel,2041-01-31"), maker)
    before = everything(owner)
    with pytest.raises(AdjustmentDuplicate):
        submit(file(f"{person},+50,goodwill, Late parcel ,2041-02-01T00:00Z"), maker)
    assert everything(owner) == before


@pytest.mark.parametrize(
    "row",
    [
        "{email},51,goodwill,Late parcel,",
        "{email},50,correction,Late parcel,",
        "{email},50,goodwill,Late parcels,",
        "{email},50,goodwill,Late parcel,2041-01-31",
        "{other},50,goodwill,Late parcel,",
    ],
)
def test_a_file_that_asks_for_something_else_is_booked(row: str) -> None:
    person, other, maker = make_customer(), make_customer(), staff()
    submit(file(f"{email(person)},50,goodwill,Late parcel,"), maker)
    made = submit(file(row.format(email=email(person), other=email(other))), maker)
    assert made.state == "applied"
    given = queries.get_balance(person).available + queries.get_balance(other).available
    assert given == 50 + made.credit
