"""`/indexes`: indexes of meters and volumes of periods in, for publishers; what holds of them out, for services."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import JSONResponse

from eventlog.problems import Problem
from eventlog.trust import Authenticator, Caller, NotAllowed, require
from market.ean import InvalidEan, parse_ean
from market.meter_register import register_name
from services.metering import answers
from services.metering.body import Memory
from services.metering.draft import Sender
from services.metering.forms import NDJSON
from services.metering.index_ingest import IndexIngest
from services.metering.index_lines import LINE_SCHEMA
from services.metering.index_store import IndexReading, Period, read_indexes
from services.metering.readings_api import (
    BodyLimits,
    Offset,
    Partition,
    answer_receipt,
    arrived_body,
    media_type_of,
)

_WRITERS: Final = ("publisher", "operator")
_READERS: Final = frozenset({"register", "export"})
_BODY: Final[dict[str, Any]] = {"required": True, "content": {NDJSON: {"schema": LINE_SCHEMA}}}
POST_INDEXES: Final = """Take in indexes of meters and volumes of periods, one JSON object per line; `event` says which.
What breaks a rule is refused with its line and the reason; everything else in the body is kept, and on the topic
`meter-indexes` in all in-sync replicas before the answer leaves. `GET /indexes/receipts/{partition}/{offset}` says what
became of each. Several messages about one meter, register and day compete by `source_at`, then `source_sequence`. The
same body sent again changes nothing."""


def indexes_router(
    ingest: IndexIngest,
    engine: Engine,
    authenticator: Authenticator,
    *,
    memory: Memory,
    limits: BodyLimits,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> APIRouter:
    """Return the routes; `clock` gives the time in UTC."""
    router = APIRouter(tags=["indexes"])
    may_write = require(authenticator, roles=_WRITERS, scope="readings.write")
    may_ask = require(authenticator, roles=_WRITERS)
    may_read = require(authenticator, roles=("service",), scope="indexes.read")

    @router.post(
        "/indexes",
        status_code=HTTPStatus.ACCEPTED,
        response_model=answers.IngestAnswer,
        responses=answers.BODY_ERRORS,
        openapi_extra={"requestBody": _BODY},
        description=POST_INDEXES,
    )
    async def take_indexes(request: Request, caller: Caller = Depends(may_write)) -> JSONResponse:  # noqa: B008
        media_type = media_type_of(request, (NDJSON,), NDJSON)
        sender = Sender(client_id=caller.subject, speaks_for_others="operator" in caller.roles)
        try:
            with memory.lease() as lease:
                body = await arrived_body(request, media_type, lease, limits)
                outcome = await ingest.take(body, sender, now=clock(), correlation_id=new_id())
        except answers.EXPECTED as error:
            raise answers.problem_of(error) from None
        return JSONResponse(answers.answer_of(outcome), status_code=HTTPStatus.ACCEPTED)

    @router.get(
        "/indexes/receipts/{partition}/{offset}",
        response_model=answers.ReceiptAnswer,
        responses={**answers.ERRORS, 404: {"description": "The topic does not reach that far."}},
    )
    async def receipt(
        partition: Partition,
        offset: Offset,
        caller: Caller = Depends(may_ask),  # noqa: B008
    ) -> dict[str, Any]:
        """Say what became of an accepted index or period."""
        return await answer_receipt(ingest.receipts, caller, partition, offset)

    @router.get("/indexes", responses=answers.ERRORS)
    async def indexes(
        ean: Annotated[str, Query(description="The measured point, 18 digits")],
        first_day: Annotated[date | None, Query(alias="from", description="First local day (gas: gas day)")] = None,
        last_day: Annotated[date | None, Query(alias="to", description="Last such day, inclusive")] = None,
        caller: Caller = Depends(may_read),  # noqa: B008
    ) -> dict[str, Any]:
        """What was read on the days asked for, and the periods that touch them, by meter, register and day; without
        days the newest of each meter and register. Values are in `unit`; `conflict`: two messages have one id."""
        if caller.subject not in _READERS:
            raise NotAllowed
        try:
            point = parse_ean(ean)
        except InvalidEan as error:
            raise Problem(400, "ValidationError", str(error)) from None
        if (first_day is None) != (last_day is None) or (first_day and last_day and last_day < first_day):
            raise Problem(400, "ValidationError", "give both days or none, from not after to")
        days = (first_day, last_day) if first_day and last_day else None
        found = await asyncio.to_thread(read_indexes, engine, point, days)
        return {"ean": point, "readings": _rows(found.readings), "periods": _rows(found.periods)}

    return router


def _rows(found: Sequence[IndexReading | Period]) -> list[dict[str, Any]]:
    return [
        {
            **asdict(each),
            "register": register_name(each.register),
            "unit": each.register.stored_unit,
            "quality": each.quality.name,
        }
        for each in found
    ]
