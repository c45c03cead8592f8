"""The trace context: what came is kept, what is missing or damaged is begun anew; off, it costs nothing."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from eventlog.logs import JsonFormatter
from eventlog.metrics import MetricsMiddleware
from eventlog.tracing import TraceMiddleware, current_traceparent, pass_on, traced

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WELL_FORMED = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


async def asked(path: str = "/", **headers: str) -> str:
    """What runs inside of a request."""

    async def show(request: Request) -> PlainTextResponse:
        return PlainTextResponse(current_traceparent() or "none")

    app = Starlette(routes=[Route("/", show), Route("/readyz", show)])
    measured = TraceMiddleware(MetricsMiddleware(app, service="metering"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(measured), base_url="http://test") as http:
        return (await http.get(path, headers=headers)).text


async def test_a_trace_that_came_is_kept() -> None:
    assert await asked(traceparent=GIVEN) == GIVEN


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "541448800000000017",
    ],
)
async def test_one_that_is_none_is_replaced(damaged: str) -> None:
    begun = await asked(traceparent=damaged)
    assert WELL_FORMED.fullmatch(begun)
    assert begun[3:35] not in damaged


async def test_each_request_without_one_begins_its_own() -> None:
    first, second = await asked(), await asked()
    assert WELL_FORMED.fullmatch(first)
    assert first[3:35] != second[3:35]


async def test_a_probe_has_no_trace() -> None:
    assert await asked("/readyz", traceparent=GIVEN) == "none"


async def test_a_call_to_another_service_takes_the_trace_along() -> None:
    seen: list[httpx.Headers] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200)

    hooks = {"request": [pass_on]}
    async with httpx.AsyncClient(transport=httpx.MockTransport(note), event_hooks=hooks) as http:
        with traced("a request", parent=GIVEN):
            await http.get("http://register")
        await http.get("http://register")
    assert seen[0]["traceparent"] == GIVEN
    assert "traceparent" not in seen[1]


def test_a_line_of_the_log_names_the_trace_it_belongs_to() -> None:
    record = logging.LogRecord("services.metering", logging.INFO, __file__, 1, "done", (), None)
    with traced("a request", parent=GIVEN):
        inside = json.loads(JsonFormatter("metering").format(record))
    outside = json.loads(JsonFormatter("metering").format(record))
    assert inside["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert "trace_id" not in outside


OFF = """
import sys, threading
from eventlog.tracing import is_tracing, setup_tracing
setup_tracing("metering", "")
print(is_tracing(), threading.active_count(), "opentelemetry.sdk.trace" in sys.modules)
"""


def test_without_an_endpoint_no_exporter_is_loaded_and_no_thread_runs() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", OFF], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "False 1 False\n"
