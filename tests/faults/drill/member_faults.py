"""Members killed and frozen, and their clocks set.

A frozen member is thawed when others have taken its work over: it wakes up as a zombie, each time.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from typing import Final

from sqlalchemy import func, select, text

from eventlog.relay import count_unpublished
from eventlog.tables import checkpoint
from tests.faults.drill.fault import (
    SEEN_SECONDS,
    SPRING_SECONDS,
    TAKEN_OVER_SECONDS,
    NothingHappened,
    Strike,
    demand,
    one_of,
)
from tests.faults.drill.processes import Process
from tests.faults.drill.world import World, until_true

_LEFT_BEHIND: Final = {
    "inside": "application_name like 'drill-%' and state = 'idle in transaction'",
    "copy": "application_name like 'metering-%' and state = 'active' and wait_event = 'ClientRead' "
    "and query ilike 'copy %'",
}


def _owns_nothing(world: World, member: Process, pid: int) -> bool:
    owner = f"drill/{member.name.rpartition('-')[2]}/{pid}"
    for engine in world.engines.values():
        with engine.begin() as tx:
            if tx.scalar(select(func.count()).select_from(checkpoint).where(checkpoint.c.owner == owner)):
                return False
    return True


async def _wake_as_zombie(world: World, member: Process, chance: random.Random) -> float:
    """Thaw `member` when others have claimed all that it had; return for how long it was frozen since."""
    began, running = time.monotonic(), member.running
    assert running is not None
    try:
        await demand(
            lambda: _owns_nothing(world, member, running.pid),
            TAKEN_OVER_SECONDS,
            f"nobody took over from {member.name}",
        )
        await asyncio.sleep(chance.uniform(0.0, 1.5))
    finally:
        member.signal(signal.SIGCONT)
    return time.monotonic() - began


def _is_seen(world: World, place: str) -> bool:
    """Whether the database has the session that a member frozen at `place` leaves behind."""
    if place not in _LEFT_BEHIND:
        return True
    query = text(f"select count(*) from pg_stat_activity where {_LEFT_BEHIND[place]}")
    for engine in world.engines.values():
        with engine.begin() as tx:
            if tx.execute(query).scalar_one():
                return True
    return False


async def kill_member(world: World, chance: random.Random) -> str:
    with one_of(world, chance) as member:
        member.kill()
        await asyncio.sleep(chance.uniform(0.0, 4.0))
        member.start()
        return f"{member.name} killed"


async def kill_all_members(world: World, chance: random.Random) -> str:
    for each in world.members:
        each.kill()
    await asyncio.sleep(chance.uniform(0.0, 8.0))
    for each in world.members:
        each.start()
    return "all members killed"


async def freeze_member(world: World, chance: random.Random) -> str:
    with one_of(world, chance) as member:
        running = member.running
        assert running is not None
        await demand(
            lambda: not _owns_nothing(world, member, running.pid), SPRING_SECONDS, f"{member.name} had nothing to lose"
        )
        member.signal(signal.SIGSTOP)
        return f"{member.name} frozen {await _wake_as_zombie(world, member, chance):.0f} s"


def freeze_at(place: str, name: str, words: str) -> Strike:
    """Freeze a member at `place` of the projection `name`."""

    async def strike(world: World, chance: random.Random) -> str:
        with one_of(world, chance) as member:
            member.order(f"trap {place} {name} SIGSTOP")
            if not await until_true(member.is_frozen, SPRING_SECONDS):
                raise NothingHappened(f"{member.name} never came {words}")
            if "database" not in world.befallen:
                await demand(lambda: _is_seen(world, place), SEEN_SECONDS, f"the database sees nobody {words}")
            return f"{member.name} frozen {words} ({name}) {await _wake_as_zombie(world, member, chance):.0f} s"

    return strike


async def set_clock_back(world: World, chance: random.Random) -> str:
    """One hour back, and a few seconds later forward again."""
    with one_of(world, chance) as member:
        relay = chance.choice(world.relays["register"])
        for each in (member, relay):
            each.order("clock -3600")
        await asyncio.sleep(chance.uniform(3.0, 6.0))
        for each in (member, relay):
            each.order("clock 0")
        return f"clocks of {member.name} and {relay.name} an hour back, and forward again"


async def kill_metering(world: World, chance: random.Random) -> str:
    """Kill whoever writes blocks and whoever would tell of it, while there is something committed and untold."""
    relays, engine = world.relays["metering"], world.engines["metering"]
    for each in relays:
        each.signal(signal.SIGSTOP)
    await demand(lambda: count_unpublished(engine) > 0, SPRING_SECONDS, "metering committed nothing")
    with one_of(world, chance) as member:
        for each in (member, *relays):
            each.kill()
        await asyncio.sleep(chance.uniform(0.0, 2.0))
        for each in (member, *relays):
            each.start()
        return f"metering ({member.name} and relays) killed between commit and publish"
