"""The four forms in which readings come in, each turned into drafts and refusals. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.metering.arrow_readings import read_arrow
from services.metering.avro_readings import read_avro
from services.metering.block_input import Refusal
from services.metering.body import check_lines
from services.metering.draft import Draft, NothingRead, Sender, draft_of
from services.metering.ndjson import read_ndjson
from services.metering.packing import Unpackable
from services.metering.portal_csv import read_portal_csv

AVRO: Final = "avro/binary"
ARROW: Final = "application/vnd.apache.arrow.stream"
NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
MEDIA_TYPES: Final = (AVRO, ARROW, NDJSON, CSV)
_TABLES: Final = {AVRO: read_avro, ARROW: read_arrow}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one body may hold; 413 beyond."""

    max_unpacked_bytes: int
    max_record_count: int
    max_line_count: int
    max_line_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A body as it came. `source_at` (UTC) is the order of a portal file's rows; the other forms carry their own."""

    media_type: str
    body: bytes
    sender: Sender
    is_part: bool
    source_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafts:
    """What a body held: drafts and refusals by line, and rows kept although their tariff register does not fit."""

    drafts: list[Draft]
    refusals: list[Refusal]
    tariff_mismatch_count: int = 0


def read_delivery(delivery: Delivery, limits: Limits) -> Drafts:
    """Return what the body holds.

    Raises:
        NothingRead: it is none of its form at all.
        BodyTooLarge: a limit is passed; nothing is taken.
    """
    if not delivery.body:
        raise NothingRead("the body is empty")
    if read_table := _TABLES.get(delivery.media_type):
        drafts, refusals = read_table(
            delivery.body,
            default_source=delivery.sender.client_id,
            is_part=delivery.is_part,
            max_record_count=limits.max_record_count,
            max_bytes=limits.max_unpacked_bytes,
        )
        return Drafts(drafts=drafts, refusals=refusals)
    check_lines(delivery.body, max_count=limits.max_line_count, max_length=limits.max_line_bytes)
    if delivery.media_type == CSV:
        return _read_csv(delivery)
    drafts, refusals = read_ndjson(delivery.body, default_source=delivery.sender.client_id, is_part=delivery.is_part)
    return Drafts(drafts=drafts, refusals=refusals)


def _read_csv(delivery: Delivery) -> Drafts:
    portal_file = read_portal_csv(delivery.body)
    header_refusals = [refusal for refusal in portal_file.refusals if refusal.line == 1]
    if header_refusals:
        raise NothingRead(f"line 1: {header_refusals[0].reason}")
    drafts: list[Draft] = []
    refusals = list(portal_file.refusals)
    for block in portal_file.blocks:
        try:
            drafts.append(draft_of(block, source=delivery.sender.client_id, source_at=delivery.source_at))
        except Unpackable as error:
            refusals.append(Refusal(block.line, str(error)))
    return Drafts(drafts=drafts, refusals=refusals, tariff_mismatch_count=portal_file.tariff_mismatch_count)
