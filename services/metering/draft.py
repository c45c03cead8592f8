"""A reading on its way in: the event as its sender wrote it, with its line. No rule has looked at it yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

from eventlog.events import ReadingsRecorded
from services.metering.block_input import BlockInput
from services.metering.packing import pack_values, run_lengths

_MESSAGES: Final = UUID("6c1b0f0e-5b0d-5f3a-9d55-0f2f6a2d7c11")


class Unreadable(ValueError):
    """A line or record is not a reading; the message says why, in words for its sender."""


class NothingRead(ValueError):
    """Nothing in a body can be read; the message says why, in words for its sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends a body. `client_id` is the source of its readings; `speaks_for_others` lets it name another source."""

    client_id: str
    speaks_for_others: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """`event` as it came in on `line` (counted from 1).

    `is_part`: fewer slices than the day has are meant so. `has_own_id`: the sender gave the message id; else the whole
    body is one message, and `event.message_id` is "" until `identify`.
    """

    line: int
    event: ReadingsRecorded
    is_part: bool
    has_own_id: bool


def draft_of(block: BlockInput, *, source: str, source_at: datetime) -> Draft:
    """Return the draft of a block of a portal file; its rows are parts of a day (`source_at` in UTC).

    Raises:
        Unpackable: a value does not fit into 32 bits.
    """
    event = ReadingsRecorded(
        message_id="",
        source=source,
        source_at=source_at,
        source_sequence=0,
        ean=block.ean,
        meter_id=block.meter_id,
        meter_kind=block.meter_kind.name,
        channel=block.channel.name,
        day=block.day,
        first_slice=block.first_slice,
        values=pack_values(block.values),
        quality=run_lengths(block.quality),
        gas_factor=run_lengths(block.gas_factor),
        withdraws=False,
    )
    return Draft(line=block.line, event=event, is_part=True, has_own_id=False)


def body_id(body: bytes) -> str:
    """The hex SHA-256 of a body: the part of a message id that says in which body the reading came."""
    return sha256(body).hexdigest()


def message_id(body_hash: str, event: ReadingsRecorded) -> str:
    """Return the id of a reading whose sender gave none: UUIDv5 of body, block, first slice and the source's order.

    The same body sent again with the same `source_at` gives the same ids, so a retry adds nothing.
    """
    at = event.source_at.astimezone(UTC).isoformat(timespec="microseconds")
    block = (event.source, event.ean, event.meter_id, event.channel, event.day.isoformat(), str(event.first_slice))
    return str(uuid5(_MESSAGES, "|".join((body_hash, *block, at, str(event.source_sequence)))))
