"""Mandate's API in this process, on a real database, beside a register that says what a test tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI, Request
from sqlalchemy import Engine
from starlette.responses import JSONResponse, Response

from eventlog import event_store
from eventlog.events import Event
from eventlog.service_token import ServiceToken
from services.mandate.api import create_api
from services.mandate.desk import Desk
from services.mandate.register_client import RegisterClient
from tests.callers import authenticator, machine, person
from tests.examples import CONTRACT, HOLDER_KBO, HOUSE, NOON
from tests.mandate_examples import NET_USER

OPERATOR = machine(
    "kwartier", role="operator", audience="mandate", scope="contracts.write contracts.read mandates.read"
)
EXPORT = machine("export", role="service", audience="mandate", scope="sessions.write")
PORTAL = machine("portal", role="service", audience="mandate", scope="sessions.read")
ANNA = person("anna", role="net_user", person_ref="p-anna")
BAKER = person("baker", role="net_user", kbo="0200000043")
HOLDER = person("holder", role="holder", kbo=HOLDER_KBO)

CONTRACT_BODY = {"contract_number": CONTRACT, "holder_kbo": HOLDER_KBO, "valid_from": "2026-01-01"}
SESSION_BODY: dict[str, Any] = {
    "contract_number": CONTRACT,
    "holder_kbo": HOLDER_KBO,
    "reference_number": "order-1",
    "flow": "B2C",
    "services": [{"type": "VH_kwartier_uur", "from": "2026-01-01"}, {"type": "IG", "from": None, "to": None}],
    "number_of_eans": 2,
}


def use(ean: str = HOUSE, *, net_user_id: UUID = NET_USER, **changes: Any) -> dict[str, Any]:
    """A net user's time at a point, as the register answers it."""
    known = {"ean": ean, "energy": "E", "meter_kind": "DIGITAL", "net_user_id": str(net_user_id), "is_whole": True}
    times = {"allocation_points": ["1"], "first_on": date(2026, 3, 1).isoformat(), "last_on": None}
    return {**known, **times, **changes}


@dataclass
class Room:
    """What a test sees of mandate; `people` is what the register knows, `now` what the clock shows."""

    engine: Engine
    people: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"p-anna": [use()]})
    now: datetime = NOON
    register_is_down: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    client: httpx.AsyncClient = field(init=False)

    def events(self, stream_id: str) -> list[Event]:
        """What was written on a stream."""
        with self.engine.begin() as tx:
            return event_store.load(tx, stream_id)[0]

    def ids(self, reference: str) -> list[str]:
        """The ids of a net user in the register."""
        return sorted({each["net_user_id"] for each in self.people.get(reference, [])})

    async def post(self, path: str, body: Any, headers: dict[str, str], **more: str) -> httpx.Response:
        """Send a command."""
        return await self.client.post(path, json=body, headers={**headers, **more})

    async def open(self, **changes: Any) -> str:
        """Sign the contract if need be, open a session, and return its id."""
        await self.post("/contracts", CONTRACT_BODY, OPERATOR)
        answer = await self.post("/sessions", {**SESSION_BODY, **changes}, EXPORT)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["session_id"])

    async def grant(self, *eans: str, caller: dict[str, str] = ANNA, **changes: Any) -> list[dict[str, Any]]:
        """Open a session, consent to everything, and return the mandates."""
        session_id = await self.open(**changes)
        answer = await self.post(f"/sessions/{session_id}/consent", {"eans": list(eans) or [HOUSE]}, caller)
        assert answer.status_code == 201, answer.text
        return list(answer.json()["mandates"])

    async def mandates(self, headers: dict[str, str], **query: str) -> list[dict[str, Any]]:
        """The list of mandates as one caller sees it."""
        answer = await self.client.get("/mandates", params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["mandates"])


def _register(room: Room) -> FastAPI:
    app = FastAPI()

    @app.post("/net-users/lookup")
    async def lookup(request: Request) -> Response:
        if room.register_is_down:
            return JSONResponse({}, status_code=503)
        assert request.headers["authorization"] == "Bearer mandate's token"
        question = await request.json()
        room.asked.append(question)
        ((_, reference),) = question.items()
        return JSONResponse({"net_user_ids": room.ids(reference), "points": room.people.get(reference, [])})

    return app


class _Token(ServiceToken):
    """A token that no issuer has to give."""

    async def bearer(self, audience: str, scope: str) -> str:
        assert (audience, scope) == ("register", "net-users.read")
        return "mandate's token"


@asynccontextmanager
async def mandate_room(engine: Engine) -> AsyncIterator[Room]:
    """Open the room on `engine`."""
    room = Room(engine)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(_register(room)), base_url="http://register"
    ) as register:
        desk = Desk(
            engine=engine,
            register=RegisterClient(base_url="http://register", token=_Token("", "mandate", ""), http=register),
            clock=lambda: room.now.astimezone(UTC),
            new_id=uuid4,
            new_session_id=lambda: uuid4().hex,
        )
        app = create_api(desk, authenticator("mandate"))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://mandate.test") as room.client:
            yield room
