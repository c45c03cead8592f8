"""How the portal asks mandate and the register, and what it makes of their refusals."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eventlog.service_token import ServiceToken
from services.portal.mandate_client import ConsentRefused, MandateClient
from services.portal.neighbours import Neighbour, NotAllowed, OwnCalls, ServiceAway, TokenRefused
from services.portal.register_client import RegisterClient
from services.portal.sessions import Role, Viewer

HOME, LINK = "541448800000000017", "aaaaaaaaaaaaaaaaaaaaaa"
MANDATE = UUID("11111111-1111-4111-8111-111111111111")


class OwnToken(ServiceToken):
    """Says for what it was asked."""

    def __init__(self) -> None:
        """Without an issuer."""

    async def bearer(self, audience: str, scope: str) -> str:
        return f"own:{audience}/{scope}"


class NoToken(OwnToken):
    """The issuer is away."""

    async def bearer(self, audience: str, scope: str) -> str:
        raise httpx.ConnectError("nobody there")


def viewer(**more: str) -> Viewer:
    return Viewer(name="Anouk", token="hers", form_token="form", roles=(Role.NET_USER,), **more)


@asynccontextmanager
async def services_that_answer(
    status: int, body: Any = None, *, token: ServiceToken | None = None
) -> AsyncIterator[tuple[MandateClient, RegisterClient, list[tuple[Request, bytes]]]]:
    """Mandate and the register as far as the portal knows them: one answer to everything, and what they were asked."""
    asked: list[tuple[Request, bytes]] = []

    async def answer(request: Request) -> Response:
        asked.append((request, await request.body()))
        return Response(json.dumps(body) if body is not None else b"", status_code=status)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        mandate, register = Neighbour(client, "mandate", "http://m/"), Neighbour(client, "register", "http://r")
        own = token or OwnToken()
        yield (
            MandateClient(mandate, OwnCalls(mandate, own, audience="mandate", scope="sessions.read")),
            RegisterClient(OwnCalls(register, own, audience="register", scope="net-users.read")),
            asked,
        )


async def test_a_consent_is_given_with_the_persons_own_token_and_a_key() -> None:
    async with services_that_answer(201, {"outcome": "granted"}) as (mandate, _, asked):
        await mandate.consent("hers", LINK, [HOME], key="attempt-1")
    ((request, body),) = asked
    assert request.url.path == f"/sessions/{LINK}/consent"
    assert (request.headers["authorization"], request.headers["idempotency-key"]) == ("Bearer hers", "attempt-1")
    assert json.loads(body) == {"eans": [HOME]}


@pytest.mark.parametrize(
    ("status", "code"), [(404, "NoSuchSession"), (409, "LinkSpent"), (409, "NotNetUser"), (409, "ConsentRefused")]
)
async def test_a_refused_consent_has_the_reason_of_mandate(status: int, code: str) -> None:
    async with services_that_answer(status, {"Type": "x", "Code": code, "Message": "words"}) as (mandate, _, _):
        with pytest.raises(ConsentRefused) as refused:
            await mandate.consent("hers", LINK, [HOME], key="attempt-1")
    assert refused.value.code == code


async def test_a_link_is_asked_for_as_the_portal_itself() -> None:
    async with services_that_answer(404, {}) as (mandate, _, asked):
        assert await mandate.link(LINK) is None
    assert asked[0][0].headers["authorization"] == "Bearer own:mandate/sessions.read"


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_who_does_not_know_the_portal_is_away(status: int) -> None:
    async with services_that_answer(status) as (mandate, register, _):
        with pytest.raises(ServiceAway):
            await mandate.link(LINK)
        with pytest.raises(ServiceAway):
            await register.points(viewer(person_ref="anouk"))


async def test_without_a_token_of_its_own_the_portal_asks_nothing() -> None:
    async with services_that_answer(200, {}, token=NoToken()) as (mandate, _, asked):
        with pytest.raises(ServiceAway):
            await mandate.link(LINK)
    assert asked == []


@pytest.mark.parametrize(("status", "error"), [(401, TokenRefused), (403, NotAllowed), (503, ServiceAway)])
async def test_what_mandate_refuses_a_person_has_a_name(status: int, error: type[Exception]) -> None:
    async with services_that_answer(status) as (mandate, _, _):
        with pytest.raises(error):
            await mandate.mandates("hers", "net_user")
        with pytest.raises(error):
            await mandate.withdraw("hers", HOME, MANDATE)


async def test_a_refusal_never_names_the_point() -> None:
    async with services_that_answer(418) as (mandate, _, _):
        with pytest.raises(RuntimeError) as error:
            await mandate.withdraw("hers", HOME, MANDATE)
    assert HOME not in str(error.value)


async def test_mandates_are_asked_for_as_what_the_person_is_here() -> None:
    async with services_that_answer(200, {"mandates": [], "has_more": True}) as (mandate, _, asked):
        listed = await mandate.mandates("hers", "holder", ean=HOME)
    assert (listed.mandates, listed.is_cut) == ([], True)
    assert dict(asked[0][0].query_params) == {"as": "holder", "limit": "1000", "ean": HOME}


async def test_a_mandate_that_is_not_theirs_cannot_be_withdrawn() -> None:
    async with services_that_answer(404, {"Code": "NoSuchMandate"}) as (mandate, _, _):
        assert not await mandate.withdraw("hers", HOME, MANDATE)


@pytest.mark.parametrize(
    ("known_by", "question"),
    [
        ({"person_ref": "anouk"}, {"person_ref": "anouk"}),
        ({"kbo": "0999975176"}, {"kbo": "0999975176"}),
        ({"person_ref": "anouk", "kbo": "0999975176"}, {"kbo": "0999975176"}),
    ],
)
async def test_the_register_is_asked_about_the_enterprise_or_else_the_person(
    known_by: dict[str, str], question: dict[str, str]
) -> None:
    async with services_that_answer(200, {"net_user_ids": [], "points": []}) as (_, register, asked):
        assert await register.points(viewer(**known_by)) == []
    assert json.loads(asked[0][1]) == question


async def test_who_is_known_as_nobody_is_not_looked_up() -> None:
    async with services_that_answer(200, {}) as (_, register, asked):
        with pytest.raises(NotAllowed):
            await register.points(viewer())
    assert asked == []


async def test_answers_in_a_foreign_shape_are_the_service_being_away() -> None:
    async with services_that_answer(200, ["something else"]) as (mandate, register, _):
        with pytest.raises(ServiceAway):
            await mandate.link(LINK)
        with pytest.raises(ServiceAway):
            await mandate.mandates("hers", "net_user")
        with pytest.raises(ServiceAway):
            await register.points(viewer(person_ref="anouk"))
