"""HTTP of export: parse, find, write in the ledger, answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, FastAPI
from sqlalchemy import Engine
from starlette.responses import Response

from eventlog.problems import ErrorBody, answer_problems
from eventlog.trust import Authenticator, Caller, answer_refusals, require
from market.portal_words import Language
from services.export.deliveries import Deliveries
from services.export.domain.question import Found, Question
from services.export.metering_client import MeteringClient
from services.export.people import People
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


def create_api(
    engine: Engine,
    authenticator: Authenticator,
    metering: MeteringClient,
    settings: ExportSettings,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
    people: People | None = None,
) -> FastAPI:
    """Return export's API; `engine` holds the ledger and `clock` gives the time in UTC.

    With `people`, net users and people of holders read what is theirs; without, operators alone read.
    """
    # No /docs, no /redoc: these pages load their script from another host.
    app = FastAPI(title="Kwartier export", version="1", description=__doc__, docs_url=None, redoc_url=None)
    answer_problems(app)
    answer_refusals(app)
    delivering = Deliveries(engine=engine, metering=metering, people=people, clock=clock, new_id=new_id)
    roles = ("operator", "net_user", "holder") if people else ("operator",)
    asked = Depends(asked_by_query(settings))
    reads_files = Depends(require(authenticator, roles=roles, scope="files.read"))
    reads_readings = Depends(require(authenticator, roles=roles, scope="readings.read"))

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

    @app.get("/points", responses=_READINGS, response_class=Response)
    async def points(caller: Caller = reads_readings) -> Response:
        """Every point that has readings, or those of them that the person who asks may see, and since when."""
        found = await metering.points()
        if people is not None and "operator" not in caller.roles:
            found = await people.points(await people.readers(caller), found)
        return Response(write_points(found), media_type=_JSON)

    return app


def _readings(found: Found) -> tuple[bytes, int]:
    return write_readings(found), sum(series.present for series in found.series)


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(name)}"}
