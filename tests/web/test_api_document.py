"""The document that the API serves: whole, resolvable, and readable without a network."""

from __future__ import annotations

import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.blueprints.api_v1.contract import contract_of
from app.blueprints.api_v1.errors import CATALOGUE
from app.extensions import csrf
from tests.web.probe import bp


@pytest.fixture(scope="module", autouse=True)
def _probe(app: Flask) -> None:
    csrf.exempt(bp)
    app.register_blueprint(bp)


class TestDocument:
    def test_every_call_is_in_it_and_every_reference_resolves(self, app: Flask, client: FlaskClient) -> None:
        made = client.get("/api/v1/openapi.json").json
        assert made["openapi"] == "3.1.0"
        described = {(method.upper(), path) for path, methods in made["paths"].items() for method in methods}
        declared = {
            (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(rule)))
            for rule in app.url_map.iter_rules()
            if contract_of(app.view_functions[rule.endpoint])
            for method in rule.methods - {"HEAD", "OPTIONS"}
        }
        assert described == declared
        text = json.dumps(made)
        references = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
        assert references <= set(made["components"]["schemas"])
        assert references > {"Error", "ProbeBody"}

    def test_it_says_what_a_call_needs(self, client: FlaskClient) -> None:
        paths = client.get("/api/v1/openapi.json").json["paths"]
        count = paths["/api/v1/probe/count/{name}"]["post"]
        assert {(p["name"], p["in"]) for p in count["parameters"]} == {
            ("name", "path"),
            ("Idempotency-Key", "header"),
        }
        assert {"201", "400", "401", "409", "413", "415", "422", "429"} <= set(count["responses"])
        assert count["security"] == [{"bearer": []}]
        listed = paths["/api/v1/probe/list"]["get"]
        assert [p["name"] for p in listed["parameters"]] == [
            "cursor",
            "limit",
            "total",
            "q",
            "brand",
            "in_stock",
        ]
        assert listed["security"] == []

    def test_every_declared_code_is_explained(self, app: Flask) -> None:
        declared = {
            code
            for view in app.view_functions.values()
            if (contract := contract_of(view))
            for code in contract.errors
        }
        assert {"EMAIL_IN_USE", "CREDENTIALS_INVALID"} <= declared <= set(CATALOGUE)

    def test_the_page_needs_no_network(self, client: FlaskClient) -> None:
        page = client.get("/api/docs")
        assert page.status_code == 200
        assert "/api/v1/auth/register" in page.text
        assert "EMAIL_IN_USE" in page.text
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)

    def test_operation_ids_are_unique(self, client: FlaskClient) -> None:
        paths = client.get("/api/v1/openapi.json").json["paths"]
        names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
        assert len(names) == len(set(names)) > 8
