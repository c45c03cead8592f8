"""HTTP of access points and their parts: one command a request."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path
from pydantic import AfterValidator, Field
from sqlalchemy import Connection

from eventlog.idempotency import KEY_LENGTH_LIMIT, MAX_COMMAND_BYTES, Answer
from eventlog.problems import Problem
from eventlog.trust import Authenticator, Caller, require
from market.ean import Ean, parse_ean
from services.register import bodies, store
from services.register.answers import (
    ERRORS,
    READ_ERRORS,
    UNKNOWN_POINT,
    AccessPointAnswer,
    Outcome,
    PointAnswer,
    refusal_answer,
)
from services.register.desk import Desk, to_response
from services.register.domain.refusals import RegistrationRefused
from services.register.handlers import PartRefused, handle

WRITERS: Final = ("access_holder", "operator")
WRITE_SCOPE: Final = "access-points.write"
PARTS: Final[dict[str, tuple[type[bodies.Body], Outcome, str]]] = {
    "allocation-points": (bodies.AllocationPointBody, "added", "Add an allocation point."),
    "sub-head-points": (bodies.SubHeadPointBody, "added", "Add a sub head point behind an AMR point."),
    "meters": (bodies.MeterBody, "installed", "Install a meter where none measures."),
    "meter-swaps": (bodies.MeterSwapBody, "swapped", "Swap the meter, at any instant of a day."),
    "move-ins": (bodies.MoveInBody, "moved-in", "Move a net user in; who was there goes the day before."),
    "move-outs": (bodies.MoveOutBody, "moved-out", "Move a net user out."),
    "closure": (bodies.ClosureBody, "closed", "Close the point, with its occupancies and meters."),
}

EanInPath = Annotated[str, AfterValidator(parse_ean), Path(description="Head point, 18 digits with a GS1 check digit.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=KEY_LENGTH_LIMIT,
        description="Chosen by the caller; the same command with the same key gets the first answer again.",
    ),
]


class AccessPointBody(bodies.RegistrationBody):
    """A point to register."""

    ean: bodies.EanText = Field(description="18 digits with a GS1 check digit.")


def create_router(desk: Desk, authenticator: Authenticator) -> APIRouter:
    """Return the routes of access points."""
    router = APIRouter(tags=["access points"])
    allowed = Depends(require(authenticator, roles=WRITERS, scope=WRITE_SCOPE))
    command = partial(
        router.post,
        response_model=PointAnswer,
        status_code=HTTPStatus.CREATED,
        max_body_size=MAX_COMMAND_BYTES,
    )

    @command("/access-points", responses=ERRORS)
    def register_access_point(
        body: AccessPointBody, caller: Caller = allowed, idempotency_key: IdempotencyKey = None
    ) -> Any:
        """Register an access point. The same again changes nothing and answers 200."""
        return _answer(desk, caller, idempotency_key, Ean(body.ean), body, "registered")

    for path, (kind, outcome, summary) in PARTS.items():
        route = _part_route(desk, allowed, kind, outcome)
        command(f"/access-points/{{ean}}/{path}", responses=ERRORS | UNKNOWN_POINT, summary=summary)(route)

    @router.get("/access-points/{ean}", response_model=AccessPointAnswer, responses=READ_ERRORS | UNKNOWN_POINT)
    def read_access_point(ean: EanInPath, caller: Caller = allowed) -> Any:
        """Everything that the register knows about the point; no personal data."""
        with desk.engine.begin() as tx:
            found = store.find_point(tx, Ean(ean))
        if found is None:
            raise Problem(404, "NoSuchPoint", "the register does not know this point")
        return found

    return router


def _part_route(desk: Desk, allowed: Any, kind: type[bodies.Body], outcome: Outcome) -> Any:
    def change(
        ean: EanInPath, body: bodies.Body, caller: Caller = allowed, idempotency_key: IdempotencyKey = None
    ) -> Any:
        return _answer(desk, caller, idempotency_key, Ean(ean), body, outcome)

    change.__annotations__["body"] = kind
    change.__doc__ = f"{kind.__doc__} The same again changes nothing and answers 200."
    change.__name__ = f"change_{outcome}".replace("-", "_")
    return change


def _answer(desk: Desk, caller: Caller, key: str | None, ean: Ean, body: Any, outcome: Outcome) -> Any:
    named = {"command": type(body).__name__, "ean": ean, "body": body.model_dump(mode="json")}

    def work(tx: Connection) -> Answer:
        try:
            command = body.to_command(ean, partial(desk.find, tx))
            (events,) = handle(tx, ean, [command], now=desk.clock(), correlation_id=desk.new_id())
        except PartRefused as refused:
            return refusal_answer(refused.refusal)
        except RegistrationRefused as refusal:
            return refusal_answer(refusal)
        return point_answer(ean, outcome if events else "unchanged")

    return to_response(desk.answer(work, desk.request_key(caller, key, named)))


def point_answer(ean: Ean, outcome: Outcome) -> Answer:
    """The answer to a command about a point that was not refused."""
    status = HTTPStatus.OK if outcome == "unchanged" else HTTPStatus.CREATED
    return Answer(status, {"ean": ean, "outcome": outcome})
