"""RATE_LIMITS=off: nothing is counted, and the headers stay."""

from __future__ import annotations

from flask.testing import FlaskClient

from app.blueprints.common import limits


def test_lifted_limits_still_tell_the_budget(client: FlaskClient) -> None:
    for _ in range(2):
        answer = client.get("/api/v1/rewards/rules")
        assert answer.headers["X-RateLimit-Limit"] == limits.CLASSES["read"].split()[0]
        assert answer.headers["X-RateLimit-Remaining"] == answer.headers["X-RateLimit-Limit"]
        assert int(answer.headers["X-RateLimit-Reset"]) > 0
