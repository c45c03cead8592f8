"""The timer signals and expires by the calendar, once, one timer at a time, after any stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from eventlog.database import create_engine, create_tables
from eventlog.events import MandateExpired, MandateToBeRenewed
from services.mandate import store, tables
from services.mandate.timer import keep_time, tick
from tests.examples import FACTORY, GAS_HOUSE, HOUSE
from tests.mandate_room import ANNA, Room, mandate_room, use
from tests.topics import until

pytestmark = pytest.mark.integration

RENEWAL = datetime(2029, 8, 20, 22, 0, tzinfo=UTC)
EXPIRY = datetime(2029, 11, 20, 23, 0, tzinfo=UTC)
SHORT = timedelta(microseconds=1)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    yield engine
    engine.dispose()


@pytest.fixture
async def room(engine: Engine) -> AsyncIterator[Room]:
    async with mandate_room(engine) as room:
        yield room


def tick_at(room: Room, now: datetime, batch_size: int = 200) -> bool:
    room.now = now
    return tick(room.engine, now=now, new_id=uuid4, batch_size=batch_size)


async def standing(room: Room) -> set[tuple[str, str | None, bool]]:
    return {(each["status"], each["renewal_status"], each["is_active"]) for each in await room.mandates(ANNA)}


async def test_a_mandate_is_signalled_and_expires_at_its_local_midnights(room: Room) -> None:
    await room.grant(services=[{"type": "IG"}])
    tick_at(room, RENEWAL - SHORT)
    assert await standing(room) == {("Approved", None, True)}
    tick_at(room, RENEWAL)
    assert await standing(room) == {("Approved", "ToBeRenewed", True)}
    tick_at(room, EXPIRY - SHORT)
    assert await standing(room) == {("Approved", "ToBeRenewed", True)}
    room.now = EXPIRY
    assert await standing(room) == {("Approved", "ToBeRenewed", False)}  # the clock is ahead of the timer
    tick_at(room, EXPIRY)
    assert await standing(room) == {("Finished", "Expired", False)}
    assert [type(each) for each in room.events(f"point:{HOUSE}")[1:]] == [MandateToBeRenewed, MandateExpired]


async def test_nothing_is_written_twice(room: Room) -> None:
    await room.grant()
    for now in (RENEWAL, RENEWAL, RENEWAL + timedelta(days=1), EXPIRY, EXPIRY, EXPIRY + timedelta(days=400)):
        tick_at(room, now)
    kinds = [type(each) for each in room.events(f"point:{HOUSE}")[2:]]
    assert sorted(kind.__name__ for kind in kinds) == ["MandateExpired"] * 2 + ["MandateToBeRenewed"] * 2


async def test_a_timer_that_stood_still_over_the_expiry_just_expires(room: Room) -> None:
    await room.grant(services=[{"type": "IG"}])
    tick_at(room, EXPIRY + timedelta(days=30))
    assert [type(each) for each in room.events(f"point:{HOUSE}")[1:]] == [MandateExpired]


async def test_what_is_withdrawn_is_left_alone(room: Room) -> None:
    (mandate,) = await room.grant(services=[{"type": "IG"}])
    await room.post(f"/mandates/{HOUSE}/{mandate['mandate_id']}/withdrawal", None, ANNA)
    tick_at(room, EXPIRY)
    assert len(room.events(f"point:{HOUSE}")) == 2


async def test_many_points_are_done_in_small_transactions(room: Room) -> None:
    eans = [HOUSE, GAS_HOUSE, FACTORY]
    room.people["p-anna"] = [use(ean) for ean in eans]
    await room.grant(*eans, number_of_eans=3)
    assert tick_at(room, RENEWAL, batch_size=2)
    assert sum(len(room.events(f"point:{ean}")) == 4 for ean in eans) == 2
    assert not tick_at(room, RENEWAL, batch_size=2)
    assert [len(room.events(f"point:{ean}")) for ean in eans] == [4, 4, 4]


async def test_one_timer_at_a_time(room: Room) -> None:
    await room.grant()
    with room.engine.begin() as other:
        assert store.begin_timer(other)
        assert not await asyncio.to_thread(tick_at, room, RENEWAL)
        assert len(room.events(f"point:{HOUSE}")) == 2
    tick_at(room, RENEWAL)
    assert len(room.events(f"point:{HOUSE}")) == 4


async def test_it_goes_on_by_its_clock(room: Room) -> None:
    await room.grant()
    room.now = RENEWAL - SHORT
    timer = asyncio.create_task(keep_time(room.engine, clock=lambda: room.now, new_id=uuid4, every_seconds=0.01))
    try:
        room.now = EXPIRY - SHORT
        await until(lambda: len(room.events(f"point:{HOUSE}")) == 4)
        room.now = EXPIRY
        await until(lambda: len(room.events(f"point:{HOUSE}")) == 6)
    finally:
        timer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await timer
