"""Carries out what the register is asked: load, decide, append, and the read model in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from eventlog import event_store
from eventlog.event_store import StreamChanged
from eventlog.events import AccessPointRegistered, Event, NetUserRegistered, SubHeadPointAdded
from market.ean import Ean
from market.kbo import Kbo
from services.register import store
from services.register.domain.closing import check_replacement
from services.register.domain.commands import CloseAccessPoint, MoveIn, PointCommand
from services.register.domain.decision import decide
from services.register.domain.net_user import RegisterNetUser, net_user_stream_of, register_net_user
from services.register.domain.point import AccessPoint, evolve, fold, stream_of
from services.register.domain.refusals import RegistrationRefused
from services.register.personal_data import PersonalData, seal, unseal
from services.register.store import KnownNetUser, Reference


class PartRefused(Exception):
    """One of several commands is refused, so none of them was carried out; `place` counts from 0."""

    def __init__(self, place: int, refusal: RegistrationRefused) -> None:
        super().__init__(str(refusal))
        self.place = place
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNetUser:
    """Somebody to take in, with the id, key (32 bytes) and nonce (12 bytes) to be used if they are not known yet."""

    reference: Reference
    is_household: bool
    data: PersonalData
    net_user_id: UUID
    key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)


def handle(
    tx: Connection, ean: Ean, commands: Sequence[PointCommand], *, now: datetime, correlation_id: UUID
) -> list[list[Event]]:
    """Carry out `commands`, all about the point `ean`, and return the events that each caused (none: unchanged).

    Raises:
        PartRefused: a rule forbids one; nothing is written.
        StreamChanged: another command on this point came in between; safe to try again in a new transaction.
    """
    stream = stream_of(ean)
    past, version = event_store.load(tx, stream)
    state = fold(past)
    caused: list[list[Event]] = []
    with tx.begin_nested():
        for place, command in enumerate(commands):
            try:
                events = _decide(tx, command, state)
            except RegistrationRefused as refusal:
                raise PartRefused(place, refusal) from None
            for event in events:
                state = evolve(state, event)
            caused.append(events)
        news = [event for events in caused for event in events]
        event_store.append(tx, stream, news, expected_version=version, correlation_id=correlation_id, recorded_at=now)
        store.write(tx, news)
    return caused


def _decide(tx: Connection, command: PointCommand, state: AccessPoint) -> list[Event]:
    """Decide, with the rules that look beyond the point: who exists, and which EAN is whose."""
    if isinstance(command, MoveIn) and not store.has_net_user(tx, command.net_user_id):
        raise RegistrationRefused("the register does not know this net user; register them first")
    events = decide(command, state)
    if events and isinstance(command, CloseAccessPoint) and command.replaced_by:
        check_replacement(state, fold(event_store.load(tx, stream_of(Ean(command.replaced_by)))[0]))
    for event in events:
        if isinstance(event, AccessPointRegistered):
            _claim(tx, event.ean, event.ean, "a sub head point has this EAN")
        if isinstance(event, SubHeadPointAdded):
            _claim(tx, event.sub_ean, event.ean, "another point has the EAN of this sub head point")
    return events


def _claim(tx: Connection, ean: Ean, head_ean: Ean, refusal: str) -> None:
    owner = store.claim_ean(tx, ean, head_ean)
    if owner == head_ean:
        raise StreamChanged("another command on this point gave the EAN out meanwhile")
    if owner is not None:
        raise RegistrationRefused(refusal)


def take_in(
    tx: Connection, new: NewNetUser, *, now: datetime, correlation_id: UUID
) -> tuple[UUID, NetUserRegistered | None]:
    """Take `new` in and return the id and the event; the id of before, and None, where they are known just so.

    Raises:
        RegistrationRefused: a rule forbids it, or they are known with other data; nothing is written.
        StreamChanged: another command took the same person in meanwhile; safe to try again in a new transaction.
    """
    known = store.find_net_user(tx, new.reference)
    if known is not None:
        _check_known(tx, known, new)
        return known.net_user_id, None
    command = RegisterNetUser(
        net_user_id=new.net_user_id,
        is_household=new.is_household,
        kbo=Kbo(new.reference.kbo) if new.reference.kbo else "",
        sealed=seal(new.data, net_user_id=new.net_user_id, key=new.key, nonce=new.nonce),
        now=now,
    )
    event = register_net_user(command)
    if not store.add_net_user(tx, new.net_user_id, new.reference, is_household=new.is_household, key=new.key):
        raise StreamChanged("somebody with this reference was taken in meanwhile")
    stream = net_user_stream_of(new.net_user_id)
    event_store.append(tx, stream, [event], expected_version=0, correlation_id=correlation_id, recorded_at=now)
    return new.net_user_id, event


def _check_known(tx: Connection, known: KnownNetUser, new: NewNetUser) -> None:
    past, _ = event_store.load(tx, net_user_stream_of(known.net_user_id))
    sealed = next(event.personal_data for event in past if isinstance(event, NetUserRegistered))
    data = unseal(sealed, net_user_id=known.net_user_id, key=known.key)
    if (known.is_household, data) != (new.is_household, new.data):
        raise RegistrationRefused("the net user is registered already, with other data")
