"""The API's contract layer: what a call takes, gives and needs is declared once, next to its route.

    @bp.post("/me/addresses")
    @endpoint("Add an address", body=AddressBody, returns={201: AddressOut}, auth="customer")
    def create_address(body: AddressBody) -> Answer:
        ...
        return answer(AddressOut.of(address), status=201, message="The address was added.")

The same declaration validates the request, checks the answer's type and writes the OpenAPI document
(docs/adr/0002).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_origin

import msgspec
from flask import Response, g, request

from app.accounts import rules
from app.accounts import service as accounts
from app.accounts.errors import token_invalid
from app.accounts.queries import Person
from app.blueprints.api_v1 import decoding
from app.blueprints.api_v1.answers import Answer
from app.blueprints.api_v1.idempotent import IdempotentRequest, read_key
from app.blueprints.common import limits
from app.kernel.errors import Forbidden

Auth = Literal["public", "customer", "staff"]


@dataclass(frozen=True, slots=True)
class Contract:
    """What one endpoint declares. `cache`: seconds a public answer may be kept; None is `no-store`."""

    summary: str
    returns: Mapping[int, Any]
    auth: Auth
    permission: str | None
    body: type[msgspec.Struct] | None
    query: type[msgspec.Struct] | None
    idempotent: bool
    limit: str
    errors: tuple[str, ...]
    cache: int | None
    view: Callable[..., Any]


def endpoint(
    summary: str,
    *,
    returns: Mapping[int, Any],
    auth: Auth,
    permission: str | None = None,
    body: type[msgspec.Struct] | None = None,
    query: type[msgspec.Struct] | None = None,
    idempotent: bool = False,
    limit: str | None = None,
    errors: Sequence[str] = (),
    cache: int | None = None,
) -> Callable[[Callable[..., Answer]], Callable[..., Response]]:
    """Declare a call; goes directly under `@bp.get(...)`.

    The view gets its path arguments, and by keyword `body`, `query` and `key` (an IdempotentRequest) as far
    as they are declared. `auth="staff"` needs a `permission` of accounts.rules. `limit` names a class of
    common.limits (default: `write` with a body or a key, else `read`). `errors` are the codes, beyond the
    general ones, that the document lists.
    """
    if (auth == "staff") != (permission is not None) or (
        permission is not None and permission not in rules.ALL_PERMISSIONS
    ):
        raise TypeError(f"{summary}: staff calls, and only they, name one of the known permissions")
    budget = limit or ("write" if body is not None or idempotent else "read")

    def declare(view: Callable[..., Answer]) -> Callable[..., Response]:
        declared = Contract(
            summary=summary,
            returns=returns,
            auth=auth,
            permission=permission,
            body=body,
            query=query,
            idempotent=idempotent,
            limit=budget,
            errors=tuple(errors),
            cache=cache,
            view=view,
        )

        @functools.wraps(view)
        def call(**path: Any) -> Response:
            return _respond(declared, view(**path, **_arguments(declared, path)))

        guarded = limits.limited(call, budget)
        guarded.__contract__ = declared  # type: ignore[attr-defined]
        return guarded

    return declare


def contract_of(view: Callable[..., Any]) -> Contract | None:
    """The declaration of a view function, None when it is not one of the API's."""
    return getattr(view, "__contract__", None)


def current() -> Person:
    """The signed-in person of this call."""
    person: Person = g.person
    return person


def _arguments(declared: Contract, path: dict[str, Any]) -> dict[str, Any]:
    """Everything is checked in this order: who, whether, key, query, body."""
    arguments: dict[str, Any] = {}
    if declared.auth != "public":
        _authenticate(declared)
    key = read_key() if declared.idempotent else None
    if declared.query is not None:
        arguments["query"] = decoding.query_of(declared.query)
    else:
        decoding.refuse_query()
    if declared.body is not None:
        arguments["body"] = decoding.body_of(declared.body)
    if key is not None:
        arguments["key"] = IdempotentRequest.of(current().id, key, path, arguments.get("body"))
    return arguments


def _authenticate(declared: Contract) -> None:
    """One statement. Raises Unauthenticated, Forbidden."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise token_invalid()
    g.bearer = accounts.get_bearer(token.strip())
    g.person = g.bearer.person
    if declared.permission is not None and not rules.may(g.person.role, declared.permission):
        raise Forbidden("Your role is not allowed to do this.")


def _respond(declared: Contract, result: Answer) -> Response:
    _check_shape(declared, result)
    response = Response(result.body, result.status, content_type="application/json")
    response.headers.extend(result.headers)
    if result.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    if declared.cache is not None and result.status == 200:
        response.headers["Cache-Control"] = f"public, max-age={declared.cache}"
        response.add_etag(weak=True)  # weak, because it is compressed on the way
        response.make_conditional(request)
    return response


def _check_shape(declared: Contract, result: Answer) -> None:
    """An answer that is not what the document promises is a bug to find in the tests, not at a client's."""
    if result.shape is None:
        return
    if result.status not in declared.returns:
        raise TypeError(f"{declared.summary}: status {result.status} is not declared")
    promised = declared.returns[result.status]
    shape = get_origin(promised) or promised
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct) and result.shape is not shape:
        raise TypeError(f"{declared.summary}: {result.shape.__name__} is not the declared {shape.__name__}")
