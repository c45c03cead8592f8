"""What the API of metering answers with, for its description of itself; and the errors it can give."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, Field

from eventlog.problems import ErrorBody, Problem
from services.metering import ingest_metrics as metrics
from services.metering.body import BodyTooLarge, MemorySpent
from services.metering.draft import NothingRead
from services.metering.forms import ARROW, AVRO, CSV, NDJSON
from services.metering.ingest import Outcome
from services.metering.publisher import NotAcknowledged
from services.metering.receipts import StoreBehind
from services.metering.store import ReceiptState
from services.metering.topic_ends import KafkaAway

EXPECTED: Final = (NothingRead, BodyTooLarge, MemorySpent, NotAcknowledged, StoreBehind, KafkaAway)


class Receipt(BaseModel):
    """Where an accepted reading stands; asked for at `GET /receipts/{partition}/{offset}`."""

    partition: int
    offset: int


class LineRefusal(BaseModel):
    """A line (NDJSON, CSV) or record number (Avro), counted from 1, that was not taken, and why."""

    line: int
    reason: str


class IngestAnswer(BaseModel):
    """What became of a body. A reading is one channel of one point and meter for one day, or a part of it."""

    accepted: int = Field(description="Readings on the topic, acknowledged by all in-sync replicas")
    unchanged: int = Field(description="Readings equal to the current block, not published (`skip_unchanged`)")
    refused: int = Field(description="Lines or records refused; everything else in the body was kept")
    receipts: list[Receipt] = Field(description="One per accepted reading, in the order of the body")
    refusals: list[LineRefusal]


class ReceiptAnswer(BaseModel):
    """`waiting`: not applied yet; `stored`: can be queried; `parked`: could not be used, a human will look."""

    state: ReceiptState


class PointAnswer(BaseModel):
    """A point with readings. `energy` is E or G; days are local (gas: gas days), both ends inclusive."""

    ean: str
    energy: str
    meter_kind: str
    first_day: str
    last_day: str


class PointsAnswer(BaseModel):
    """All points that have readings."""

    points: list[PointAnswer]


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "Nothing of it can be read; the message says why."},
    401: {"description": "No token, or not a trusted one; empty body."},
    403: {"description": "The caller may not do this; empty body."},
    503: {"model": ErrorBody, "description": "Kafka, the store or memory: try again after `Retry-After` seconds."},
}
BODY_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    **ERRORS,
    413: {"model": ErrorBody, "description": "A limit on bodies is passed; the message names it. Nothing was taken."},
    415: {"model": ErrorBody, "description": f"Content-Type is none of {AVRO}, {ARROW}, {NDJSON}, {CSV}."},
}


def answer_of(outcome: Outcome) -> dict[str, Any]:
    """Return the JSON object of `outcome`, as `IngestAnswer` describes it."""
    return {
        "accepted": len(outcome.receipts),
        "unchanged": outcome.unchanged_count,
        "refused": len(outcome.refusals),
        "receipts": [{"partition": each.partition, "offset": each.offset} for each in outcome.receipts],
        "refusals": [{"line": each.line, "reason": each.reason} for each in outcome.refusals],
    }


def problem_of(error: Exception) -> Problem:
    """Return the answer to one of `EXPECTED`, and count it."""
    status, code, reason, message, after = _kind_of(error)
    metrics.TURNED_AWAY.labels(reason).inc()
    headers = {"Retry-After": str(after)} if after else {}
    return Problem(status, code, message, headers=headers)


def _kind_of(error: Exception) -> tuple[int, str, str, str, int]:
    match error:
        case NothingRead():
            return HTTPStatus.BAD_REQUEST, "Unreadable", "unreadable", str(error), 0
        case BodyTooLarge():
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "TooLarge", "too_large", str(error), 0
        case MemorySpent():
            busy = "too many readings are being taken in at once; nothing of this body was taken, send it again"
            return HTTPStatus.SERVICE_UNAVAILABLE, "Busy", "memory", busy, 1
        case StoreBehind():
            behind = "the store has not caught up with the topic, so what is unchanged is not known; send it again"
            return HTTPStatus.SERVICE_UNAVAILABLE, "StoreBehind", "store_behind", behind, 5
        case KafkaAway():
            silent = "Kafka does not answer now and nothing was published; sending the same body again is safe"
            return HTTPStatus.SERVICE_UNAVAILABLE, "KafkaUnavailable", "kafka", silent, 5
        case _:
            away = (
                "Kafka did not acknowledge in time; sending the same body again is safe, a reading that arrives twice "
                "(with the same source_at) counts once"
            )
            return HTTPStatus.SERVICE_UNAVAILABLE, "KafkaUnavailable", "kafka", away, 5
