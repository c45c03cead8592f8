"""What every request needs: the database, the register, time, ids and chance; all from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine
from starlette.responses import JSONResponse

from eventlog.idempotency import Answer, answer_once, request_key
from eventlog.trust import Caller, NotAllowed
from services.mandate.handlers import Origin
from services.mandate.register_client import NetUser, RegisterClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where requests are taken. `clock` gives the time in UTC; `new_session_id` one that nobody can guess."""

    engine: Engine
    register: RegisterClient
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    new_session_id: Callable[[], str]
    allows_loopback_returns: bool = False

    def answer(
        self,
        work: Callable[[Connection, Origin], Answer],
        caller: Caller,
        idempotency_key: str | None,
        command: Mapping[str, Any],
    ) -> JSONResponse:
        """Return what `work` answers in one transaction, or answered before to the same `command` with the same key."""
        origin = Origin(now=self.clock(), correlation_id=self.new_id())
        request = request_key(caller, idempotency_key, command)
        answer = answer_once(self.engine, lambda tx: work(tx, origin), request=request, now=origin.now)
        return JSONResponse(dict(answer.body), status_code=answer.status)

    async def answer_later(
        self,
        work: Callable[[Connection, Origin], Answer],
        caller: Caller,
        idempotency_key: str | None,
        command: Mapping[str, Any],
    ) -> JSONResponse:
        """`answer` in a thread, for who asked the register before."""
        return await asyncio.to_thread(self.answer, work, caller, idempotency_key, command)

    async def net_user(self, caller: Caller) -> NetUser:
        """Return who `caller`, a person, is to the register: an enterprise by its number, else by the reference.

        Raises:
            NotAllowed: no person, or one of whom the issuer says neither.
            RegisterUnavailable: the register does not answer.
        """
        if not caller.is_person or not (caller.kbo or caller.person_ref):
            raise NotAllowed
        return await self.register.lookup(person_ref=caller.person_ref, kbo=caller.kbo)
