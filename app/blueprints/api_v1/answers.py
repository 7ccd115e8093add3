"""What the API's answers are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from app.blueprints.common import envelope
from app.blueprints.common.errors import status_of
from app.blueprints.common.request_ids import request_id
from app.kernel.errors import ShopError
from app.kernel.money import MAX_AMOUNT
from app.kernel.money import Money as KernelMoney
from app.kernel.pagination import DEFAULT_LIMIT, MAX_LIMIT, Page

T = TypeVar("T")
Source = TypeVar("Source")

Amount = Annotated[int, Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
Points = Annotated[int, Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer ready to send or to store: the body is the whole envelope.

    `shape` is the type of its data, which must be the declared one; None for stored answers and refusals.
    `replayed`: it is the first answer of its Idempotency-Key again.
    """

    status: int
    body: bytes
    shape: type | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False


def answer(
    data: Any, *, message: str = "OK.", status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """`data` is the Struct that the endpoint declares for `status`, or None. `message` is for people."""
    return Answer(status, envelope.success(data, message), type(data), headers or {})


def refusal(error: ShopError) -> Answer:
    """A refusal that is to be stored as the answer of its Idempotency-Key, such as a declined card."""
    return Answer(status_of(error), envelope.failure(error, request_id=request_id()))


class Money(Struct, frozen=True):
    """`amount` in minor units of `currency` (ISO 4217); `display` for people."""

    amount: Amount
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    display: str

    @classmethod
    def of(cls, value: KernelMoney) -> Money:
        return cls(value.amount, value.currency, value.display)


class PageInfo(Struct, frozen=True):
    """`next` and `prev` are opaque cursors for `?cursor=`."""

    limit: int
    next: str | None = None
    prev: str | None = None
    total: int | UnsetType = UNSET
    total_is_lower_bound: bool | UnsetType = UNSET

    @classmethod
    def of(cls, page: Page[Any]) -> PageInfo:
        if page.total is None:
            return cls(page.limit, page.next, page.prev)
        lower_bound = True if page.total_is_lower_bound else UNSET
        return cls(page.limit, page.next, page.prev, page.total, lower_bound)


class Listing(Struct, Generic[T], frozen=True):
    """A page of a list."""

    items: list[T]
    page: PageInfo


def listing(page: Page[Source], present: Callable[[Source], T]) -> Listing[T]:
    """A kernel page as the API shows it."""
    return Listing([present(item) for item in page.items], PageInfo.of(page))


def whole_listing(items: Sequence[T]) -> Listing[T]:
    """All there is, for what cannot be cut into pages: a tree."""
    return Listing(list(items), PageInfo(limit=MAX_LIMIT))


class PageQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of every list; subclass it (with `kw_only=True, forbid_unknown_fields=True`) to add filters."""

    cursor: Annotated[str, Meta(min_length=1, max_length=1000)] | None = None
    limit: Annotated[int, Meta(ge=1)] = DEFAULT_LIMIT
    total: bool = False

    @property
    def size(self) -> int:
        """`limit`, lowered to what we give."""
        return min(self.limit, MAX_LIMIT)
