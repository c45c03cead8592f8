"""Blocks and points, for the export service alone: nobody else reads values from metering."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from functools import partial
from io import BytesIO
from typing import Annotated, Any, Final

import pyarrow as pa
from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime
from sqlalchemy import Engine
from starlette.responses import Response, StreamingResponse

from eventlog.problems import Problem
from eventlog.trust import Authenticator, require
from market.ean import Ean, InvalidEan, parse_ean
from services.metering import answers, history, store

ARROW_STREAM: Final = "application/vnd.apache.arrow.stream"
_ROWS_AT_ONCE: Final = 512
_MOST_CHANGES: Final = 100_000


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
            AwareDatetime | None, Query(description="Only days with a block that changed after this instant")
        ] = None,
        as_of: Annotated[
            AwareDatetime | None, Query(description="The blocks as the store knew them at this instant")
        ] = None,
    ) -> Response:
        """The blocks of one point, by channel, day and meter, a row each: the current ones, or those of an instant.

        With `changed_after` or `as_of`, everything appended until now is looked at, or the answer is 503.
        `values` int32 (stored unit, -2147483648 missing), `quality` and `gas_factor` uint8, `recorded_at` int64 µs
        since 1970 UTC (0 where missing): little-endian, one per slice. `gas_factor` is empty where there is none.
        """
        try:
            point = parse_ean(ean)
        except InvalidEan as error:
            raise Problem(400, "ValidationError", str(error)) from None
        if not 0 <= (last_day - first_day).days < max_days:
            raise Problem(400, "ValidationError", f"ask for 1 to {max_days} days, from not after to")
        if changed_after is not None and as_of is not None:
            raise Problem(400, "ValidationError", "ask for changed_after or as_of, not for both")
        if changed_after is not None or as_of is not None:
            await _wait(catch_up, point)
        if as_of is not None:
            read = partial(history.read_blocks_as_of, engine, point, first_day, last_day, as_of)
        else:
            read = partial(store.read_blocks, engine, point, first_day, last_day, changed_after=changed_after)
        return await asyncio.to_thread(lambda: _answer(read()))

    @router.get(
        "/changes",
        response_class=StreamingResponse,
        responses={**answers.ERRORS, 200: {"content": {ARROW_STREAM: {}}, "description": "An Arrow IPC stream"}},
    )
    async def changes(
        partition: Annotated[int, Query(ge=0, le=2**15 - 1, description="Partition of meter-readings")],
        offset: Annotated[int, Query(ge=0, le=2**62, description="Where to begin, or go on: Next-Offset")] = 0,
        limit: Annotated[int, Query(ge=1, le=_MOST_CHANGES, description="How many records to look at")] = 10_000,
    ) -> StreamingResponse:
        """Which blocks changed by the records from `offset` on: ean, day, channel, meter_id, record_offset.

        The header `Next-Offset` says where to go on, `Is-All` (true or false) whether nothing lies behind it now. Who
        goes on misses no change; a block that changed again since comes once, at its later record.
        """
        found = await asyncio.to_thread(partial(history.changes_since, engine, partition, offset, limit=limit))
        headers = {"Next-Offset": str(found.next_offset), "Is-All": str(found.is_all).lower()}
        return StreamingResponse(_stream(found.table), media_type=ARROW_STREAM, headers=headers)

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


def _answer(table: Any) -> Response:
    """Return `table` as a whole where it is short: each piece of a stream costs a change of threads."""
    if len(table) <= _ROWS_AT_ONCE:
        return Response(b"".join(_stream(table)), media_type=ARROW_STREAM)
    return StreamingResponse(_stream(table), media_type=ARROW_STREAM)


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
