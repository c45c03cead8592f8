"""Relays caught between send and mark."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Sequence

from sqlalchemy import Engine, func, select

from eventlog.database import is_outage
from eventlog.tables import event
from tests.faults.drill.fault import SPRING_SECONDS, TAKEN_OVER_SECONDS, NothingHappened, Strike
from tests.faults.drill.processes import Process
from tests.faults.drill.world import World, until_true


def relay_caught(with_signal: str, words: str) -> Strike:
    """Freeze or kill the register's relay between send and mark; the other one goes on."""

    async def strike(world: World, chance: random.Random) -> str:
        pair, engine = world.relays["register"], world.engines["register"]
        for each in pair:
            each.order(f"trap mark register {with_signal}")
        if not await until_true(lambda: any(each.is_frozen() or each.has_ended() for each in pair), SPRING_SECONDS):
            raise NothingHappened("no relay marked anything")
        caught = next(each for each in pair if each.is_frozen() or each.has_ended())
        for each in pair:
            if each is not caught:
                each.order("trap none none SIGSTOP")
        last = await _last_mark(engine)
        if with_signal == "SIGKILL":
            caught.kill()
            caught.start()
        deadline = time.monotonic() + TAKEN_OVER_SECONDS
        while await _last_mark(engine) <= last:
            if time.monotonic() > deadline:
                raise NothingHappened("the other relay did not go on")
            await asyncio.sleep(0.1)
            _release(pair, caught)
        if with_signal == "SIGSTOP":
            caught.signal(signal.SIGCONT)
        return f"relay {words} between send and mark"

    return strike


def _release(pair: Sequence[Process], caught: Process) -> None:
    """Bring back who walked into the trap as well before it was taken away: a broker that comes back frees both."""
    for each in pair:
        if each.has_ended():
            each.kill()
            each.start()
        elif each is not caught and each.is_frozen():
            each.signal(signal.SIGCONT)


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
