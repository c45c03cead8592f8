"""HTTP of export: parse, find, write in the ledger, answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, FastAPI
from sqlalchemy import Engine
from starlette.responses import Response

from eventlog.problems import ErrorBody, Problem, answer_problems
from eventlog.trust import Authenticator, Caller, answer_refusals, require
from market.local_time import BRUSSELS
from market.portal_words import Language
from services.export.domain.ledger import Delivery
from services.export.domain.question import Found, Question
from services.export.handlers import find, write_in_ledger
from services.export.metering_client import MeteringClient
from services.export.portal_files import MEDIA_TYPES, Format, PortalFile
from services.export.questions import asked_by_query
from services.export.readings_json import write_points, write_readings
from services.export.settings import ExportSettings

_JSON: Final = "application/json; charset=utf-8"
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "The request is not valid; `ValidationErrorMessages` says why."},
    401: {"description": "No token, or not a trusted one; empty body."},
    403: {"description": "The caller may not do this; empty body."},
    404: {"model": ErrorBody, "description": "Nothing to deliver (`NoData`); in the ledger too."},
    503: {"model": ErrorBody, "description": "Metering or the ledger is away; try again after `Retry-After` seconds."},
}
_READINGS: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {_JSON: {}}}, **_ERRORS}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}, "description": "The file."},
    **_ERRORS,
}


class NoData(Problem):
    """There is nothing to deliver: 404, the same words whatever the reason."""

    def __init__(self) -> None:
        super().__init__(404, "NoData", "there are no readings for this point in this period")


class Delivering:
    """Lets answers leave, each with its entry in the ledger: the way out `operator`."""

    def __init__(
        self,
        engine: Engine,
        metering: MeteringClient,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._engine = engine
        self._metering = metering
        self._clock = clock
        self._new_id = new_id

    async def deliver(
        self, question: Question, caller: Caller, encode: Callable[[Found], tuple[bytes, int]]
    ) -> tuple[Found, bytes]:
        """Return what answers `question`, encoded whole and entered in the ledger.

        `encode` returns the bytes and how many values are in them.

        Raises:
            NoData: nothing is known; that too is in the ledger.
        """
        today = self._clock().astimezone(BRUSSELS).date()
        found = await find(self._metering, question, today=today)
        if found is None:
            await self._enter(question, caller, 0)
            raise NoData
        body, value_count = await asyncio.to_thread(encode, found)
        await self._enter(found.question, caller, value_count)
        return found, body

    async def _enter(self, question: Question, caller: Caller, value_count: int) -> None:
        delivery = Delivery(
            exchange_id=self._new_id(),
            ean=question.ean,
            channel="operator",
            recipient=caller.subject,
            granularity=question.granularity.value,
            first_day=question.first_day,
            last_day=question.last_day,
            value_count=value_count,
            delivered_at=self._clock().astimezone(UTC),
        )
        await asyncio.to_thread(write_in_ledger, self._engine, delivery, correlation_id=self._new_id())


def create_api(
    engine: Engine,
    authenticator: Authenticator,
    metering: MeteringClient,
    settings: ExportSettings,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> FastAPI:
    """Return export's API; `engine` holds the ledger and `clock` gives the time in UTC."""
    app = FastAPI(title="Kwartier export", version="1", description=__doc__)
    answer_problems(app)
    answer_refusals(app)
    delivering = Delivering(engine, metering, clock=clock, new_id=new_id)
    asked = Depends(asked_by_query(settings))
    reads_files = Depends(require(authenticator, roles=("operator",), scope="files.read"))
    reads_readings = Depends(require(authenticator, roles=("operator",), scope="readings.read"))

    @app.get("/files/portal-{file_format}", responses=_FILE, response_class=Response)
    async def portal_file(
        file_format: Format, caller: Caller = reads_files, question: Question = asked, lang: Language = Language.NL
    ) -> Response:
        """The portal's file of one point, days inclusive; the same rows in every format."""
        file = PortalFile(file_format, lang)
        found, body = await delivering.deliver(question, caller, file.encode)
        return Response(body, media_type=MEDIA_TYPES[file_format], headers=_attachment(file.name(found)))

    @app.get("/readings", responses=_READINGS, response_class=Response)
    async def readings(caller: Caller = reads_readings, question: Question = asked) -> Response:
        """The series of one point as JSON, days inclusive."""
        _, body = await delivering.deliver(question, caller, _readings)
        return Response(body, media_type=_JSON)

    @app.get("/points", responses=_READINGS, response_class=Response, dependencies=[reads_readings])
    async def points() -> Response:
        """Every point that has readings."""
        return Response(write_points(await metering.points()), media_type=_JSON)

    return app


def _readings(found: Found) -> tuple[bytes, int]:
    return write_readings(found), sum(series.present for series in found.series)


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(name)}"}
