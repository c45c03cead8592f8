"""What mandate answers, for callers and for the API's description of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from http import HTTPStatus
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from eventlog.idempotency import Answer
from eventlog.problems import ErrorBody, Problem, problem_body
from services.mandate.domain.consent import ConsentRefused, NotNetUser
from services.mandate.domain.contract import ContractRefused, NoSuchContract
from services.mandate.domain.decision import NoSuchMandate
from services.mandate.domain.session import LinkSpent, NoSuchSession, ReturnAddressRefused, SessionRefused
from services.mandate.domain.validity import local_day

Responses = dict[int | str, dict[str, Any]]
READ_ERRORS: Final[Responses] = {
    400: {"model": ErrorBody, "description": "The request is not valid; `ValidationErrorMessages` says why."},
    401: {"description": "No token, or not a trusted one; empty body."},
    403: {"description": "The caller may not do this; empty body."},
    503: {"model": ErrorBody, "description": "Try again after `Retry-After` seconds; nothing changed."},
}
ERRORS: Final[Responses] = {
    **READ_ERRORS,
    404: {"model": ErrorBody, "description": "There is no such thing, or it is not the caller's."},
    409: {"model": ErrorBody, "description": "A rule forbids it; nothing changed."},
    413: {"description": "A command has at most 64 KiB."},
    422: {"model": ErrorBody, "description": "The Idempotency-Key was used for another command."},
}
# The nearest class names the answer.
_REFUSALS: Final[Mapping[type[Exception], tuple[int, str]]] = {
    NoSuchContract: (404, "NoSuchContract"),
    ContractRefused: (409, "ContractRefused"),
    NoSuchSession: (404, "NoSuchSession"),
    LinkSpent: (409, "LinkSpent"),
    ReturnAddressRefused: (400, "ReturnAddressRefused"),
    SessionRefused: (409, "SessionRefused"),
    NotNetUser: (409, "NotNetUser"),
    ConsentRefused: (409, "ConsentRefused"),
    NoSuchMandate: (404, "NoSuchMandate"),
}
REFUSALS: Final = tuple(_REFUSALS)


class ContractAnswer(BaseModel):
    """What became of the command; `unchanged` where all was so before."""

    contract_number: str
    outcome: Literal["signed", "ended", "registered", "unchanged"]
    ended_mandate_count: int | None = Field(default=None, description="How many mandates ended with the contract.")


class ContractState(BaseModel):
    """A contract. `holder_name` is empty where the holder gave none.

    `ended_on` is the first local day without it, null while no end is known.
    """

    contract_number: str
    holder_kbo: str
    holder_name: str
    valid_from: date
    ended_on: date | None
    return_roots: list[str]


class SessionAnswer(BaseModel):
    """A session that was opened; the link is `{portal}/verbruik/dienstverlener?id=<session_id>`."""

    session_id: str
    valid_to: datetime


class ServiceAnswer(BaseModel):
    """A data service that is asked for, with its data period: both days inclusive, null for no bound."""

    type: str
    first_day: date | None = Field(alias="from")
    last_day: date | None = Field(alias="to")


class SessionState(BaseModel):
    """What a consent page shows."""

    session_id: str
    state: Literal["open", "used", "expired"]
    contract_number: str
    holder_kbo: str
    holder_name: str
    reference_number: str
    flow: str
    services: list[ServiceAnswer]
    number_of_eans: int
    return_url_success: str
    return_url_failed: str
    enterprise_number: str
    valid_to: datetime


class GrantedMandate(BaseModel):
    """A mandate that was granted; access is given until `expires_at` (exclusive)."""

    ean: str
    mandate_id: UUID
    data_service_type: str
    expires_at: datetime


class ConsentAnswer(BaseModel):
    """Everything that the customer agreed to was granted; the browser goes on to `return_url_success`, if any."""

    session_id: str
    outcome: Literal["granted"]
    mandates: list[GrantedMandate]
    return_url_success: str


class WithdrawalAnswer(BaseModel):
    """The mandate gives no access; `unchanged` where it was over before."""

    ean: str
    mandate_id: UUID
    outcome: Literal["withdrawn", "unchanged"]


class MandateState(BaseModel):
    """A mandate. `status` and `renewal_status` are what events say, `is_active` asks the clock too."""

    ean: str
    mandate_id: UUID
    contract_number: str
    holder_kbo: str
    holder_name: str
    reference_number: str
    data_service_type: str
    data_period_from: date | None
    data_period_to: date | None
    status: Literal["Approved", "Finished"]
    renewal_status: Literal["ToBeRenewed", "Expired"] | None
    is_active: bool
    granted_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
    ends_on: date | None = Field(description="First local day without access, ahead or behind; null where none.")
    end_reason: Literal["WITHDRAWN", "EXPIRED", "CUSTOMER_SWITCH", "POINT_CLOSED", "CONTRACT_ENDED"] | None


class MandatesAnswer(BaseModel):
    """Mandates, the newest first; `has_more` where the limit cut the list."""

    mandates: list[MandateState]
    has_more: bool


def refusal_answer(refusal: Exception) -> Answer:
    """The answer to a refused command."""
    kind = next(each for each in type(refusal).__mro__ if each in _REFUSALS)
    status, code = _REFUSALS[kind]
    return Answer(status, problem_body(Problem(status, code, str(refusal))))


def no_such_session() -> Problem:
    """The link was never given out: 404."""
    return Problem(HTTPStatus.NOT_FOUND, "NoSuchSession", "there is no such link")


def mandate_state(row: Mapping[str, Any], now: datetime) -> MandateState:
    """Return how the mandate in `row` stands at `now` (UTC)."""
    has_ended = row["ends_on"] is not None and row["ends_on"] <= local_day(now)
    is_finished = row["withdrawn_at"] is not None or row["expired_at"] is not None or has_ended
    return MandateState(
        **{name: row[name] for name in MandateState.model_fields if name in row and name != "end_reason"},
        status="Finished" if is_finished else "Approved",
        renewal_status=_renewal(row, is_finished=is_finished),
        is_active=not is_finished and now < row["expires_at"],
        end_reason=_reason(row),
    )


def _renewal(row: Mapping[str, Any], *, is_finished: bool) -> Literal["ToBeRenewed", "Expired"] | None:
    if row["expired_at"] is not None:
        return "Expired"
    return "ToBeRenewed" if row["signalled_at"] is not None and not is_finished else None


def _reason(row: Mapping[str, Any]) -> Any:
    if row["withdrawn_at"] is not None:
        return "WITHDRAWN"
    return "EXPIRED" if row["expired_at"] is not None else row["end_reason"]
