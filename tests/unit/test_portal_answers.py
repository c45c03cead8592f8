"""What the portal tells browsers, and what it makes of export's answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.portal.exports import Export, NoData
from services.portal.neighbours import NotAllowed, ServiceAway, TokenRefused
from services.portal.periods import Period, View
from services.portal.rendering import STATIC, ean_groups, kbo_groups, places, static_address
from services.portal.security import SecurityHeaders, is_local_path, let_forms_lead_to, path_or_home
from services.portal.sessions import Role

DAY = Period(View.DAY, date(2026, 11, 19), date(2026, 11, 19))
EAN = "541448800000000017"


@pytest.mark.parametrize("path", ["/", "/points/541448800000000017/day/2026-11-19", "/?q=17", "/a//b"])
def test_our_own_paths_may_be_returned_to(path: str) -> None:
    assert is_local_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "https://elsewhere.example",
        "elsewhere",
        "/\t/x",
        "/\n//x",
        "/a\\b",
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(path: str) -> None:
    assert path_or_home(path) == "/"


async def test_every_answer_forbids_what_a_page_does_not_need() -> None:
    async def page(_: Request) -> Response:
        return PlainTextResponse("page")

    inner = Starlette(routes=[Route("/", page), Route("/static/x.css", page)])
    app = SecurityHeaders(inner, issuer="https://sign-in.example", is_secure=True)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://portal.example") as client:
        for path in ("/", "/none"):
            headers = (await client.get(path)).headers
            assert headers["content-security-policy"] == (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                "form-action 'self' https://sign-in.example; frame-ancestors 'none'; base-uri 'none'"
            )
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "max-age" in headers["strict-transport-security"]
        assert (await client.get("/static/x.css")).headers["cache-control"] == "public, max-age=86400"


async def test_a_page_may_let_its_form_lead_to_one_more_origin_and_no_other_page_does() -> None:
    async def consent(request: Request) -> Response:
        let_forms_lead_to(request, "http://127.0.0.1:9000/done?x=1")
        let_forms_lead_to(request, "https://holder.example/failed")
        return PlainTextResponse("page")

    async def page(_: Request) -> Response:
        return PlainTextResponse("page")

    inner = Starlette(routes=[Route("/", page), Route("/consent", consent)])
    app = SecurityHeaders(inner, issuer="https://sign-in.example", is_secure=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://portal") as client:
        first, other = (await client.get("/consent")).headers, (await client.get("/")).headers
    targets = "form-action 'self' https://sign-in.example http://127.0.0.1:9000 https://holder.example;"
    assert targets in first["content-security-policy"]
    assert "form-action 'self' https://sign-in.example;" in other["content-security-policy"]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://a b/", "https://x;script-src *", "//x/", ""])
def test_no_form_leads_to_what_would_change_the_policy(address: str) -> None:
    with pytest.raises(ValueError):
        let_forms_lead_to(Request({"type": "http"}), address)


def test_people_go_between_the_pages_of_all_their_roles() -> None:
    assert places([Role.OPERATOR]) == [("/points", "nav_points"), ("/live", "nav_live")]
    assert places([Role.HOLDER, Role.NET_USER]) == [
        ("/my-mandates", "nav_mandates"),
        ("/points", "nav_points"),
        ("/my-points", "nav_my_points"),
    ]


def test_an_enterprise_number_is_written_as_enterprises_do() -> None:
    assert kbo_groups("0999975176") == "0999.975.176"


def test_static_files_have_an_address_that_changes_with_their_content() -> None:
    for file in STATIC.iterdir():
        assert static_address(file.name).startswith(f"/static/{file.name}?v=")


def test_the_groups_of_an_ean_are_its_digits() -> None:
    assert ean_groups(EAN) == ["5414", "4880", "0000", "0000", "17"]


@asynccontextmanager
async def export_that_answers(status: int, body: bytes = b"") -> AsyncIterator[tuple[Export, list[Request]]]:
    """Export as far as the portal knows it: one answer to everything, and what it was asked."""
    asked: list[Request] = []

    async def answer(request: Request) -> Response:
        asked.append(request)
        headers = {"Content-Disposition": 'attachment; filename="a.csv"', "Content-Type": "text/csv; charset=utf-8"}
        return Response(body, status_code=status, headers=headers)

    app = Starlette(routes=[Route("/{path:path}", answer)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        yield Export(client, "http://export/"), asked


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, TokenRefused),
        (403, NotAllowed),
        (429, ServiceAway),
        (500, ServiceAway),
        (503, ServiceAway),
        (400, RuntimeError),
    ],
)
async def test_what_export_refuses_has_a_name(status: int, error: type[Exception]) -> None:
    async with export_that_answers(status) as (export, _):
        with pytest.raises(error):
            await export.points("token")
        with pytest.raises(error):
            await export.readings("token", EAN, DAY, "quarter")
        with pytest.raises(error):
            await export.csv("token", EAN, DAY, "quarter", "nl")


async def test_no_data_is_no_points_no_readings_and_no_file() -> None:
    async with export_that_answers(404) as (export, _):
        assert await export.points("token") == []
        assert await export.readings("token", EAN, DAY, "quarter") is None
        with pytest.raises(NoData):
            await export.csv("token", EAN, DAY, "quarter", "nl")


async def test_export_is_asked_with_the_token_of_the_person_and_its_file_is_passed_on_byte_for_byte() -> None:
    body = b"\xef\xbb\xbfVan (datum);\r\n"
    async with export_that_answers(200, body) as (export, asked):
        file = await export.csv("a-token", EAN, DAY, "quarter", "fr")
    assert (file.body, file.content_type) == (body, "text/csv; charset=utf-8")
    assert file.disposition == 'attachment; filename="a.csv"'
    (request,) = asked
    assert request.headers["authorization"] == "Bearer a-token"
    assert dict(request.query_params) == {
        "ean": EAN,
        "from": "2026-11-19",
        "to": "2026-11-19",
        "granularity": "quarter",
        "lang": "fr",
    }


async def test_an_answer_in_a_foreign_shape_is_export_being_away() -> None:
    async with export_that_answers(200, b"<html>") as (export, _):
        with pytest.raises(ServiceAway):
            await export.points("token")


async def test_export_without_an_address_is_away() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(ServiceAway):
            await Export(client, "http://127.0.0.1:9").points("token")
