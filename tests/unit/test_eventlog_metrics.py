"""Metrics of HTTP: by route template, so that no identifier gets into a label; each request once."""

from __future__ import annotations

import logging
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from eventlog import metrics
from eventlog.metrics import MetricsMiddleware

EAN = "541448800000000017"


@pytest.fixture
def service() -> str:
    return f"service-{uuid4()}"


async def ask(app: ASGIApp, method: str, path: str) -> int:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return (await client.request(method, path)).status_code


def requests_of(service: str) -> dict[tuple[str, str, str], float]:
    return {
        (sample.labels["route"], sample.labels["method"], sample.labels["status"]): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "http_requests_total" and sample.labels["service"] == service
    }


def application() -> FastAPI:
    app, router = FastAPI(), APIRouter(prefix="/points")

    @router.get("/{ean}")
    async def point(ean: str) -> str:
        return ean

    @app.get("/broken")
    async def broken() -> str:
        raise KeyError("ours")

    app.include_router(router)
    app.include_router(router, prefix="/v2")
    return app


async def test_a_request_counts_by_its_template(service: str) -> None:
    app = MetricsMiddleware(application(), service=service)
    assert await ask(app, "GET", f"/points/{EAN}?from=2026-01-01") == 200
    assert await ask(app, "GET", f"/points/{EAN}") == 200
    assert await ask(app, "POST", f"/points/{EAN}") == 405
    assert await ask(app, "GET", f"/nowhere/{EAN}") == 404
    assert await ask(app, "GET", "/broken") == 500
    assert await ask(app, "BREW", f"/points/{EAN}") == 405
    assert requests_of(service) == {
        ("/points/{ean}", "GET", "200"): 2.0,
        ("/points/{ean}", "POST", "405"): 1.0,
        ("unmatched", "GET", "404"): 1.0,
        ("/broken", "GET", "500"): 1.0,
        ("/points/{ean}", "other", "405"): 1.0,
    }


async def test_a_router_counts_with_the_prefix_it_is_included_under(service: str) -> None:
    await ask(MetricsMiddleware(application(), service=service), "GET", f"/v2/points/{EAN}")
    assert requests_of(service) == {("/v2/points/{ean}", "GET", "200"): 1.0}


async def test_a_mounted_application_counts_too(service: str) -> None:
    async def answer(request: Request) -> Response:
        return PlainTextResponse("yes")

    inner = Starlette(routes=[Route("/files/{name}", answer)])
    app = MetricsMiddleware(Starlette(routes=[Mount("/inner", inner), Mount("/static", answer)]), service=service)
    assert await ask(app, "GET", f"/inner/files/{EAN}") == 200
    assert requests_of(service) == {("/inner/files/{name}", "GET", "200"): 1.0}


async def test_a_request_wrapped_twice_counts_once(service: str) -> None:
    app = application()
    app.add_middleware(MetricsMiddleware, service=service)
    await ask(MetricsMiddleware(app, service=service), "GET", f"/points/{EAN}")
    assert requests_of(service) == {("/points/{ean}", "GET", "200"): 1.0}


async def test_the_log_of_a_request_has_no_identifier(service: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "kwartier.http"):
        await ask(MetricsMiddleware(application(), service=service), "GET", f"/points/{EAN}?token=secret")
    (logged,) = [each for each in caplog.records if each.name == "kwartier.http"]
    assert logged.getMessage() == "GET /points/{ean} 200"
    assert EAN not in str(logged.__dict__)
    assert "secret" not in str(logged.__dict__)


def test_every_metric_says_what_it_is() -> None:
    ours = [each for each in vars(metrics).values() if hasattr(each, "_documentation")]
    assert len(ours) > 10
    assert all(len(each._documentation) > 40 for each in ours)
    assert not [each for each in ours if "ean" in each._labelnames]
