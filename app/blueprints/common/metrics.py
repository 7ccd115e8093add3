"""What Prometheus reads: requests by endpoint and status, and how long they took."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request
from prometheus_client import Counter, Histogram

REQUESTS = Counter("shop_http_requests", "Requests answered", ["method", "endpoint", "status"])
SECONDS = Histogram(
    "shop_http_request_seconds",
    "Time to answer a request",
    ["endpoint"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)


def register(app: Flask) -> None:
    app.after_request(_count)


def _count(response: Response) -> Response:
    endpoint = request.endpoint or "none"  # never the path: strangers choose paths, and each makes a series
    REQUESTS.labels(request.method, endpoint, response.status_code).inc()
    if "started" in g:
        SECONDS.labels(endpoint).observe(time.perf_counter() - g.started)
    return response
