"""Carries out what mandate is asked: load, decide, append."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from eventlog import event_store
from eventlog.events import Event
from services.mandate.domain import SignContract, decide, fold, stream_of


def handle(tx: Connection, command: SignContract, *, now: datetime, correlation_id: UUID) -> list[Event]:
    """Carry out `command` within `tx` and return the events it caused; an empty list when nothing changed.

    Raises:
        ContractRefused: a rule forbids it; nothing is written.
        StreamChanged: another command on this contract came in between; safe to try again in a new transaction.
    """
    stream = stream_of(command.contract_number)
    past, version = event_store.load(tx, stream)
    events = decide(command, fold(past))
    event_store.append(tx, stream, events, expected_version=version, correlation_id=correlation_id, recorded_at=now)
    return events
