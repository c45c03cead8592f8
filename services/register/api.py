"""HTTP of the access register: parse, carry out, answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Depends, FastAPI, Header
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from sqlalchemy import Connection, Engine
from starlette.responses import JSONResponse

from eventlog.idempotency import KEY_LENGTH_LIMIT, MAX_COMMAND_BYTES, Answer, answer_once, request_key
from eventlog.problems import ErrorBody, Problem, answer_problems, problem_body
from eventlog.trust import Authenticator, Caller, answer_refusals, require
from market.channel import Energy, MeterKind
from market.day import parse_day
from market.ean import Ean, parse_ean
from services.register.domain import RegisterAccessPoint, RegistrationRefused
from services.register.handlers import handle

_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "The request is not valid; `ValidationErrorMessages` says why."},
    401: {"description": "No token, or not a trusted one; empty body."},
    403: {"description": "The caller may not do this; empty body."},
    413: {"description": "A command has at most 64 KiB."},
    409: {"model": ErrorBody, "description": "A rule of the register forbids it; nothing changed."},
    422: {"model": ErrorBody, "description": "The Idempotency-Key was used for another command."},
    503: {"model": ErrorBody, "description": "Try again after `Retry-After` seconds; nothing changed."},
}


class AccessPointBody(BaseModel):
    """A point to register. `registered_on` is the first local day (gas: gas day) on which it exists."""

    ean: Annotated[str, AfterValidator(parse_ean)] = Field(description="18 digits with a GS1 check digit")
    energy: Energy = Field(description="E (electricity) or G (gas)")
    meter_kind: Literal["DIGITAL", "AMR", "CLASSIC"]
    registered_on: Annotated[date, BeforeValidator(parse_day)]


class AccessPointAnswer(BaseModel):
    """What became of the command: `registered`, or `unchanged` where the point was registered just so before."""

    ean: str
    outcome: Literal["registered", "unchanged"]


def create_api(
    engine: Engine, authenticator: Authenticator, *, clock: Callable[[], datetime], new_id: Callable[[], UUID]
) -> FastAPI:
    """Return the register's API on `engine`; `clock` gives the time in UTC."""
    app = FastAPI(title="Kwartier register", version="1", description=__doc__)
    answer_problems(app)
    answer_refusals(app)
    allowed = Depends(require(authenticator, roles=("access_holder", "operator"), scope="access-points.write"))

    @app.post(
        "/access-points",
        response_model=AccessPointAnswer,
        status_code=HTTPStatus.CREATED,
        responses=_ERRORS,
        max_body_size=MAX_COMMAND_BYTES,
    )
    def register_access_point(
        body: AccessPointBody,
        caller: Caller = allowed,
        idempotency_key: str | None = Header(default=None, max_length=KEY_LENGTH_LIMIT),
    ) -> JSONResponse:
        """Register an access point. The same again changes nothing and answers 200."""
        command = RegisterAccessPoint(
            ean=Ean(body.ean),
            energy=body.energy,
            meter_kind=MeterKind[body.meter_kind],
            registered_on=body.registered_on,
        )
        request = request_key(caller, idempotency_key, body.model_dump(mode="json"))
        now = clock()

        def work(tx: Connection) -> Answer:
            return _carry_out(tx, command, now=now, correlation_id=new_id())

        answer = answer_once(engine, work, request=request, now=now)
        return JSONResponse(dict(answer.body), status_code=answer.status)

    return app


def _carry_out(tx: Connection, command: RegisterAccessPoint, *, now: datetime, correlation_id: UUID) -> Answer:
    try:
        events = handle(tx, command, now=now, correlation_id=correlation_id)
    except RegistrationRefused as refusal:
        return Answer(HTTPStatus.CONFLICT, problem_body(Problem(409, "RegistrationRefused", str(refusal))))
    if not events:
        return Answer(HTTPStatus.OK, {"ean": command.ean, "outcome": "unchanged"})
    return Answer(HTTPStatus.CREATED, {"ean": command.ean, "outcome": "registered"})
