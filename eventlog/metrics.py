"""Every metric of the platform's processes, in one place. Names end in their unit; no label ever holds an EAN.

The roles of one process share the default registry of prometheus_client.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eventlog.tracing import name_request

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET: Final = frozenset({"/livez", "/readyz", "/metrics", "/projections"})
_MEASURED: Final = "kwartier.measured"

RECORDS: Final = Counter(
    "projection_records_total",
    "Records by outcome: applied, redelivered (a re-send, already known; jumps when a relay was killed) or parked "
    "(in dead_letter; any increase wants a human).",
    ["projection", "topic", "outcome"],
)
PARKED: Final = Counter(
    "projection_parked_records_total",
    "Records parked, by the name of the rule that they break. The rule says whom to ask: unknown_schema is an older "
    "process of ours, behind_parked waits for another event, all others are their sender's.",
    ["projection", "topic", "rule"],
)
RUNS: Final = Counter(
    "projection_runs_total",
    "Runs by outcome: committed, fenced (another member took the partition; a few at a rebalance, more means that two "
    "members fight) or failed (database outage; tried again).",
    ["projection", "topic", "outcome"],
)
RUN_SECONDS: Final = Histogram(
    "projection_run_seconds",
    "Seconds to apply one run of records, its transaction included. A rise eats the room before lag grows.",
    ["projection", "topic"],
    buckets=_SECONDS,
)
LAG: Final = Gauge(
    "projection_lag_records",
    "Records of the partition that are not applied yet, by the member that reads it. A steady rise: it cannot keep up.",
    ["projection", "topic", "partition"],
)
NEWEST_APPLIED: Final = Gauge(
    "projection_newest_applied_timestamp_seconds",
    "Append time (seconds since 1970, UTC) of the newest record applied; time() minus it is its age. The age rises "
    "while a topic is silent, and with lag above zero it means that the projection stands still.",
    ["projection", "topic"],
)
UNCLAIMED: Final = Gauge(
    "projection_unclaimed_partitions",
    "Partitions assigned here but not claimed in the database. Above zero for seconds at a rebalance; longer means "
    "that the database is away or a frozen member holds the checkpoint.",
    ["projection", "topic"],
)
STALLED: Final = Gauge(
    "projection_stalled_seconds",
    "Seconds in which a projection had records to apply, or could not know, and committed no run; 0 when it is up to "
    "date. A rise above a few seconds is an outage of Kafka or the database, or a member that is stuck; without such "
    "an outage /livez turns red at the limit.",
    ["projection", "topic"],
)
HINT_FAILURES: Final = Counter(
    "projection_hint_failures_total",
    "Times the broker's group could not be told how far a projection is. Only tools that show a group's lag are then "
    "late; a rise elsewhere than at rebalances means that Kafka is away.",
    ["projection", "topic"],
)
HALTED: Final = Gauge(
    "projection_halted_partitions",
    "Partitions in which the projection may not pass over a record, by the member that reads them. Above zero a human "
    "has to look; /readyz names the record, and what decides about permissions soon lets nothing out.",
    ["projection", "topic"],
)
TRANSACTION_SECONDS: Final = Histogram(
    "database_transaction_seconds",
    "Seconds from the begin of a database transaction to its end. A rise means a slow database, or waiting for locks.",
    buckets=_SECONDS,
)
PUBLISHED: Final = Counter(
    "relay_published_total", "Events that the relay had acknowledged by Kafka, re-sends included.", ["topic"]
)
RELAY_FAILURES: Final = Counter(
    "relay_failures_total",
    "Times the relay had to begin again; a rise means that Kafka or the database is away.",
    ["topic"],
)
UNPUBLISHED: Final = Gauge(
    "relay_unpublished_events",
    "Events written but not on the topic yet. A steady rise means that the relay stands still.",
    ["topic"],
)
OLDEST_UNPUBLISHED: Final = Gauge(
    "relay_oldest_unpublished_seconds",
    "Age in seconds of the oldest event that is not on the topic yet, 0 without one. Above a few seconds, readers are "
    "late.",
    ["topic"],
)
MARKED: Final = Gauge(
    "permission_mark_timestamp_seconds",
    "Instant (seconds since 1970, UTC) of the newest mark of freshness written; time() minus it is its age. Above a "
    "few seconds the relay stands still, and export soon refuses to answer.",
    ["topic"],
)
KAFKA_FAULTS: Final = Gauge(
    "kafka_faults",
    "What a human has to mend before this process can use Kafka (certificate, password, access rules, topics); /readyz "
    "names each. Above 0: look there.",
)
KAFKA_UNDER_REPLICATED: Final = Gauge(
    "kafka_under_replicated_partitions",
    "Partitions of the topic with a replica that is not in sync, as this process sees it. Above 0: a broker is away or "
    "behind; nothing is lost, and the next one that goes may stop writes.",
    ["topic"],
)
KAFKA_UNWRITABLE: Final = Gauge(
    "kafka_unwritable_partitions",
    "Partitions of the topic with fewer replicas in sync than a write demands. Above 0: they take no writes until a "
    "broker is back; ingest answers 503, relays wait.",
    ["topic"],
)
KAFKA_CERTIFICATE_EXPIRES: Final = Gauge(
    "kafka_certificate_expires_timestamp_seconds",
    "Until when the certificate that a broker showed last is good (seconds since 1970, UTC). Near time(): renew it.",
)

HTTP_REQUESTS: Final = Counter(
    "http_requests_total",
    "Requests by service, route template, method and status. A rise of 5xx is ours, of 4xx the callers'.",
    ["service", "route", "method", "status"],
)
HTTP_SECONDS: Final = Histogram(
    "http_request_seconds",
    "Seconds from a request's arrival to the last byte of its answer. A rise is what callers feel.",
    ["service", "route", "method"],
    buckets=_SECONDS,
)


def transaction_timer() -> Callable[[], None]:
    """Begin to time a database transaction; call the result at its end. For connections not made by `create_engine`."""
    began = time.perf_counter()
    return lambda: TRANSACTION_SECONDS.observe(time.perf_counter() - began)


class MetricsMiddleware:
    """Counts, times, logs and names each HTTP request by its route template, so that no identifier gets out. Once per
    request, however often it is wrapped around an application."""

    def __init__(self, app: ASGIApp, *, service: str) -> None:
        self._app = app
        self._service = service
        self._log = logging.getLogger("kwartier.http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _MEASURED in scope:
            await self._app(scope, receive, send)
            return
        scope[_MEASURED] = True
        began, status = time.perf_counter(), 500

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = _template(scope)
        HTTP_REQUESTS.labels(self._service, route, method, str(status)).inc()
        HTTP_SECONDS.labels(self._service, route, method).observe(seconds)
        name_request(method, route, status)
        level = logging.DEBUG if route in _QUIET else logging.INFO
        facts = {"method": method, "route": route, "status": status, "duration_ms": round(seconds * 1000, 1)}
        self._log.log(level, "%s %s %d", method, route, status, extra={"facts": facts})


def _template(scope: Scope) -> str:
    """Return the template that matched: FastAPI's route with the prefix it was included under, Starlette's, or a plain
    route inside a FastAPI application, which says its endpoint only."""
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route") or _by_endpoint(scope)
    if isinstance(route, Mount):
        return f"{route.path}/..."
    path = getattr(route, "path_format", None)
    return f"{scope.get('root_path', '').rstrip('/')}{path}" if isinstance(path, str) else "unmatched"


def _by_endpoint(scope: Scope) -> object:
    endpoint = scope.get("endpoint")
    routes = getattr(scope.get("app"), "routes", ()) if endpoint is not None else ()
    return next((route for route in routes if getattr(route, "endpoint", None) is endpoint), None)
