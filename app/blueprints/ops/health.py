"""Is the process alive, is it ready, and what Prometheus wants to know."""

from __future__ import annotations

import os
from functools import cache

import prometheus_client
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, abort, current_app, request
from prometheus_client import CollectorRegistry, multiprocess
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.blueprints.common import envelope
from app.blueprints.common.request_ids import request_id
from app.blueprints.ops import gauges
from app.kernel.database import session
from app.kernel.errors import Unavailable

bp = Blueprint("ops", __name__)


@bp.get("/healthz")
def alive() -> Response:
    """Touches nothing."""
    return envelope.json_response(envelope.success(None, "Alive."), 200)


@bp.get("/readyz")
def ready() -> Response:
    """503 names what is missing: `database`, `migrations`, `redis`."""
    missing = [*_database(), *_redis()]
    if not missing:
        return envelope.json_response(envelope.success({"missing": []}, "Ready."), 200)
    error = Unavailable(f"Not ready: {', '.join(missing)}.", code="NOT_READY", details={"missing": missing})
    response = envelope.json_response(envelope.failure(error, request_id=request_id()), 503)
    response.headers["Retry-After"] = "5"
    return response


@bp.get("/metrics")
def metrics() -> Response:
    """Prometheus text of all worker processes. A proxy has added X-Forwarded-For: then it is not for you."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        abort(404)
    registry = prometheus_client.REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    return Response(
        prometheus_client.generate_latest(registry) + gauges.render(),
        content_type=prometheus_client.CONTENT_TYPE_LATEST,
    )


def _database() -> list[str]:
    try:
        versions = set(session().scalars(text("SELECT version_num FROM alembic_version")))
    except SQLAlchemyError:
        session().rollback()
        return ["database"]
    return [] if versions == _heads(current_app.root_path) else ["migrations"]


def _redis() -> list[str]:
    client = Redis.from_url(current_app.config["REDIS_URL"], socket_timeout=1, socket_connect_timeout=1)
    try:
        client.ping()
    except RedisError:
        return ["redis"]
    finally:
        client.close()
    return []


@cache
def _heads(root_path: str) -> set[str]:
    config = Config()
    config.set_main_option("script_location", os.path.join(os.path.dirname(root_path), "migrations"))
    return set(ScriptDirectory.from_config(config).get_heads())
