"""Consent sessions over HTTP: export opens them, portal shows them, a net user consents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from sqlalchemy import Connection
from starlette.responses import JSONResponse

from eventlog.events import ConsentSessionOpened, Event, MandateGranted
from eventlog.idempotency import KEY_LENGTH_LIMIT, MAX_COMMAND_BYTES, Answer
from eventlog.trust import Authenticator, Caller, require
from market.ean import Ean
from market.kbo import Kbo
from services.mandate import store
from services.mandate.answers import (
    ERRORS,
    READ_ERRORS,
    REFUSALS,
    ConsentAnswer,
    GrantedMandate,
    SessionAnswer,
    SessionState,
    no_such_session,
    refusal_answer,
)
from services.mandate.bodies import ConsentBody, SessionBody
from services.mandate.desk import Desk
from services.mandate.domain.consent import Consent
from services.mandate.domain.contract import ContractNumber
from services.mandate.domain.session import DataServiceType, OpenSession, ReferenceNumber, SessionId, parse_services
from services.mandate.handlers import Origin, consent, open_session
from services.mandate.register_client import NetUser

_SESSION_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_COMMAND: Final[dict[str, Any]] = {
    "status_code": HTTPStatus.CREATED,
    "responses": ERRORS,
    "max_body_size": MAX_COMMAND_BYTES,
}


def sessions_router(desk: Desk, authenticator: Authenticator) -> APIRouter:
    """Return the routes about consent sessions."""
    router = APIRouter(tags=["consent"])
    export = Depends(require(authenticator, roles=("service",), scope="sessions.write", subject="export"))
    portal = Depends(require(authenticator, roles=("service",), scope="sessions.read", subject="portal"))
    net_user = Depends(require(authenticator, roles=("net_user",)))

    @router.post("/sessions", response_model=SessionAnswer, **_COMMAND)
    def open_consent_session(
        body: SessionBody,
        caller: Caller = export,
        idempotency_key: str | None = Header(default=None, max_length=KEY_LENGTH_LIMIT),
    ) -> JSONResponse:
        """Open a consent session for a holder; its link is good once, for fourteen days."""
        session_id = desk.new_session_id()

        def work(tx: Connection, origin: Origin) -> Answer:
            try:
                events = open_session(tx, _opening(body, session_id, origin.now), origin)
            except REFUSALS as refusal:
                return refusal_answer(refusal)
            (opened,) = [each for each in events if isinstance(each, ConsentSessionOpened)]
            answer = SessionAnswer(session_id=session_id, valid_to=opened.valid_to)
            return Answer(HTTPStatus.CREATED, answer.model_dump(mode="json"))

        return desk.answer(work, caller, idempotency_key, body.command())

    @router.get("/sessions/{session_id}", response_model=SessionState, responses={**READ_ERRORS, 404: ERRORS[404]})
    def read_session(session_id: str, _: Caller = portal) -> SessionState:
        """What a consent page shows, also when the link is used or its time is over."""
        known_id = _session_id(session_id)
        with desk.engine.begin() as tx:
            row = store.find_session(tx, known_id)
        if row is None:
            raise no_such_session()
        return _state(row, desk.clock())

    @router.post("/sessions/{session_id}/consent", response_model=ConsentAnswer, **_COMMAND)
    async def give_consent(
        session_id: str,
        body: ConsentBody,
        caller: Caller = net_user,
        idempotency_key: str | None = Header(default=None, max_length=KEY_LENGTH_LIMIT),
    ) -> JSONResponse:
        """Grant what the holder asked for, on points where the caller is the net user: all of it, or nothing.

        `NotNetUser`: another would have to agree, and that route is not there yet. `LinkSpent`: used, or too old.
        """
        known_id = _session_id(session_id)
        known = await desk.net_user(caller)
        work = _consenting(known_id, body, caller, known, desk.new_id)
        return await desk.answer_later(work, caller, idempotency_key, body.command(session_id=session_id))

    return router


def _session_id(text: str) -> SessionId:
    """Return `text` as the id of a link; what was never one (it may hold a NUL) is a link that nobody gave out."""
    if not _SESSION_ID.fullmatch(text):
        raise no_such_session()
    return SessionId(text)


def _opening(body: SessionBody, session_id: str, now: datetime) -> OpenSession:
    return OpenSession(
        session_id=SessionId(session_id),
        contract_number=ContractNumber(body.contract_number),
        holder_kbo=Kbo(body.holder_kbo),
        reference_number=ReferenceNumber(body.reference_number),
        flow=body.flow,
        services=tuple(each.to_service() for each in body.services),
        number_of_eans=body.number_of_eans or 1,
        return_url_success=body.return_url_success or "",
        return_url_failed=body.return_url_failed or "",
        enterprise_number=body.enterprise_number or "",
        now=now,
    )


def _consenting(
    session_id: SessionId, body: ConsentBody, caller: Caller, known: NetUser, new_id: Callable[[], UUID]
) -> Callable[[Connection, Origin], Answer]:
    eans = tuple(Ean(each) for each in body.eans)

    def work(tx: Connection, origin: Origin) -> Answer:
        row = store.find_session(tx, session_id)
        asked = [] if row is None else [each.type for each in parse_services(row["services"])]
        types: tuple[DataServiceType, ...] = tuple(asked if body.services is None else body.services)
        wish = Consent(eans=eans, types=types, kbo=caller.kbo, now=origin.now)
        mandate_ids = {(ean, each): new_id() for ean in eans for each in types}
        try:
            events = consent(tx, session_id, wish, known.uses, mandate_ids, origin)
        except REFUSALS as refusal:
            return refusal_answer(refusal)
        success = "" if row is None else row["return_url_success"]
        answer = ConsentAnswer(
            session_id=session_id, outcome="granted", mandates=_granted(events), return_url_success=success
        )
        return Answer(HTTPStatus.CREATED, answer.model_dump(mode="json"))

    return work


def _granted(events: list[Event]) -> list[GrantedMandate]:
    return [
        GrantedMandate(
            ean=each.ean,
            mandate_id=each.mandate_id,
            data_service_type=each.data_service_type,
            expires_at=each.expires_at,
        )
        for each in events
        if isinstance(each, MandateGranted)
    ]


def _state(row: dict[str, Any], now: datetime) -> SessionState:
    state = "used" if row["used_at"] is not None else "open" if now < row["valid_to"] else "expired"
    return SessionState.model_validate({**row, "services": json.loads(row["services"]), "state": state})
