"""Every error is answered with one body, and says its letters."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from eventlog.problems import Problem, answer_problems

JSON = "application/json; charset=utf-8"


def create_client() -> httpx.AsyncClient:
    app = FastAPI()
    answer_problems(app)

    @app.get("/busy")
    async def busy() -> None:
        raise Problem(503, "Busy", "try again", headers={"Retry-After": "2"})

    @app.get("/count")
    async def count(number: int) -> int:
        return number

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a secret")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://export.test")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/busy", 503, "Busy"),
        ("GET", "/count?number=x", 400, "ValidationError"),
        ("GET", "/nowhere", 404, "NotFound"),
        ("DELETE", "/busy", 405, "MethodNotAllowed"),
        ("GET", "/broken", 500, "InternalError"),
    ],
)
async def test_every_error_has_the_one_body_in_utf_8(method: str, path: str, status: int, code: str) -> None:
    async with create_client() as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["Code"], answer.headers["content-type"]) == (status, code, JSON)
    assert "secret" not in answer.text


async def test_an_error_keeps_its_headers() -> None:
    async with create_client() as client:
        answer = await client.get("/busy")
    assert answer.headers["retry-after"] == "2"
