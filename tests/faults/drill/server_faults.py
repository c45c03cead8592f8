"""Brokers and the database killed, frozen, restarted, and out of room."""

from __future__ import annotations

import asyncio
import os
import random
import signal

from tests.faults.drill.fault import SPRING_SECONDS, NothingHappened, Strike
from tests.faults.drill.world import World, until_true


async def kill_broker(world: World, chance: random.Random) -> str:
    number = chance.choice(world.brokers.cluster.broker_ids)
    await world.brokers.kill(number)
    await asyncio.sleep(chance.uniform(2.0, 6.0))
    await world.brokers.start_again(number)
    return f"broker {number} killed"


async def freeze_broker(world: World, chance: random.Random) -> str:
    """For longer than the brokers' session: it wakes up as the leader of what others lead now."""
    cluster = world.brokers.cluster
    number = chance.choice(cluster.broker_ids)
    await world.brokers.when_in_sync()
    os.kill(cluster.pid(number), signal.SIGSTOP)
    try:
        await asyncio.sleep(chance.uniform(6.0, 12.0))
    finally:
        os.kill(cluster.pid(number), signal.SIGCONT)
    return f"broker {number} frozen"


def stop_database(number: signal.Signals, words: str) -> Strike:
    """Stop it by a signal (SIGQUIT: at once, as by a crash; SIGINT: cutting clients off) and start it again."""

    async def strike(world: World, chance: random.Random) -> str:
        world.befallen.add("database")
        try:
            await asyncio.to_thread(world.database.stop, number)
            await asyncio.sleep(chance.uniform(0.0, 3.0))
            await world.database.ensure()
        finally:
            world.befallen.discard("database")
        return f"database {words}"

    return strike


async def fill_disk(world: World, chance: random.Random) -> str:
    database = world.database
    if not database.volume.is_limited:
        return "disk full NOT done: no small file system may be mounted here"
    before = database.refusals()
    database.volume.fill()
    try:
        if not await until_true(lambda: database.refusals() > before, SPRING_SECONDS):
            raise NothingHappened("the database never said that its disk is full")
        await asyncio.sleep(chance.uniform(2.0, 5.0))
    finally:
        database.volume.free()
    refused = database.refusals() - before
    ended = "; it ended" if await database.ensure() else ""
    return f"disk full ({refused} writes refused{ended})"
