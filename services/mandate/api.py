"""HTTP of mandate: parse, carry out, answer."""

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
from market.day import parse_day
from market.kbo import Kbo, parse_kbo
from services.mandate.domain import ContractNumber, ContractRefused, SignContract, parse_contract_number
from services.mandate.handlers import handle

_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "The request is not valid; `ValidationErrorMessages` says why."},
    401: {"description": "No token, or not a trusted one; empty body."},
    403: {"description": "The caller may not do this; empty body."},
    413: {"description": "A command has at most 64 KiB."},
    409: {"model": ErrorBody, "description": "A rule about contracts forbids it; nothing changed."},
    422: {"model": ErrorBody, "description": "The Idempotency-Key was used for another command."},
    503: {"model": ErrorBody, "description": "Try again after `Retry-After` seconds; nothing changed."},
}


class ContractBody(BaseModel):
    """A contract to sign. `valid_from` is its first local day."""

    contract_number: Annotated[str, AfterValidator(parse_contract_number)] = Field(description="10 digits")
    holder_kbo: Annotated[str, AfterValidator(parse_kbo)] = Field(
        description="the holder's enterprise number, 10 digits"
    )
    valid_from: Annotated[date, BeforeValidator(parse_day)]


class ContractAnswer(BaseModel):
    """What became of the command: `signed`, or `unchanged` where the contract was signed just so before."""

    contract_number: str
    outcome: Literal["signed", "unchanged"]


def create_api(
    engine: Engine, authenticator: Authenticator, *, clock: Callable[[], datetime], new_id: Callable[[], UUID]
) -> FastAPI:
    """Return mandate's API on `engine`; `clock` gives the time in UTC."""
    app = FastAPI(title="Kwartier mandate", version="1", description=__doc__)
    answer_problems(app)
    answer_refusals(app)
    allowed = Depends(require(authenticator, roles=("operator",), scope="contracts.write"))

    @app.post(
        "/contracts",
        response_model=ContractAnswer,
        status_code=HTTPStatus.CREATED,
        responses=_ERRORS,
        max_body_size=MAX_COMMAND_BYTES,
    )
    def sign_contract(
        body: ContractBody,
        caller: Caller = allowed,
        idempotency_key: str | None = Header(default=None, max_length=KEY_LENGTH_LIMIT),
    ) -> JSONResponse:
        """Sign a data access contract. The same again changes nothing and answers 200."""
        command = SignContract(
            contract_number=ContractNumber(body.contract_number),
            holder_kbo=Kbo(body.holder_kbo),
            valid_from=body.valid_from,
        )
        request = request_key(caller, idempotency_key, body.model_dump(mode="json"))
        now = clock()

        def work(tx: Connection) -> Answer:
            return _carry_out(tx, command, now=now, correlation_id=new_id())

        answer = answer_once(engine, work, request=request, now=now)
        return JSONResponse(dict(answer.body), status_code=answer.status)

    return app


def _carry_out(tx: Connection, command: SignContract, *, now: datetime, correlation_id: UUID) -> Answer:
    try:
        events = handle(tx, command, now=now, correlation_id=correlation_id)
    except ContractRefused as refusal:
        return Answer(HTTPStatus.CONFLICT, problem_body(Problem(409, "ContractRefused", str(refusal))))
    if not events:
        return Answer(HTTPStatus.OK, {"contract_number": command.contract_number, "outcome": "unchanged"})
    return Answer(HTTPStatus.CREATED, {"contract_number": command.contract_number, "outcome": "signed"})
