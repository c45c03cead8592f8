"""What befalls the platform: each fault strikes, waits until it has worked, mends what it broke, and says what it did.

A frozen process is thawed when others have taken its work over: it wakes up as a zombie, each time.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, func, select

from eventlog.database import is_outage
from eventlog.relay import count_unpublished
from eventlog.tables import checkpoint, event
from tests.faults.drill import tables
from tests.faults.drill.processes import Process
from tests.faults.drill.world import World, until_true

_SPRING_SECONDS: Final = 60.0
_TAKEN_OVER_SECONDS: Final = 60.0


class NothingHappened(Exception):
    """A fault did not do what it is there for: the round proves nothing."""


Strike = Callable[[World, random.Random], Coroutine[Any, Any, str]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`target` is what it breaks: two faults of a round have different ones."""

    name: str
    target: str
    strike: Strike


@contextmanager
def _one_of(world: World, chance: random.Random) -> Iterator[Process]:
    """Lend a member that no other fault of the round is at."""
    member = chance.choice([each for each in world.members if each.name not in world.befallen])
    world.befallen.add(member.name)
    try:
        yield member
    finally:
        world.befallen.discard(member.name)


async def _demand(question: Callable[[], bool], seconds: float, otherwise: str) -> None:
    def asked() -> bool:
        try:
            return question()
        except Exception as error:
            if not is_outage(error):
                raise
            return False

    if not await until_true(asked, seconds):
        raise NothingHappened(otherwise)


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
        await _demand(
            lambda: _owns_nothing(world, member, running.pid),
            _TAKEN_OVER_SECONDS,
            f"nobody took over from {member.name}",
        )
        await asyncio.sleep(chance.uniform(0.0, 1.5))
    finally:
        member.signal(signal.SIGCONT)
    return time.monotonic() - began


async def kill_member(world: World, chance: random.Random) -> str:
    with _one_of(world, chance) as member:
        member.kill()
        await asyncio.sleep(chance.uniform(0.0, 4.0))
        member.start()
        return f"{member.name} killed"


async def freeze_member(world: World, chance: random.Random) -> str:
    with _one_of(world, chance) as member:
        member.signal(signal.SIGSTOP)
        return f"{member.name} frozen {await _wake_as_zombie(world, member, chance):.0f} s"


def freeze_at(place: str, name: str, words: str) -> Strike:
    """Freeze a member at `place` of the projection `name`."""

    async def strike(world: World, chance: random.Random) -> str:
        with _one_of(world, chance) as member:
            member.order(f"trap {place} {name} SIGSTOP")
            if not await until_true(member.is_frozen, _SPRING_SECONDS):
                raise NothingHappened(f"{member.name} never came {words}")
            return f"{member.name} frozen {words} ({name}) {await _wake_as_zombie(world, member, chance):.0f} s"

    return strike


async def set_clock_back(world: World, chance: random.Random) -> str:
    """One hour back, and a few seconds later forward again."""
    with _one_of(world, chance) as member:
        relay = chance.choice(world.relays["register"])
        for each in (member, relay):
            each.order("clock -3600")
        await asyncio.sleep(chance.uniform(3.0, 6.0))
        for each in (member, relay):
            each.order("clock 0")
        return f"clocks of {member.name} and {relay.name} an hour back, and forward again"


async def kill_broker(world: World, chance: random.Random) -> str:
    number = chance.choice(world.brokers.cluster.broker_ids)
    await world.brokers.kill(number)
    await asyncio.sleep(chance.uniform(2.0, 6.0))
    await world.brokers.start_again(number)
    return f"broker {number} killed"


async def kill_database(world: World, chance: random.Random) -> str:
    world.database.stop_at_once()
    await asyncio.sleep(chance.uniform(0.0, 3.0))
    await world.database.ensure()
    return "database killed"


async def fill_disk(world: World, chance: random.Random) -> str:
    database = world.database
    if not database.volume.is_limited:
        return "disk full NOT done: no small file system may be mounted here"
    before = database.refusals()
    database.volume.fill()
    try:
        if not await until_true(lambda: database.refusals() > before, _SPRING_SECONDS):
            raise NothingHappened("the database never said that its disk is full")
        await asyncio.sleep(chance.uniform(2.0, 5.0))
    finally:
        database.volume.free()
    refused = database.refusals() - before
    ended = "; it ended" if await database.ensure() else ""
    return f"disk full ({refused} writes refused{ended})"


def relay_caught(with_signal: str, words: str) -> Strike:
    """Freeze or kill the register's relay between send and mark; the other one goes on."""

    async def strike(world: World, chance: random.Random) -> str:
        pair, engine = world.relays["register"], world.engines["register"]
        for each in pair:
            each.order(f"trap mark register {with_signal}")
        if not await until_true(lambda: any(each.is_frozen() or each.has_ended() for each in pair), _SPRING_SECONDS):
            raise NothingHappened("no relay marked anything")
        caught = next(each for each in pair if each.is_frozen() or each.has_ended())
        for each in pair:
            if each is not caught:
                each.order("trap none none SIGSTOP")
        last = await _last_mark(engine)
        if with_signal == "SIGKILL":
            caught.kill()
            caught.start()
        await _demand(lambda: _marked(engine) > last, _TAKEN_OVER_SECONDS, "the other relay did not go on")
        if with_signal == "SIGSTOP":
            caught.signal(signal.SIGCONT)
        return f"relay {words} between send and mark"

    return strike


def _marked(engine: Engine) -> int:
    with engine.begin() as tx:
        return tx.execute(select(func.count()).where(event.c.published_at.is_not(None))).scalar_one()


async def _last_mark(engine: Engine) -> int:
    while True:
        try:
            return await asyncio.to_thread(_marked, engine)
        except Exception as error:
            if not is_outage(error):
                raise
            await asyncio.sleep(0.2)


async def kill_metering(world: World, chance: random.Random) -> str:
    """Kill whoever writes blocks and whoever would tell of it, while there is something committed and untold."""
    relays, engine = world.relays["metering"], world.engines["metering"]
    for each in relays:
        each.signal(signal.SIGSTOP)
    await _demand(lambda: count_unpublished(engine) > 0, _SPRING_SECONDS, "metering committed nothing")
    with _one_of(world, chance) as member:
        for each in (member, *relays):
            each.kill()
        await asyncio.sleep(chance.uniform(0.0, 2.0))
        for each in (member, *relays):
            each.start()
        return f"metering ({member.name} and relays) killed between commit and publish"


ZOMBIE: Final = Fault("zombie", "members", freeze_at("before", tables.LEDGER, "between fetch and write"))
FAULTS: Final = (
    ZOMBIE,
    Fault("in transaction", "members", freeze_at("inside", tables.EFFECTS, "inside a transaction")),
    Fault("in copy", "members", freeze_at("copy", tables.BLOCKS, "inside an open COPY")),
    Fault("freeze", "members", freeze_member),
    Fault("kill", "members", kill_member),
    Fault("clock", "clocks", set_clock_back),
    Fault("broker", "brokers", kill_broker),
    Fault("database", "database", kill_database),
    Fault("disk", "database", fill_disk),
    Fault("relay frozen", "relay", relay_caught("SIGSTOP", "frozen")),
    Fault("relay killed", "relay", relay_caught("SIGKILL", "killed")),
    Fault("metering", "metering", kill_metering),
)
BY_NAME: Final = {each.name: each for each in FAULTS}
