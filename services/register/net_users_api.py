"""HTTP of net users: taking them in, and telling services whose points are whose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import Field, model_validator
from sqlalchemy import Connection
from starlette.requests import Request

from eventlog.idempotency import MAX_COMMAND_BYTES, Answer
from eventlog.trust import Authenticator, Caller, NotAllowed, require
from services.register import store
from services.register.answers import ERRORS, READ_ERRORS, LookupAnswer, NetUserAnswer, refusal_answer
from services.register.bodies import PERSON_REF_LENGTH_LIMIT, Body, KboText
from services.register.desk import Desk, to_response
from services.register.domain.refusals import RegistrationRefused
from services.register.domain.whose import uses_of
from services.register.handlers import NewNetUser, take_in
from services.register.personal_data import KEY_LENGTH, NONCE_LENGTH, PersonalData
from services.register.points_api import WRITE_SCOPE, WRITERS, IdempotencyKey

LOOKUP_SCOPE: Final = "net-users.read"
LOOKUP_SERVICES: Final = frozenset({"mandate", "portal", "export"})

Text = Annotated[str, Field(min_length=1, max_length=200)]


class ReferenceBody(Body):
    """Who: a person or an enterprise, exactly one of the two."""

    person_ref: Text | None = Field(
        default=None,
        max_length=PERSON_REF_LENGTH_LIMIT,
        description="Reference of a person, as the sign-in has it; kept as a keyed hash only.",
    )
    kbo: KboText | None = Field(default=None, description="Enterprise number, 10 digits.")

    @model_validator(mode="after")
    def _check_one(self) -> ReferenceBody:
        if (self.person_ref is None) == (self.kbo is None):
            raise ValueError("give exactly one of person_ref and kbo")
        return self


class NewNetUserBody(ReferenceBody):
    """A net user to take in. Name and e-mail address are kept encrypted, under a key of their own."""

    name: Text = Field(description="Name of the person or enterprise.")
    email: Text = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="Where messages go.")
    household: bool = Field(description="Whether it is a household; never with an enterprise number.")


def create_router(desk: Desk, authenticator: Authenticator) -> APIRouter:
    """Return the routes of net users."""
    router = APIRouter(tags=["net users"])
    allowed = Depends(require(authenticator, roles=WRITERS, scope=WRITE_SCOPE))
    service = Depends(_require_service(authenticator))

    @router.post(
        "/net-users",
        response_model=NetUserAnswer,
        status_code=HTTPStatus.CREATED,
        responses=ERRORS,
        max_body_size=MAX_COMMAND_BYTES,
    )
    def register_net_user(
        body: NewNetUserBody, caller: Caller = allowed, idempotency_key: IdempotencyKey = None
    ) -> Any:
        """Take a net user in. The same again changes nothing and answers 200 with the same id."""
        request = desk.request_key(caller, idempotency_key, {"command": "net-user", "body": body.model_dump()})
        return to_response(desk.answer(lambda tx: answer_net_user(desk, tx, body), request))

    @router.post(
        "/net-users/lookup", response_model=LookupAnswer, responses=READ_ERRORS, max_body_size=MAX_COMMAND_BYTES
    )
    def look_up(body: ReferenceBody, caller: Caller = service) -> Any:
        """Tell who a reference stands for, and which points are theirs. For mandate, portal and export alone."""
        with desk.engine.begin() as tx:
            return _look_up(desk, tx, body)

    return router


def answer_net_user(desk: Desk, tx: Connection, body: NewNetUserBody) -> Answer:
    """Take in the net user of `body` within `tx`, and answer."""
    new = NewNetUser(
        reference=desk.reference(person_ref=body.person_ref, kbo=body.kbo),
        is_household=body.household,
        data=PersonalData(name=body.name, email=body.email),
        net_user_id=desk.new_id(),
        key=desk.random_bytes(KEY_LENGTH),
        nonce=desk.random_bytes(NONCE_LENGTH),
    )
    try:
        net_user_id, event = take_in(tx, new, now=desk.clock(), correlation_id=desk.new_id())
    except RegistrationRefused as refusal:
        return refusal_answer(refusal)
    if event is None:
        return Answer(HTTPStatus.OK, {"net_user_id": str(net_user_id), "outcome": "unchanged"})
    return Answer(HTTPStatus.CREATED, {"net_user_id": str(net_user_id), "outcome": "registered"})


def _look_up(desk: Desk, tx: Connection, body: ReferenceBody) -> dict[str, Any]:
    known = store.find_net_user(tx, desk.reference(person_ref=body.person_ref, kbo=body.kbo))
    if known is None:
        return {"net_user_ids": [], "points": []}
    occupancies = store.occupancies_of(tx, known.net_user_id)
    eans = sorted({ean for ean, _ in occupancies})
    kinds = store.kinds_of(tx, eans)
    points = [
        {
            "ean": use.ean,
            "energy": kinds[use.ean][0],
            "meter_kind": kinds[use.ean][1],
            "net_user_id": use.net_user_id,
            "allocation_points": list(use.allocation_points),
            "is_whole": use.is_whole,
            "first_on": use.first_on,
            "last_on": use.last_on,
        }
        for use in uses_of(occupancies, store.allocation_points_of(tx, eans))
    ]
    return {"net_user_ids": [known.net_user_id], "points": points}


def _require_service(authenticator: Authenticator) -> Callable[[Request], Awaitable[Caller]]:
    machine = require(authenticator, roles=("service",), scope=LOOKUP_SCOPE)

    async def caller(request: Request) -> Caller:
        found = await machine(request)
        if found.is_person or found.subject not in LOOKUP_SERVICES:
            raise NotAllowed
        return found

    return caller
