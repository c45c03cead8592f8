"""Paths of the data access API in any case, and still measured under their own names."""

from __future__ import annotations

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client import REGISTRY

from eventlog.metrics import MetricsMiddleware
from services.export.wire import LIVE, AnyCase

SERVICE = "export of test_export_wire"


def create_app() -> MetricsMiddleware:
    app = FastAPI()
    router = APIRouter(prefix=f"{LIVE}/api")

    @router.get("/mandate/energy")
    async def energy() -> str:
        return "energy"

    app.include_router(router)
    app.add_middleware(AnyCase)
    return MetricsMiddleware(app, service=SERVICE)


def counted(route: str) -> float:
    labels = {"service": SERVICE, "route": route, "method": "GET", "status": "200"}
    return REGISTRY.get_sample_value("http_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    "path",
    ["/esco-live/v3/api/mandate/energy", "/ESCO-live/v3/API/Mandate/Energy", "/esco-live/v3/api/mandate/energy/"],
)
async def test_a_path_in_any_case_is_found_and_measured_under_its_own_name(path: str) -> None:
    before = counted("/esco-live/v3/api/mandate/energy")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app()), base_url="http://export.test") as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (200, "energy")
    assert counted("/esco-live/v3/api/mandate/energy") == before + 1
    assert counted("unmatched") == 0
