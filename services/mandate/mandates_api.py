"""Mandates over HTTP: net users see and withdraw theirs, holders see theirs, operators those they ask for."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from eventlog.idempotency import KEY_LENGTH_LIMIT, MAX_COMMAND_BYTES, Answer
from eventlog.problems import Problem
from eventlog.trust import Authenticator, Caller, NotAllowed, require
from market.ean import Ean
from services.mandate import store
from services.mandate.answers import (
    ERRORS,
    READ_ERRORS,
    REFUSALS,
    MandatesAnswer,
    WithdrawalAnswer,
    mandate_state,
    refusal_answer,
)
from services.mandate.bodies import ContractNumberText, EanText, KboText
from services.mandate.desk import Desk
from services.mandate.domain.decision import WithdrawMandate
from services.mandate.handlers import Origin, withdraw

LIST_LIMIT: Final = 1000
Side = Literal["net_user", "holder", "operator"]
_SIDES: Final[tuple[Side, ...]] = ("operator", "holder", "net_user")


def mandates_router(desk: Desk, authenticator: Authenticator) -> APIRouter:
    """Return the routes about mandates."""
    router = APIRouter(tags=["mandates"])
    reader = Depends(require(authenticator, roles=_SIDES, scope="mandates.read"))
    net_user = Depends(require(authenticator, roles=("net_user",)))

    @router.get("/mandates", response_model=MandatesAnswer, responses=READ_ERRORS)
    async def list_mandates(
        caller: Caller = reader,
        side: Annotated[
            Side | None, Query(alias="as", description="As whom; left out: operator, holder, net user.")
        ] = None,
        ean: Annotated[EanText | None, Query(description="Only those of this point.")] = None,
        holder_kbo: Annotated[KboText | None, Query(description="Only those of this holder.")] = None,
        contract_number: Annotated[ContractNumberText | None, Query(description="Only those under it.")] = None,
        active: Annotated[bool, Query(description="Only those that give access now.")] = False,
        limit: Annotated[int, Query(ge=1, le=LIST_LIMIT, description="How many at most.")] = LIST_LIMIT,
    ) -> MandatesAnswer:
        """Mandates, the newest first: a net user's own, a holder's own, or an operator's choice by a filter."""
        wanted = await _whose(desk, caller, side)
        asked = {"ean": ean, "holder_kbo": holder_kbo, "contract_number": contract_number}
        named = {name: value for name, value in asked.items() if value is not None}
        if not wanted and not named:
            raise Problem(400, "ValidationError", "name a point, a holder or a contract")
        if "holder_kbo" in wanted and named.get("holder_kbo", wanted["holder_kbo"]) != wanted["holder_kbo"]:
            return MandatesAnswer(mandates=[], has_more=False)
        now = desk.clock()
        return await run_in_threadpool(_list, desk, {**named, **wanted}, now, active=active, limit=limit)

    @router.post(
        "/mandates/{ean}/{mandate_id}/withdrawal",
        response_model=WithdrawalAnswer,
        responses=ERRORS,
        max_body_size=MAX_COMMAND_BYTES,
    )
    async def withdraw_mandate(
        ean: EanText,
        mandate_id: UUID,
        caller: Caller = net_user,
        idempotency_key: str | None = Header(default=None, max_length=KEY_LENGTH_LIMIT),
    ) -> JSONResponse:
        """Take a mandate back; it gives nothing from now on. The same words for an unknown one and another's."""
        known = await desk.net_user(caller)

        def work(tx: Connection, origin: Origin) -> Answer:
            command = WithdrawMandate(mandate_id=mandate_id, net_user_ids=known.net_user_ids, now=origin.now)
            try:
                events = withdraw(tx, Ean(ean), command, origin)
            except REFUSALS as refusal:
                return refusal_answer(refusal)
            outcome: Literal["withdrawn", "unchanged"] = "withdrawn" if events else "unchanged"
            answer = WithdrawalAnswer(ean=ean, mandate_id=mandate_id, outcome=outcome)
            return Answer(HTTPStatus.OK, answer.model_dump(mode="json"))

        return await desk.answer_later(work, caller, idempotency_key, {"ean": ean, "mandate_id": str(mandate_id)})

    return router


async def _whose(desk: Desk, caller: Caller, side: Side | None) -> dict[str, Any]:
    """Return whose mandates the caller may see; empty for an operator, who sees any.

    Raises:
        NotAllowed: the caller is not what they ask as, or a holder's person without its number.
    """
    chosen = side or next(each for each in _SIDES if each in caller.roles)
    if chosen not in caller.roles:
        raise NotAllowed
    match chosen:
        case "operator":
            return {}
        case "holder":
            if not caller.is_person or not caller.kbo:
                raise NotAllowed
            return {"holder_kbo": caller.kbo}
        case "net_user":
            known = await desk.net_user(caller)
            return {"net_user_ids": known.net_user_ids}


def _list(desk: Desk, wanted: dict[str, Any], now: datetime, *, active: bool, limit: int) -> MandatesAnswer:
    with desk.engine.begin() as tx:
        rows = store.find_mandates(tx, **wanted, active_at=now if active else None, limit=limit + 1)
    states = [mandate_state(row, now) for row in rows[:limit]]
    return MandatesAnswer(mandates=states, has_more=len(rows) > limit)
