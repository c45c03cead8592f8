"""Carries out what mandate is asked: load, decide, append, and the read model in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from eventlog import event_store
from eventlog.events import DataAccessContractEnded, Event
from market.ean import Ean
from services.mandate import store
from services.mandate.domain import contract, decision, mandate, session
from services.mandate.domain.consent import Consent, PointUse, grants
from services.mandate.domain.contract import ContractCommand
from services.mandate.domain.decision import (
    EndForContract,
    EndForSwitch,
    PassTime,
    PointCommand,
    WithdrawMandate,
)
from services.mandate.domain.session import DataServiceType, NoSuchSession, OpenSession, SessionId, UseSession
from services.mandate.domain.switch import Switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a change comes from: its instant (UTC), the request that led to it, and the event that did, if one did."""

    now: datetime
    correlation_id: UUID
    causation_id: UUID | None = None


def handle_contract(tx: Connection, command: ContractCommand, origin: Origin) -> list[Event]:
    """Carry out `command` and return the events it caused on all streams; an empty list when nothing changed.

    The end of a contract ends all its mandates with it.

    Raises:
        ContractRefused: a rule forbids it; nothing is written.
        StreamChanged: another command came in between; safe to try again in a new transaction.
    """
    if isinstance(command, contract.EndContract):
        store.begin_ends(tx)
    stream = contract.stream_of(command.contract_number)
    past, version = event_store.load(tx, stream)
    events = contract.decide(command, contract.fold(past))
    _append(tx, stream, events, version, origin)
    ended = next((each for each in events if isinstance(each, DataAccessContractEnded)), None)
    if ended is None:
        return events
    end = EndForContract(contract_number=ended.contract_number, ended_on=ended.ended_on, now=origin.now)
    eans = store.eans_under_contract(tx, command.contract_number)
    return [*events, *_handle_points(tx, {ean: [end] for ean in eans}, origin)]


def open_session(tx: Connection, command: OpenSession, origin: Origin) -> list[Event]:
    """Carry out `command` and return its event.

    Raises:
        SessionRefused: a rule forbids it; nothing is written.
    """
    contract_past, _ = event_store.load(tx, contract.stream_of(command.contract_number))
    events = session.decide(command, session.fold([], contract.fold(contract_past)))
    _append(tx, session.stream_of(command.session_id), events, 0, origin)
    return events


def consent(
    tx: Connection,
    session_id: SessionId,
    wish: Consent,
    uses: Sequence[PointUse],
    mandate_ids: dict[tuple[Ean, DataServiceType], UUID],
    origin: Origin,
) -> list[Event]:
    """Use the session up and grant what the customer agrees to, all of it or nothing; return all events.

    `uses` are the customer's points as the register had them a moment ago; what it has said since is read here.

    Raises:
        SessionRefused, ConsentRefused: a rule forbids it; nothing is written.
        StreamChanged: another command came in between; safe to try again in a new transaction.
    """
    store.begin_grants(tx)
    stream = session.stream_of(session_id)
    past, version = event_store.load(tx, stream)
    opening = session.fold(past, contract.UNSIGNED).opening
    if opening is None:
        raise NoSuchSession("there is no such link")
    contract_past, _ = event_store.load(tx, contract.stream_of(opening.contract_number))
    state = session.fold(past, contract.fold(contract_past))
    events = session.decide(UseSession(now=wish.now), state)
    commands: dict[Ean, list[PointCommand]] = {ean: [] for ean in wish.eans}
    for grant in grants(wish, opening, uses, store.find_switches(tx, wish.eans), mandate_ids):
        commands[grant.ean].append(grant)
    _append(tx, stream, events, version, origin)
    return [*events, *_handle_points(tx, commands, origin)]


def withdraw(tx: Connection, ean: Ean, command: WithdrawMandate, origin: Origin) -> list[Event]:
    """Carry out `command` and return its event; an empty list when the mandate is over already.

    Raises:
        NoSuchMandate: it is not there, or not the caller's.
        StreamChanged: another command came in between; safe to try again in a new transaction.
    """
    return _handle_points(tx, {ean: [command]}, origin)


def end_for_switch(tx: Connection, switch: Switch, stream_version: int, origin: Origin) -> list[Event]:
    """End what `switch` ends, and keep it for what is granted just now; `stream_version` is that of its event.

    Raises:
        StreamChanged: another command came in between; safe to try again in a new transaction.
    """
    store.begin_ends(tx)
    store.keep_switch(tx, switch, stream_version)
    return _handle_points(tx, {switch.ean: [EndForSwitch(switch=switch, now=origin.now)]}, origin)


def pass_time(tx: Connection, eans: Sequence[Ean], origin: Origin) -> list[Event]:
    """Write what the calendar asks of the mandates of `eans`.

    Raises:
        StreamChanged: another command came in between; safe to try again in a new transaction.
    """
    return _handle_points(tx, {ean: [PassTime(now=origin.now)] for ean in eans}, origin)


def _handle_points(tx: Connection, commands: dict[Ean, list[PointCommand]], origin: Origin) -> list[Event]:
    """Carry out the commands of each point, in the order of the EANs, so that nobody waits in a circle."""
    pasts = event_store.load_many(tx, [mandate.stream_of(ean) for ean in commands])
    caused: list[Event] = []
    for ean in sorted(commands):
        stream = mandate.stream_of(ean)
        past, version = pasts[stream]
        state, events = mandate.fold(past), list[Event]()
        for command in commands[ean]:
            for event in decision.decide(command, state):
                state = mandate.evolve(state, event)
                events.append(event)
        _append(tx, stream, events, version, origin)
        caused += events
    return caused


def _append(tx: Connection, stream: str, events: Sequence[Event], version: int, origin: Origin) -> None:
    event_store.append(
        tx,
        stream,
        events,
        expected_version=version,
        correlation_id=origin.correlation_id,
        causation_id=origin.causation_id,
        recorded_at=origin.now,
    )
    store.write(tx, events)
