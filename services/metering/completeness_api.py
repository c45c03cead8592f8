"""What is there and what is missing, for operators; totals and peaks by month, for export alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Engine

from eventlog.problems import Problem
from eventlog.trust import Authenticator, require
from market.channel import BY_NAME
from market.ean import Ean, InvalidEan, parse_ean
from market.quality import Quality
from services.metering import answers
from services.metering.completeness import By, Row
from services.metering.completeness_store import read_completeness, read_gaps, read_months, read_peak_history
from services.metering.months import Month, Peak

_MOST_DAYS: Final = 3 * 366 + 1
_MOST_MONTHS: Final = 37
_MOST_POINTS: Final = 10_000

Point = Annotated[str, Query(alias="ean", description="The measured point, 18 digits")]
FirstMonth = Annotated[date, Query(alias="from", description="First day of the first month")]
LastMonth = Annotated[date, Query(alias="to", description="First day of the last month, inclusive")]


def completeness_router(engine: Engine, authenticator: Authenticator, *, clock: Callable[[], datetime]) -> APIRouter:
    """Return the routes; `clock` gives the time in UTC. What is due is judged by it, when it is asked."""
    router = APIRouter(tags=["completeness"])
    may_count = require(authenticator, roles=("operator", "service"), scope="completeness.read")
    may_read = require(authenticator, roles=("service",), scope="blocks.read", subject="export")

    @router.get("/completeness", dependencies=[Depends(may_count)], responses=answers.ERRORS)
    async def completeness(
        ean: Point,
        first_day: Annotated[date, Query(alias="from", description="First local day (gas: gas day)")],
        last_day: Annotated[date, Query(alias="to", description="Last local day (gas: gas day), inclusive")],
        by: Annotated[By, Query(description="What one row is about")] = By.DAY,
    ) -> dict[str, Any]:
        """Slices of a point by series and day, month or year: expected, present, missing, not yet due, estimated,
        late, unexpected; and how many blocks were revised. `known`: whether the register has the point."""
        if not 0 <= (last_day - first_day).days < _MOST_DAYS:
            raise Problem(400, "ValidationError", f"ask for 1 to {_MOST_DAYS} days, from not after to")
        point, now = _point(ean), clock()
        found = await asyncio.to_thread(read_completeness, engine, point, first_day, last_day, now=now, by=by)
        return {"ean": point, "known": found.is_known, "rows": [_row(row) for row in found.rows]}

    @router.get("/gaps", dependencies=[Depends(may_count)], responses=answers.ERRORS)
    async def gaps(
        day: Annotated[date, Query(description="Local day (gas: gas day)")],
        after: Annotated[str | None, Query(description="`next` of the answer before; left out: from the start")] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST_POINTS, description="How many points to look at")] = 1_000,
    ) -> dict[str, Any]:
        """The series due on `day` and not complete, by EAN, among `limit` points; `next` is null at the end."""
        last = _point(after) if after else None
        found, on = await asyncio.to_thread(read_gaps, engine, day, after=last, limit=limit, now=clock())
        return {"gaps": [{"ean": gap.ean, **_row(gap.row)} for gap in found], "next": on}

    @router.get("/months", dependencies=[Depends(may_read)], responses=answers.ERRORS)
    async def months(ean: Point, first: FirstMonth, last: LastMonth) -> dict[str, Any]:
        """Total and peak of each month and series in the stored unit, with what they are made of; `final` once nothing
        of the month is missing or still to come."""
        span = (last.year - first.year) * 12 + last.month - first.month
        if first.day != 1 or last.day != 1 or not 0 <= span < _MOST_MONTHS:
            raise Problem(400, "ValidationError", f"ask for 1 to {_MOST_MONTHS} months by their first days")
        found = await asyncio.to_thread(read_months, engine, _point(ean), first, last, now=clock())
        return {"months": [_month(each) for each in found]}

    @router.get("/peak-history", dependencies=[Depends(may_read)], responses=answers.ERRORS)
    async def history(
        ean: Point,
        month: Annotated[date, Query(description="First day of the month")],
        channel: Annotated[str, Query(description="Such as OFFTAKE_ACTIVE_QUARTER_HOURLY")],
    ) -> dict[str, Any]:
        """What the peak of a series in a month was, from each instant on at which that changed."""
        if channel not in BY_NAME or month.day != 1:
            raise Problem(400, "ValidationError", "name a channel, and a month by its first day")
        found = await asyncio.to_thread(read_peak_history, engine, _point(ean), month, BY_NAME[channel])
        return {"history": [{"recorded_at": _instant(at), "peak": _peak(peak)} for at, peak in found]}

    return router


def _point(text: str) -> Ean:
    try:
        return parse_ean(text)
    except InvalidEan as error:
        raise Problem(400, "ValidationError", str(error)) from None


def _row(row: Row) -> dict[str, Any]:
    return {
        "first_on": row.first_on.isoformat(),
        "channel": row.channel.name,
        "expected": row.expected,
        "present": row.present,
        "missing": row.missing,
        "not_yet_due": row.not_yet_due,
        "estimated": row.estimated,
        "late": row.late,
        "unexpected": row.unexpected,
        "revised_blocks": row.revised_blocks,
    }


def _month(month: Month) -> dict[str, Any]:
    return {
        **_row(month.counts),
        "unit": month.channel.stored_unit,
        "total": month.total,
        "weakest_quality": Quality(month.weakest_quality).name,
        "peak": _peak(month.peak),
        "final": month.is_final,
    }


def _peak(peak: Peak | None) -> dict[str, Any] | None:
    if peak is None:
        return None
    return {"value": peak.value, "starts_at": _instant(peak.starts_at), "quality": Quality(peak.quality).name}


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
