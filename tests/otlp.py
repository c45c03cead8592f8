"""The other end of tracing: an OTLP/HTTP receiver that keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Receiver:
    """Spans by the name of the service that sent them; `url` is what TRACING_OTLP_ENDPOINT is to be."""

    url: str
    bodies: list[bytes] = field(default_factory=list)

    def spans(self, service: str, trace_id: str) -> dict[str, Span]:
        """The spans of one trace that `service` sent, by name."""
        found = [(name, span) for name, span in self.all_spans() if span.trace_id.hex() == trace_id]
        return {span.name: span for name, span in found if name == service}

    def all_spans(self) -> list[tuple[str, Span]]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in list(self.bodies)]
        return [
            (str(each.resource.attributes[_place(each)].value.string_value), span)
            for request in requests
            for each in request.resource_spans
            for scope in each.scope_spans
            for span in scope.spans
        ]


def _place(each: object) -> int:
    keys = [attribute.key for attribute in each.resource.attributes]  # type: ignore[attr-defined]
    return keys.index("service.name")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                receiver.bodies.append(body)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
