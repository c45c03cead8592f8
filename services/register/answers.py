"""What register answers, for callers and for the API's description of itself."""

from __future__ import annotations

from datetime import date, datetime
from http import HTTPStatus
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from eventlog.idempotency import Answer
from eventlog.problems import ErrorBody, Problem, problem_body
from services.register.domain.refusals import NoSuchPoint, RegistrationRefused

READ_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "The request is not valid; `ValidationErrorMessages` says why."},
    401: {"description": "No token, or not a trusted one; empty body."},
    403: {"description": "The caller may not do this; empty body."},
    503: {"model": ErrorBody, "description": "Try again after `Retry-After` seconds; nothing changed."},
}
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    **READ_ERRORS,
    409: {"model": ErrorBody, "description": "A rule of the register forbids it; nothing changed."},
    413: {"description": "The body is too large; a single command has at most 64 KiB."},
    422: {"model": ErrorBody, "description": "The Idempotency-Key was used for another command."},
}
UNKNOWN_POINT: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": ErrorBody, "description": "The register does not know the point."}
}

Outcome = Literal["registered", "added", "installed", "swapped", "moved-in", "moved-out", "closed", "unchanged"]


class PointAnswer(BaseModel):
    """What became of a command about a point: what was done, or `unchanged` where it was done just so before."""

    ean: str = Field(description="The head point that the command was about.")
    outcome: Outcome = Field(description="What was done; `unchanged` (200) where nothing was left to do.")


class NetUserAnswer(BaseModel):
    """The id of the net user; `unchanged` where they were registered just so before."""

    net_user_id: UUID = Field(description="Id of the net user, without meaning elsewhere.")
    outcome: Literal["registered", "unchanged"] = Field(description="`unchanged` (200) where they were known.")


class BulkAnswer(BaseModel):
    """One result per command, in the order of the commands."""

    results: list[dict[str, Any]] = Field(
        description="`status` is what the command alone would have been answered; the rest is that answer's body. "
        "424 (`PointRefused`): another command about the same point was refused, so this one was not carried out."
    )


class UseAnswer(BaseModel):
    """A net user's time at a point."""

    ean: str = Field(description="Head point.")
    energy: Literal["E", "G"] = Field(description="E electricity, G gas.")
    meter_kind: str = Field(description="DIGITAL, AMR or CLASSIC: the newest meter's.")
    net_user_id: UUID = Field(description="Who.")
    allocation_points: list[str] = Field(description="Ids of the allocation points where they are net user.")
    is_whole: bool = Field(description="Whether these are all allocation points of the point.")
    first_on: date = Field(description="First local day (gas: gas day), inclusive.")
    last_on: date | None = Field(description="Last local day (gas: gas day), inclusive; null while none is known.")


class LookupAnswer(BaseModel):
    """Who the reference stands for, and which points are theirs, now, before and later."""

    net_user_ids: list[UUID] = Field(description="Ids of the net user; empty where nobody is known.")
    points: list[UseAnswer] = Field(description="By EAN and first day.")


class AllocationPointAnswer(BaseModel):
    """An allocation point."""

    allocation_point_id: str
    direction: str
    added_on: date


class SubHeadPointAnswer(BaseModel):
    """A measurement behind an AMR point."""

    sub_ean: str
    kind: str
    sequence_number: int
    installation_id: str
    production_type: str
    added_on: date


class MeterAnswer(BaseModel):
    """A meter and its period [installed_at, removed_at) in UTC."""

    meter_id: str
    meter_kind: str
    sequence_number: int
    installed_at: datetime
    removed_at: datetime | None


class OccupancyAnswer(BaseModel):
    """A net user at an allocation point, both days inclusive."""

    allocation_point_id: str
    net_user_id: UUID
    first_on: date
    last_on: date | None


class AccessPointAnswer(BaseModel):
    """Everything about one point; no personal data."""

    ean: str
    energy: Literal["E", "G"]
    meter_kind: str
    registered_on: date
    last_on: date | None
    replaced_by: str
    allocation_points: list[AllocationPointAnswer]
    sub_head_points: list[SubHeadPointAnswer]
    meters: list[MeterAnswer]
    occupancies: list[OccupancyAnswer]


def refusal_answer(refusal: RegistrationRefused) -> Answer:
    """The answer to a refused command: 404 for an unknown point, else 409."""
    if isinstance(refusal, NoSuchPoint):
        return Answer(HTTPStatus.NOT_FOUND, problem_body(Problem(404, "NoSuchPoint", str(refusal))))
    return Answer(HTTPStatus.CONFLICT, problem_body(Problem(409, "RegistrationRefused", str(refusal))))
