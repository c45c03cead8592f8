"""Consent sessions: a holder asks a customer for mandates; the link is good once, for fourteen days.

One stream per session, `session:<session id>`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import reduce
from typing import Final, Literal, NewType, assert_never

from eventlog.events import ConsentSessionOpened, ConsentSessionUsed, Event
from market.kbo import Kbo
from services.mandate.domain.addresses import is_below
from services.mandate.domain.contract import Contract, ContractNumber
from services.mandate.domain.validity import local_day

SessionId = NewType("SessionId", str)
ReferenceNumber = NewType("ReferenceNumber", str)
DataServiceType = Literal["VH_onbepaald", "VH_kwartier_uur", "VH_dag", "IG"]
Flow = Literal["B2C", "B2B"]

EAN_LIMIT: Final = 100
LINK_LIFETIME: Final = timedelta(days=14)
_REFERENCE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class SessionRefused(Exception):
    """A rule forbids the command; the message says which."""


class ReturnAddressRefused(SessionRefused):
    """The browser may not be sent there."""


class NoSuchSession(SessionRefused):
    """The link was never given out."""


class LinkSpent(SessionRefused):
    """The link was used, or its time is over."""


class InvalidReference(ValueError):
    """The text is not a reference number; the message does not repeat it."""


def parse_reference(text: str) -> ReferenceNumber:
    """Return `text` as a holder's own reference.

    Raises:
        InvalidReference: not 1 to 64 of the letters allowed.
    """
    if not _REFERENCE.fullmatch(text):
        raise InvalidReference("a reference number is 1 to 64 of A-Z a-z 0-9 - _ .")
    return ReferenceNumber(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedService:
    """A data service and its data period; both days (gas: gas days) inclusive, None for no bound."""

    type: DataServiceType
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """Ask a customer for `services` of at most `number_of_eans` points; `session_id` is random. `now` is UTC.

    The return addresses are empty for none; `enterprise_number` is the customer's, empty for none.
    """

    session_id: SessionId
    contract_number: ContractNumber
    holder_kbo: Kbo
    reference_number: ReferenceNumber
    flow: Flow
    services: tuple[RequestedService, ...]
    number_of_eans: int
    return_url_success: str
    return_url_failed: str
    enterprise_number: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UseSession:
    """The customer consented, at `now` (UTC)."""

    now: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """The state of one session, under the `contract` it belongs to; `opening` is None until it is opened."""

    contract: Contract
    opening: ConsentSessionOpened | None = None
    used_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether the link is good at `now`."""
        return self.opening is not None and self.used_at is None and now < self.opening.valid_to


def stream_of(session_id: str) -> str:
    """The stream that holds all events of the session."""
    return f"session:{session_id}"


def decide(command: OpenSession | UseSession, state: Session) -> list[Event]:
    """Return the events that follow from `command`.

    Raises:
        SessionRefused: a rule forbids the command.
    """
    match command:
        case OpenSession():
            return _open(command, state.contract)
        case UseSession():
            return _use(command, state)
        case _:
            assert_never(command)


def _open(command: OpenSession, contract: Contract) -> list[Event]:
    if contract.signature is None or contract.signature.holder_kbo != command.holder_kbo:
        raise SessionRefused("this holder has no contract with this number")
    if not contract.is_in_force(local_day(command.now)):
        raise SessionRefused("the contract is not in force")
    _check_wish(command)
    _check_addresses(command, contract)
    return [
        ConsentSessionOpened(
            session_id=command.session_id,
            contract_number=command.contract_number,
            holder_kbo=command.holder_kbo,
            reference_number=command.reference_number,
            flow=command.flow,
            services=services_text(command.services),
            number_of_eans=command.number_of_eans,
            return_url_success=command.return_url_success,
            return_url_failed=command.return_url_failed,
            enterprise_number=command.enterprise_number,
            valid_to=command.now + LINK_LIFETIME,
        )
    ]


def _check_wish(command: OpenSession) -> None:
    types = [each.type for each in command.services]
    if not types or len(set(types)) != len(types):
        raise SessionRefused("ask for one to four data services, each type once")
    if not 1 <= command.number_of_eans <= EAN_LIMIT:
        raise SessionRefused(f"a customer picks 1 to {EAN_LIMIT} points")
    for each in command.services:
        if each.first_day is not None and each.last_day is not None and each.first_day > each.last_day:
            raise SessionRefused("a data period begins after its end")


def _check_addresses(command: OpenSession, contract: Contract) -> None:
    addresses = (command.return_url_success, command.return_url_failed)
    if any(addresses) and not all(addresses):
        raise ReturnAddressRefused("give both return addresses or neither")
    if any(address and not is_below(address, contract.roots) for address in addresses):
        raise ReturnAddressRefused("a return address begins with a return root that is registered for the contract")


def _use(command: UseSession, state: Session) -> list[Event]:
    if state.opening is None:
        raise NoSuchSession("there is no such link")
    if state.used_at is not None:
        raise LinkSpent("the link was used before")
    if command.now >= state.opening.valid_to:
        raise LinkSpent("the time of the link is over")
    if not state.contract.is_in_force(local_day(command.now)):
        raise LinkSpent("the contract of the data access holder is not in force")
    return [ConsentSessionUsed(session_id=state.opening.session_id, used_at=command.now)]


def services_text(services: Iterable[RequestedService]) -> str:
    """Return `services` as the JSON text that the event carries."""
    return json.dumps(
        [{"type": each.type, "from": _day(each.first_day), "to": _day(each.last_day)} for each in services]
    )


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def parse_services(text: str) -> tuple[RequestedService, ...]:
    """Return the services in the JSON `text` of an event that `services_text` wrote."""
    return tuple(
        RequestedService(type=each["type"], first_day=_parse_day(each["from"]), last_day=_parse_day(each["to"]))
        for each in json.loads(text)
    )


def _parse_day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def evolve(state: Session, event: Event) -> Session:
    """Return the state after `event`."""
    match event:
        case ConsentSessionOpened():
            return replace(state, opening=event)
        case ConsentSessionUsed():
            return replace(state, used_at=event.used_at)
        case _:
            return state


def fold(events: Iterable[Event], contract: Contract) -> Session:
    """Return the state after all `events` of one stream, in order, under `contract`."""
    return reduce(evolve, events, Session(contract))
