"""`POST /readings` and receipts: parse, hand over to ingest, answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from eventlog.problems import Problem
from eventlog.tracing import current_traceparent
from eventlog.trust import Authenticator, Caller, NotAllowed, require
from services.metering import answers
from services.metering import ingest_metrics as metrics
from services.metering.body import Lease, Memory, read_body
from services.metering.draft import Sender
from services.metering.forms import ARROW, AVRO, CSV, MEDIA_TYPES, NDJSON, Delivery
from services.metering.ingest import Ingest
from services.metering.readings_doc import POST_READINGS, READINGS_BODY
from services.metering.receipts import Receipts

_ROLES: Final = ("publisher", "operator")
_RECEIPT_SCOPES: Final = frozenset({"receipts.read", "readings.write"})
# Deflate unpacks to 1,032 times its size at most; the others are bounded by `max_unpacked_bytes` all the same.
_UNPACKING: Final = 1_032
_KNOWN_TYPES: Final = f"{AVRO} (object container), {ARROW}, {NDJSON} or {CSV} (portal file)"

Part = Annotated[
    bool, Query(description="Every reading may hold fewer slices than its day has. Rows of a CSV always may.")
]
SkipUnchanged = Annotated[
    bool | None,
    Query(
        description="Wait until the store has caught up, and publish nothing that is equal to the current block. "
        "Left out: true for text/csv, else false."
    ),
]
SourceAt = Annotated[
    AwareDatetime | None,
    Query(
        description="text/csv only: the instant (ISO 8601 with zone, such as 2026-11-20T04:00:00Z) by which these "
        "values outrank earlier ones; left out: now. The other forms carry their own."
    ),
]
Partition = Annotated[int, Path(ge=0, le=2**31 - 1, description="`partition` of the receipt")]
Offset = Annotated[int, Path(ge=0, le=2**63 - 1, description="`offset` of the receipt")]


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How large a body may be, as sent and (Avro, Arrow) unpacked, and how long it may take to arrive."""

    max_bytes: int
    max_unpacked_bytes: int
    arrive_seconds: float


def readings_router(
    ingest: Ingest,
    authenticator: Authenticator,
    *,
    memory: Memory,
    limits: BodyLimits,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> APIRouter:
    """Return the routes of ingest; `clock` gives the time in UTC."""
    metrics.MEMORY_BYTES.set_function(lambda: memory.taken)
    router = APIRouter(tags=["readings"])
    may_write = require(authenticator, roles=_ROLES, scope="readings.write")
    may_ask = require(authenticator, roles=_ROLES)

    @router.post(
        "/readings",
        status_code=HTTPStatus.ACCEPTED,
        response_model=answers.IngestAnswer,
        responses=answers.BODY_ERRORS,
        openapi_extra={"requestBody": READINGS_BODY},
        description=POST_READINGS,
    )
    async def take_readings(
        request: Request,
        caller: Caller = Depends(may_write),  # noqa: B008
        part: Part = False,
        skip_unchanged: SkipUnchanged = None,
        source_at: SourceAt = None,
    ) -> JSONResponse:
        media_type = media_type_of(request, MEDIA_TYPES, _KNOWN_TYPES)
        now = clock()
        try:
            with memory.lease() as lease:
                body = await arrived_body(request, media_type, lease, limits)
                delivery = Delivery(
                    media_type=media_type,
                    body=body,
                    sender=Sender(client_id=caller.subject, speaks_for_others="operator" in caller.roles),
                    is_part=part,
                    source_at=(source_at or now).astimezone(UTC),
                )
                outcome = await ingest.take(
                    delivery,
                    skip_unchanged=media_type == CSV if skip_unchanged is None else skip_unchanged,
                    now=now,
                    correlation_id=new_id(),
                    traceparent=current_traceparent(),
                )
        except answers.EXPECTED as error:
            raise answers.problem_of(error) from None
        return JSONResponse(answers.answer_of(outcome), status_code=HTTPStatus.ACCEPTED)

    @router.get(
        "/receipts/{partition}/{offset}",
        response_model=answers.ReceiptAnswer,
        responses={**answers.ERRORS, 404: {"description": "The topic does not reach that far."}},
    )
    async def receipt(
        partition: Partition,
        offset: Offset,
        caller: Caller = Depends(may_ask),  # noqa: B008
    ) -> dict[str, Any]:
        """Say what became of an accepted reading."""
        return await answer_receipt(ingest.receipts, caller, partition, offset)

    return router


async def answer_receipt(receipts: Receipts, caller: Caller, partition: int, offset: int) -> dict[str, Any]:
    """Return what became of an accepted record.

    Raises:
        NotAllowed, Problem: the caller may not ask, there is no such record, or Kafka does not say.
    """
    if not (caller.is_person or caller.scopes & _RECEIPT_SCOPES):
        raise NotAllowed
    try:
        state = await receipts.state(partition, offset)
    except answers.EXPECTED as error:
        raise answers.problem_of(error) from None
    if state is None:
        raise Problem(404, "NoSuchReceipt", "the topic does not reach that far; ask for a receipt as it was given")
    return {"state": state}


def media_type_of(request: Request, allowed: Collection[str], words: str) -> str:
    """Return the media type of a body; `words` name those that are `allowed`.

    Raises:
        Problem: 415.
    """
    given, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = parameters.partition("charset=")[2].strip().strip('"')
    if given.strip() not in allowed or charset not in {"", "utf-8", "utf8"}:
        raise Problem(415, "UnsupportedMediaType", f"send Content-Type {words}, in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "UnsupportedMediaType", "send the body without Content-Encoding")
    return given.strip()


async def arrived_body(request: Request, media_type: str, lease: Lease, limits: BodyLimits) -> bytes:
    """Return the body, with memory reserved for what it may become.

    Raises:
        Problem: it did not arrive whole, or not in time.
        BodyTooLarge, MemorySpent: as `read_body`.
    """
    declared = request.headers.get("content-length", "")
    try:
        async with asyncio.timeout(limits.arrive_seconds):
            body = await read_body(
                request.stream(),
                declared_length=int(declared) if declared.isdecimal() else None,
                max_bytes=limits.max_bytes,
                lease=lease,
            )
    except TimeoutError:
        raise Problem(408, "TooSlow", "the body did not arrive in time; send it again") from None
    except ClientDisconnect:
        raise Problem(400, "Incomplete", "the body did not arrive whole; send it again") from None
    if media_type in (AVRO, ARROW):
        lease.take(min(limits.max_unpacked_bytes, _UNPACKING * len(body)))
    metrics.BODY_BYTES.labels(media_type).inc(len(body))
    return body
