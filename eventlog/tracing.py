"""Traces: which request a line of the log, an event and the rows of a projection come from.

The W3C trace context travels from HTTP through the column `event.traceparent` and the Kafka header of the same name to
whoever applies the record, always. Spans are made and exported (OTLP over HTTP) only where `setup_tracing` was given an
endpoint. Names and attributes of spans hold no identifier of a point or a person.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import httpx
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:  # they import this module
    from eventlog.checkpoint import Claim
    from eventlog.envelope import Envelope
    from eventlog.projection import Applied, Projection, Run

TRACEPARENT: Final = "traceparent"
_HEADER: Final = TRACEPARENT.encode()
_QUIET: Final = frozenset({"/livez", "/readyz", "/metrics", "/projections"})
_LINK_LIMIT: Final = 64
_SERVER_ERROR: Final = 500
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_random: Final = random.SystemRandom()
_tracer: trace.Tracer | None = None


def setup_tracing(service: str, endpoint: str) -> None:
    """Export the spans of this process to `endpoint`, the base address of an OTLP/HTTP receiver; nothing where it is
    empty. Sampling and limits are those of OpenTelemetry's own variables (OTEL_TRACES_SAMPLER and so on)."""
    global _tracer  # a process has one, as it has one log
    if not endpoint:
        return
    # Imported only here: without an endpoint none of it is loaded, and no thread started.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    # Not made known to the whole process: web frameworks would make spans of their own, which hold paths and queries.
    _tracer = provider.get_tracer("kwartier")


def is_tracing() -> bool:
    """Whether spans are made in this process."""
    return _tracer is not None


def current_traceparent() -> str | None:
    """Return the trace that runs here as a `traceparent`; None outside of any."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(TRACEPARENT)


def current_trace_id() -> str | None:
    """Return the id of the trace that runs here, 32 hexadecimal digits; None outside of any."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


@contextmanager
def traced(
    name: str, *, kind: SpanKind = SpanKind.INTERNAL, parent: str | None = None, links: Sequence[str] = ()
) -> Iterator[Span]:
    """Go on with the trace of the traceparent `parent`; where that is none, or not valid, begin a new one.

    Where spans are made, this is one of them, with a link to each of `links` (traceparents). Its status says that an
    exception went through, and the class of it; never its message.
    """
    context = _context_of(parent)
    if _tracer is None:
        found = trace.get_current_span(context).get_span_context()
        with trace.use_span(NonRecordingSpan(found if found.is_valid else _new_context())) as span:
            yield span
        return
    with _tracer.start_as_current_span(
        name,
        context=context,
        kind=kind,
        links=[Link(found) for found in map(_span_context, links) if found.is_valid],
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_status(StatusCode.ERROR)
            span.set_attribute("error.type", type(error).__name__)
            raise


def _context_of(traceparent: str | None) -> Context:
    return _PROPAGATOR.extract({TRACEPARENT: traceparent}, Context()) if traceparent else Context()


def _span_context(traceparent: str) -> SpanContext:
    return trace.get_current_span(_context_of(traceparent)).get_span_context()


def _new_context() -> SpanContext:
    trace_id, span_id = _random.getrandbits(128) or 1, _random.getrandbits(64) or 1
    return SpanContext(trace_id=trace_id, span_id=span_id, is_remote=False)


class TraceMiddleware:
    """Goes on with the trace of each HTTP request, or begins one; what operations ask by the second has none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _QUIET:
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == _HEADER), b"").decode("latin-1")
        with traced("request", kind=SpanKind.SERVER, parent=given):
            await self._app(scope, receive, send)


def name_request(method: str, route: str, status: int) -> None:
    """Name the span of a request by its route template, and say how it ended."""
    span = trace.get_current_span()
    if span.is_recording():
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
        if status >= _SERVER_ERROR:
            span.set_status(StatusCode.ERROR)


async def pass_on(request: httpx.Request) -> None:
    """Send the trace along with a request to another service: an event hook of `httpx.AsyncClient`."""
    if (traceparent := current_traceparent()) is not None:
        request.headers[TRACEPARENT] = traceparent


@contextmanager
def applying(projection: str, envelope: Envelope) -> Iterator[None]:
    """Apply one event as a part of the trace that led to it; what is written meanwhile belongs to that trace too."""
    if envelope.traceparent is None and not is_tracing():
        yield
        return
    with traced(f"{projection} {envelope.event_type}", kind=SpanKind.CONSUMER, parent=envelope.traceparent) as span:
        span.set_attributes(_messaging(envelope.topic, envelope.partition))
        yield


def apply_run(projection: Projection, claim: Claim, run: Run) -> Applied:
    """Return `projection.apply(claim, run)`, made in a span of its own, which is linked to the traces that the records
    name, and is a part of it where that is only one. Costs nothing where no spans are made."""
    if not is_tracing():
        return projection.apply(claim, run)
    values = (dict(record.headers).get(TRACEPARENT) for record in run.records)
    given = list(dict.fromkeys(value.decode("latin-1") for value in values if value is not None))
    is_one = len({_span_context(each).trace_id for each in given}) == 1
    name, links = f"{projection.name} run", given[:_LINK_LIMIT]
    with traced(name, kind=SpanKind.CONSUMER, parent=given[0] if is_one else None, links=links) as span:
        span.set_attributes(_messaging(run.topic, run.partition))
        span.set_attribute("messaging.batch.message_count", len(run.records))
        return projection.apply(claim, run)


def _messaging(topic: str, partition: int) -> dict[str, str]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(partition),
    }
