"""What is decided about the mandates of one point. Nothing here looks at a clock: time comes in with the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, assert_never
from uuid import UUID

from eventlog.events import (
    ConsentSessionOpened,
    Event,
    MandateEnded,
    MandateExpired,
    MandateGranted,
    MandateToBeRenewed,
    MandateWithdrawn,
)
from market.ean import Ean
from services.mandate.domain.mandate import Mandate, Mandates
from services.mandate.domain.session import RequestedService
from services.mandate.domain.switch import EndReason, Switch
from services.mandate.domain.validity import day_begins, expiry_of, renewal_opens_at

# A reason that is closer to the point says more: it may be named after another for the same day.
_RANK: Final[Mapping[str, int]] = {"POINT_CLOSED": 0, "CUSTOMER_SWITCH": 1, "CONTRACT_ENDED": 2}


class NoSuchMandate(Exception):
    """There is no such mandate, or it is not the caller's: the same words for both."""

    def __init__(self) -> None:
        super().__init__("there is no such mandate of yours")


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantMandate:
    """Let the holder of `session` read `service` of the point; `net_user_id` is there since `occupied_from`.

    `switches` are those that the register announced already: what ends the mandate ends it from the start. `now` is
    UTC.
    """

    ean: Ean
    mandate_id: UUID
    session: ConsentSessionOpened
    service: RequestedService
    net_user_id: UUID
    occupied_from: date
    switches: tuple[Switch, ...]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawMandate:
    """Take back a mandate that one of `net_user_ids`, all the same person, granted."""

    mandate_id: UUID
    net_user_ids: frozenset[UUID]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndForSwitch:
    """End what `switch` ends."""

    switch: Switch
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndForContract:
    """End every mandate under a contract; `ended_on` is the first local day without it."""

    contract_number: str
    ended_on: date
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTime:
    """Signal and expire what the calendar asks for at `now` (UTC)."""

    now: datetime


PointCommand = GrantMandate | WithdrawMandate | EndForSwitch | EndForContract | PassTime


def decide(command: PointCommand, state: Mandates) -> list[Event]:
    """Return the events that follow from `command`; an empty list when nothing changes.

    Raises:
        NoSuchMandate: the mandate is not there, or not the caller's.
    """
    match command:
        case GrantMandate():
            return _grant(command)
        case WithdrawMandate():
            return _withdraw(command, state)
        case EndForSwitch():
            return _end_for_switch(command, state)
        case EndForContract():
            return _end_for_contract(command, state)
        case PassTime():
            return [event for each in state.by_id.values() for event in _pass_time(command.now, each)]
        case _:
            assert_never(command)


def _grant(command: GrantMandate) -> list[Event]:
    granted = MandateGranted(
        ean=command.ean,
        mandate_id=command.mandate_id,
        session_id=command.session.session_id,
        contract_number=command.session.contract_number,
        holder_kbo=command.session.holder_kbo,
        reference_number=command.session.reference_number,
        data_service_type=command.service.type,
        data_period_from=command.service.first_day,
        data_period_to=command.service.last_day,
        net_user_id=command.net_user_id,
        occupied_from=command.occupied_from,
        granted_at=command.now,
        expires_at=expiry_of(command.now),
    )
    mandate = Mandate(granted=granted)
    for switch in command.switches:
        if switch.ends(command.net_user_id, command.occupied_from):
            end = _end(mandate, switch.reason, switch.first_day, command.now)
            mandate = replace(mandate, end=end or mandate.end)
    return [granted] if mandate.end is None else [granted, mandate.end]


def _withdraw(command: WithdrawMandate, state: Mandates) -> list[Event]:
    mandate = state.by_id.get(command.mandate_id)
    if mandate is None or mandate.granted.net_user_id not in command.net_user_ids:
        raise NoSuchMandate
    if mandate.has_ended(command.now):
        return []
    return [MandateWithdrawn(ean=mandate.granted.ean, mandate_id=command.mandate_id, withdrawn_at=command.now)]


def _end_for_switch(command: EndForSwitch, state: Mandates) -> list[Event]:
    switch = command.switch
    ends = [
        _end(each, switch.reason, switch.first_day, command.now)
        for each in state.by_id.values()
        if switch.ends(each.granted.net_user_id, each.granted.occupied_from)
    ]
    return [each for each in ends if each]


def _end_for_contract(command: EndForContract, state: Mandates) -> list[Event]:
    ends = [
        _end(each, "CONTRACT_ENDED", command.ended_on, command.now)
        for each in state.by_id.values()
        if each.granted.contract_number == command.contract_number
    ]
    return [each for each in ends if each]


def _end(mandate: Mandate, reason: EndReason, ends_on: date, now: datetime) -> MandateEnded | None:
    """The end of `mandate`; None where it is over, or ends no later for a reason as close."""
    if mandate.is_over or day_begins(ends_on) >= mandate.granted.expires_at:
        return None
    known = mandate.end
    if known is not None and (known.ends_on, _RANK[known.reason]) <= (ends_on, _RANK[reason]):
        return None
    granted = mandate.granted
    return MandateEnded(ean=granted.ean, mandate_id=granted.mandate_id, reason=reason, ends_on=ends_on, ended_at=now)


def _pass_time(now: datetime, mandate: Mandate) -> list[Event]:
    granted = mandate.granted
    if mandate.has_ended(now):
        return []
    if now >= granted.expires_at:
        return [MandateExpired(ean=granted.ean, mandate_id=granted.mandate_id, expired_at=now)]
    is_due = now >= renewal_opens_at(granted.expires_at)
    if not is_due or mandate.is_to_be_renewed or mandate.end is not None:
        return []
    return [MandateToBeRenewed(ean=granted.ean, mandate_id=granted.mandate_id, signalled_at=now)]
