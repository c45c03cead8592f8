"""Blocks and points, for the export service alone: nobody else reads values from metering."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import date, datetime
from functools import partial
from io import BytesIO
from typing import Annotated, Any, Final

import pyarrow as pa
from fastapi import APIRouter, Depends, Query
from sqlalchemy import Engine
from starlette.responses import StreamingResponse

from eventlog.problems import Problem
from eventlog.trust import Authenticator, require
from market.ean import Ean, InvalidEan, parse_ean
from services.metering import answers, store

ARROW_STREAM: Final = "application/vnd.apache.arrow.stream"
_ROWS_AT_ONCE: Final = 512


def blocks_router(
    engine: Engine, authenticator: Authenticator, *, max_days: int, catch_up: Callable[[Ean], Awaitable[None]]
) -> APIRouter:
    """Return the routes that read the store; `max_days` bounds one answer of /blocks.

    `catch_up` waits until the store has everything of a point that was appended until now, and raises one of
    `services.metering.answers.EXPECTED` where that takes too long.
    """
    may_read = require(authenticator, roles=("service",), scope="blocks.read", subject="export")
    router = APIRouter(tags=["blocks"], dependencies=[Depends(may_read)])

    @router.get(
        "/blocks",
        response_class=StreamingResponse,
        responses={**answers.ERRORS, 200: {"content": {ARROW_STREAM: {}}, "description": "An Arrow IPC stream"}},
    )
    async def blocks(
        ean: Annotated[str, Query(description="The measured point, 18 digits")],
        first_day: Annotated[date, Query(alias="from", description="First local day (gas: gas day)")],
        last_day: Annotated[date, Query(alias="to", description="Last local day (gas: gas day), inclusive")],
        changed_after: Annotated[
            datetime | None, Query(description="Only days with a block that changed after this instant (UTC)")
        ] = None,
    ) -> StreamingResponse:
        """The current blocks of one point, by channel, day and meter, a row each.

        With `changed_after`, everything appended until now is among them, or the answer is 503.
        `values` int32 (stored unit, -2147483648 missing), `quality` and `gas_factor` uint8, `recorded_at` int64 µs
        since 1970 UTC (0 where missing): little-endian, one per slice. `gas_factor` is empty where there is none.
        """
        try:
            point = parse_ean(ean)
        except InvalidEan as error:
            raise Problem(400, "ValidationError", str(error)) from None
        if not 0 <= (last_day - first_day).days < max_days:
            raise Problem(400, "ValidationError", f"ask for 1 to {max_days} days, from not after to")
        if changed_after is not None:
            await _wait(catch_up, point)
        read = partial(store.read_blocks, engine, point, first_day, last_day, changed_after=changed_after)
        table = await asyncio.to_thread(read)
        return StreamingResponse(_stream(table), media_type=ARROW_STREAM)

    @router.get("/points", response_model=answers.PointsAnswer, responses=answers.ERRORS)
    async def points() -> dict[str, Any]:
        """Every point that has readings, by EAN, with the first and last local day (gas: gas day) it has them for."""
        found = await asyncio.to_thread(store.points, engine)
        return {
            "points": [
                {
                    "ean": each.ean,
                    "energy": each.energy.value,
                    "meter_kind": each.meter_kind.name,
                    "first_day": each.first_day.isoformat(),
                    "last_day": each.last_day.isoformat(),
                }
                for each in found
            ]
        }

    return router


async def _wait(catch_up: Callable[[Ean], Awaitable[None]], point: Ean) -> None:
    try:
        await catch_up(point)
    except answers.EXPECTED as error:
        raise answers.problem_of(error) from error


def _stream(table: Any) -> Iterator[bytes]:
    sink = BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
            writer.write_batch(batch)
            yield _drained(sink)
    yield _drained(sink)


def _drained(sink: BytesIO) -> bytes:
    written = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return written
