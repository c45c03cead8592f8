"""Many commands in one request: net users first, then one transaction per point, all of its commands or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy import Connection

from eventlog.idempotency import Answer, RequestKey
from eventlog.problems import Problem, problem_body
from eventlog.trust import Authenticator, Caller, require
from market.ean import Ean
from services.register import bodies
from services.register.answers import ERRORS, BulkAnswer, Outcome, refusal_answer
from services.register.desk import Desk
from services.register.domain.refusals import RegistrationRefused
from services.register.handlers import PartRefused, handle
from services.register.net_users_api import NewNetUserBody, answer_net_user
from services.register.points_api import WRITE_SCOPE, WRITERS, IdempotencyKey, point_answer

MAX_COMMANDS: Final = 5_000


class _OfPoint(bodies.Body):
    ean: bodies.EanText = Field(description="Head point.")


class RegisterAccessPoint(bodies.RegistrationBody, _OfPoint):
    """As `POST /access-points`."""

    command: Literal["access-point"]


class AddAllocationPoint(bodies.AllocationPointBody, _OfPoint):
    """As `POST /access-points/{ean}/allocation-points`."""

    command: Literal["allocation-point"]


class AddSubHeadPoint(bodies.SubHeadPointBody, _OfPoint):
    """As `POST /access-points/{ean}/sub-head-points`."""

    command: Literal["sub-head-point"]


class InstallMeter(bodies.MeterBody, _OfPoint):
    """As `POST /access-points/{ean}/meters`."""

    command: Literal["meter"]


class SwapMeter(bodies.MeterSwapBody, _OfPoint):
    """As `POST /access-points/{ean}/meter-swaps`."""

    command: Literal["meter-swap"]


class MoveIn(bodies.MoveInBody, _OfPoint):
    """As `POST /access-points/{ean}/move-ins`."""

    command: Literal["move-in"]


class MoveOut(bodies.MoveOutBody, _OfPoint):
    """As `POST /access-points/{ean}/move-outs`."""

    command: Literal["move-out"]


class Close(bodies.ClosureBody, _OfPoint):
    """As `POST /access-points/{ean}/closure`."""

    command: Literal["closure"]


class RegisterNetUser(NewNetUserBody):
    """As `POST /net-users`."""

    command: Literal["net-user"]


PointPart = (
    RegisterAccessPoint | AddAllocationPoint | AddSubHeadPoint | InstallMeter | SwapMeter | MoveIn | MoveOut | Close
)
_OUTCOMES: Final[dict[str, Outcome]] = {
    "access-point": "registered",
    "allocation-point": "added",
    "sub-head-point": "added",
    "meter": "installed",
    "meter-swap": "swapped",
    "move-in": "moved-in",
    "move-out": "moved-out",
    "closure": "closed",
}


class BulkBody(bodies.Body):
    """Commands to carry out; those about one point keep their order."""

    commands: list[Annotated[PointPart | RegisterNetUser, Field(discriminator="command")]] = Field(
        min_length=1, max_length=MAX_COMMANDS, description="What `command` names says which fields belong to it."
    )


def create_router(desk: Desk, authenticator: Authenticator, *, max_bytes: int) -> APIRouter:
    """Return the route of bulks, whose bodies have at most `max_bytes`."""
    router = APIRouter(tags=["bulk"])
    allowed = Depends(require(authenticator, roles=WRITERS, scope=WRITE_SCOPE))

    @router.post("/bulk", response_model=BulkAnswer, responses=ERRORS, max_body_size=max_bytes)
    def carry_out(body: BulkBody, caller: Caller = allowed, idempotency_key: IdempotencyKey = None) -> Any:
        """Carry out many commands: net users first, then each point in a transaction of its own.

        What is refused changes nothing, and nothing else about the same point happens then; the others go on.
        """
        results: list[dict[str, Any]] = [{} for _ in body.commands]
        for name, places in _groups(body).items():
            group = [body.commands[place] for place in places]
            request = desk.request_key(caller, idempotency_key, {"group": [_named(each) for each in group]})
            answer = desk.answer(partial(_work, desk, group), _for_group(request, name))
            for place, result in zip(places, answer.body["results"], strict=True):
                results[place] = result
        return {"results": results}

    return router


def _groups(body: BulkBody) -> dict[str, list[int]]:
    """Return the places of the commands of each net user and of each point, net users first."""
    net_users: dict[str, list[int]] = {}
    points: defaultdict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(body.commands):
        if isinstance(each, RegisterNetUser):
            net_users[f"net-user {place}"] = [place]
        else:
            points[each.ean].append(place)
    return net_users | points


def _named(command: PointPart | RegisterNetUser) -> dict[str, Any]:
    return command.model_dump(mode="json")


def _for_group(request: RequestKey | None, name: str) -> RequestKey | None:
    if request is None:
        return None
    return replace(request, key=f"{request.key} {sha256(name.encode()).hexdigest()}")


def _work(desk: Desk, group: Sequence[PointPart | RegisterNetUser], tx: Connection) -> Answer:
    answers = [answer_net_user(desk, tx, each) for each in group if isinstance(each, RegisterNetUser)]
    parts = [each for each in group if not isinstance(each, RegisterNetUser)]
    if parts:
        answers += _change_point(desk, tx, parts)
    return Answer(HTTPStatus.OK, {"results": [{"status": int(each.status), **each.body} for each in answers]})


def _change_point(desk: Desk, tx: Connection, parts: Sequence[PointPart]) -> list[Answer]:
    ean = Ean(parts[0].ean)
    try:
        commands = [_to_command(desk, tx, place, each) for place, each in enumerate(parts)]
        caused = handle(tx, ean, commands, now=desk.clock(), correlation_id=desk.new_id())
    except PartRefused as refused:
        return [_refused(refused, place) for place in range(len(parts))]
    return [
        point_answer(ean, _OUTCOMES[each.command] if events else "unchanged")
        for each, events in zip(parts, caused, strict=True)
    ]


def _to_command(desk: Desk, tx: Connection, place: int, part: PointPart) -> Any:
    try:
        return part.to_command(Ean(part.ean), partial(desk.find, tx))
    except RegistrationRefused as refusal:
        raise PartRefused(place, refusal) from None


def _refused(refused: PartRefused, place: int) -> Answer:
    if place == refused.place:
        return refusal_answer(refused.refusal)
    message = "another command about the same point was refused; none of them was carried out"
    return Answer(HTTPStatus.FAILED_DEPENDENCY, problem_body(Problem(424, "PointRefused", message)))
