"""OpenAPI 3.1 from the declarations and the URL map: nothing in it is written twice."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from flask import Flask
from werkzeug.routing import Rule

from app.blueprints.api_v1 import errors as catalogue
from app.blueprints.api_v1.contract import Contract, contract_of

_REF = "#/components/schemas/{name}"
_GENERAL = ("BAD_REQUEST", "RATE_LIMITED", "INTERNAL_ERROR", "UNAVAILABLE")
_WITH_BODY = ("BODY_INVALID", "BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "VALIDATION_FAILED")
_WITH_KEY = (
    "IDEMPOTENCY_KEY_MISSING",
    "IDEMPOTENCY_KEY_INVALID",
    "IDEMPOTENCY_KEY_REUSED",
    "IDEMPOTENCY_IN_FLIGHT",
)
_STRING = {"type": "string"}
_HEADERS = {
    "X-Request-Id": {"schema": _STRING, "description": "Name it when you write to us."},
    "X-RateLimit-Limit": {"schema": {"type": "integer"}},
    "X-RateLimit-Remaining": {"schema": {"type": "integer"}},
    "X-RateLimit-Reset": {"schema": {"type": "integer"}, "description": "Seconds until the budget is new."},
}
_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A new random value for each new intention; the same one to try again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_ERROR = {
    "type": "object",
    "required": ["status", "message", "data"],
    "properties": {
        "status": {"const": "error"},
        "message": _STRING,
        "data": {
            "type": "object",
            "required": ["code", "errors", "request_id"],
            "properties": {
                "code": {"enum": sorted(catalogue.CATALOGUE)},
                "errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "code", "message"],
                        "properties": {"field": _STRING, "code": _STRING, "message": _STRING},
                    },
                },
                "request_id": _STRING,
            },
        },
    },
}


def document(app: Flask) -> dict[str, Any]:
    """The whole document of the running app."""
    declared = sorted(
        ((rule, contract) for rule in app.url_map.iter_rules() if (contract := _contract(app, rule))),
        key=lambda pair: str(pair[0]),
    )
    refs, schemas = _schemas([contract for _, contract in declared])
    paths: dict[str, dict[str, Any]] = {}
    for rule, contract in declared:
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            paths.setdefault(_path(rule), {})[method.lower()] = _operation(
                rule, method, contract, refs, schemas
            )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{app.config['SHOP_NAME']} API",
            "version": "1.0.0",
            "description": "Orders paid with any mix of points and card. Every answer is an envelope of "
            "`status`, `message` and `data`.",
        },
        "servers": [{"url": app.config["BASE_URL"]}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Error": _ERROR},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def by_tag(made: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Operations in groups, for the page: each with `method` and `path`."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            entry = {"method": method.upper(), "path": path, **operation}
            groups.setdefault(operation["tags"][0], []).append(entry)
    return groups


def _contract(app: Flask, rule: Rule) -> Contract | None:
    return contract_of(app.view_functions[rule.endpoint])


def _schemas(contracts: list[Contract]) -> tuple[dict[Any, Any], dict[str, Any]]:
    shapes = {
        shape: None
        for contract in contracts
        for shape in (contract.body, contract.query, *contract.returns.values())
        if shape is not None
    }
    refs, schemas = msgspec.json.schema_components(list(shapes), ref_template=_REF)
    return dict(zip(shapes, refs, strict=True)), schemas


def _path(rule: Rule) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)


def _operation(
    rule: Rule, method: str, contract: Contract, refs: dict[Any, Any], schemas: dict[str, Any]
) -> dict[str, Any]:
    room, _, name = rule.endpoint.removeprefix("api_v1.").rpartition(".")
    operation: dict[str, Any] = {
        "operationId": f"{room.replace('.', '_')}_{name}",
        "tags": [room.partition(".")[0]],
        "summary": contract.summary,
        "parameters": _parameters(rule, contract, refs, schemas),
        "responses": _responses(rule, contract, refs),
        "security": [] if contract.auth == "public" else [{"bearer": []}],
    }
    if contract.view.__doc__:
        operation["description"] = " ".join(contract.view.__doc__.split())
    if contract.permission:
        operation["x-permission"] = contract.permission
    if contract.body is not None:
        content = {"application/json": {"schema": refs[contract.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(
    rule: Rule, contract: Contract, refs: dict[Any, Any], schemas: dict[str, Any]
) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name in sorted(rule.arguments):
        is_uuid = f"<uuid:{name}>" in rule.rule
        schema = {"type": "string", "format": "uuid"} if is_uuid else {"type": "string", "minLength": 1}
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    if contract.query is not None:
        shape = schemas[refs[contract.query]["$ref"].rpartition("/")[2]]
        for name, schema in shape["properties"].items():
            required = name in shape["required"]
            parameters.append({"name": name, "in": "query", "required": required, "schema": schema})
    if contract.idempotent:
        parameters.append(_KEY_PARAMETER)
    return parameters


def _responses(rule: Rule, contract: Contract, refs: dict[Any, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(status): {
            "description": "Success",
            "headers": _HEADERS,
            "content": {"application/json": {"schema": _success(refs[shape] if shape else {"type": "null"})}},
        }
        for status, shape in contract.returns.items()
    }
    if contract.cache is not None:
        responses["304"] = {"description": "Not changed since the ETag in If-None-Match", "headers": _HEADERS}
    for status, codes in sorted(_errors_by_status(rule, contract).items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{code}`: {catalogue.CATALOGUE[code].meaning}" for code in codes),
            "headers": _HEADERS,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    return responses


def _success(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["status", "message", "data"],
        "additionalProperties": False,
        "properties": {"status": {"const": "success"}, "message": _STRING, "data": data},
    }


def _errors_by_status(rule: Rule, contract: Contract) -> dict[int, list[str]]:
    codes = [*_GENERAL, "VALIDATION_FAILED", *contract.errors]
    if contract.body is not None:
        codes += _WITH_BODY
    if contract.idempotent:
        codes += _WITH_KEY
    if contract.auth != "public":
        codes += ["TOKEN_INVALID", "TOKEN_EXPIRED"]
    if contract.auth == "staff":
        codes.append("FORBIDDEN")
    if rule.arguments:
        codes.append("NOT_FOUND")
    grouped: dict[int, list[str]] = {}
    for code in (code for code in dict.fromkeys(codes) if code in catalogue.CATALOGUE):
        grouped.setdefault(catalogue.CATALOGUE[code].status, []).append(code)
    return grouped
