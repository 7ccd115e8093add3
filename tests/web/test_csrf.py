"""No cookie-authenticated route changes anything without the form's token."""

from __future__ import annotations

import re
import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.people import csrf_token, sign_in, sign_up

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
REFUSAL = "This form is no longer valid"


def unsafe_routes(app: Flask) -> list[tuple[str, str]]:
    """[(method, path)] of everything that may change something and is not the token API."""
    return [
        (method, re.sub(r"<(?:(\w+)(?:\(.*?\))?:)?\w+>", _sample, rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith("/api/")
        for method in sorted((rule.methods or set()) & UNSAFE)
    ]


def _sample(argument: re.Match[str]) -> str:
    return {"uuid": str(uuid.uuid4()), "int": "1"}.get(argument[1] or "", "x")


@pytest.fixture
def visitor(client: FlaskClient) -> FlaskClient:
    sign_in(client, sign_up(client).email)
    return client


@pytest.mark.parametrize("token", [None, "", "not-a-token"])
def test_every_unsafe_route_refuses(app: Flask, visitor: FlaskClient, token: str | None) -> None:
    routes = unsafe_routes(app)
    assert len(routes) >= 7
    form = {} if token is None else {"csrf_token": token}
    answers = {(method, path): visitor.open(path, method=method, data=form) for method, path in routes}
    open_doors = [
        route for route, answer in answers.items() if answer.status_code != 400 or REFUSAL not in answer.text
    ]
    assert open_doors == []


def test_somebody_elses_token_is_none(app: Flask, visitor: FlaskClient) -> None:
    foreign = csrf_token(app.test_client())
    answer = visitor.post("/account/sign-out", data={"csrf_token": foreign})
    assert (answer.status_code, REFUSAL in answer.text) == (400, True)
    assert visitor.get("/account/profile").status_code == 200


def test_only_the_api_is_exempt(app: Flask) -> None:
    csrf = app.extensions["csrf"]
    exempt = {
        str(rule)
        for rule in app.url_map.iter_rules()
        if app.blueprints.get(rule.endpoint.rpartition(".")[0]) in csrf._exempt_blueprints
        or f"{app.view_functions[rule.endpoint].__module__}.{app.view_functions[rule.endpoint].__name__}"
        in csrf._exempt_views
    }
    assert exempt
    assert all(rule.startswith("/api/") for rule in exempt), exempt
