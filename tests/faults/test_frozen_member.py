"""A member frozen between fetch and write, or killed in the middle of it: each record takes effect exactly once.

Random chaos does not find a missing guard; this freeze does, and shows that it would: without the guard it doubles.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from eventlog import checkpoint
from eventlog.database import create_engine, create_tables
from tests.faults.member import NAME, applied, own
from tests.topics import make_topic, send, until

pytestmark = [pytest.mark.integration, pytest.mark.fault]

ROOT = Path(__file__).parents[2]
VALUES = [b"%d" % number for number in range(8)]
EACH_ONCE = {(0, offset): 1 for offset in range(8)}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, own)
    yield engine
    engine.dispose()


class Member:
    """A member process and what it says."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.member", *arguments],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    async def says(self, word: str) -> None:
        assert self.process.stdout is not None
        while (line := await asyncio.to_thread(self.process.stdout.readline)) != f"{word}\n":
            assert line, f"ended without saying {word}"

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)
        assert self.process.stdin is not None
        self.process.stdin.write("go on\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def member(engine: Engine, bootstrap: str, topic: str, replica: str, *, guard: str, trouble: str) -> Iterator[Member]:
    url = engine.url.render_as_string(hide_password=False)
    running = Member(url, bootstrap, topic, replica, guard, trouble)
    try:
        yield running
    finally:
        running.end()


def counts(engine: Engine) -> Counter[tuple[int, int]]:
    with engine.begin() as tx:
        return Counter((row.partition, row.record_offset) for row in tx.execute(select(applied)))


def next_offset(engine: Engine, topic: str) -> int:
    with engine.begin() as tx:
        return checkpoint.read(tx, projection=NAME, topic=topic).get(0, 0)


async def freeze_between_fetch_and_write(engine: Engine, bootstrap: str, guard: str) -> str:
    """One member fetches eight records and freezes; another applies them; the first wakes up. Return the topic."""
    topic = await make_topic(bootstrap, 1)
    await send(bootstrap, topic, VALUES, partition=0)
    with member(engine, bootstrap, topic, "first", guard=guard, trouble="frozen") as first:
        await first.says("fetched")
        first.freeze()
        with member(engine, bootstrap, topic, "second", guard=guard, trouble="") as second:
            await second.says("written")  # after the group has given the frozen one up
            first.thaw()
            await first.says("fenced" if guard == "guarded" else "written")
            await send(bootstrap, topic, [b"8", b"9"], partition=0)
            await until(lambda: next_offset(engine, topic) == 10)
    return topic


async def test_a_member_frozen_between_fetch_and_write_is_fenced(engine: Engine, kafka_bootstrap: str) -> None:
    await freeze_between_fetch_and_write(engine, kafka_bootstrap, "guarded")
    assert counts(engine) == {**EACH_ONCE, (0, 8): 1, (0, 9): 1}


async def test_without_the_guard_the_same_freeze_doubles(engine: Engine, kafka_bootstrap: str) -> None:
    await freeze_between_fetch_and_write(engine, kafka_bootstrap, "unguarded")
    doubled = {place for place, count in counts(engine).items() if count == 2}
    assert doubled >= set(EACH_ONCE)


@pytest.mark.parametrize("trouble", ["killed", "killed-after"])
async def test_a_member_killed_around_its_commit_goes_on_where_the_commit_was(
    engine: Engine, kafka_bootstrap: str, trouble: str
) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    await send(kafka_bootstrap, topic, VALUES, partition=0)
    with member(engine, kafka_bootstrap, topic, "only", guard="guarded", trouble=trouble) as killed:
        assert await asyncio.to_thread(killed.process.wait, 60) == -signal.SIGKILL
    with member(engine, kafka_bootstrap, topic, "only", guard="guarded", trouble=""):
        await send(kafka_bootstrap, topic, [b"8", b"9"], partition=0)
        await until(lambda: next_offset(engine, topic) == 10)
    assert counts(engine) == {**EACH_ONCE, (0, 8): 1, (0, 9): 1}


async def test_a_member_that_is_gone_hands_over_its_partitions(engine: Engine, kafka_bootstrap: str) -> None:
    topic = await make_topic(kafka_bootstrap, 4)
    sent = 0
    with member(engine, kafka_bootstrap, topic, "second", guard="guarded", trouble=""):
        with member(engine, kafka_bootstrap, topic, "first", guard="guarded", trouble="killed") as first:
            while first.process.poll() is None:
                await send(kafka_bootstrap, topic, [b"%d" % number for number in range(sent, sent + 20)])
                sent += 20
                await asyncio.sleep(0.1)
        await until(lambda: sum(counts(engine).values()) >= sent)
    assert set(counts(engine).values()) == {1}
    assert len(counts(engine)) == sent
