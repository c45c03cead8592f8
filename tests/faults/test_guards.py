"""What the guards of writing are for: taken out, their case loses, doubles or stands still; with them, it does not.

Some guards stand behind one another, so that harm is done only where two or three of them are gone: such a case takes
out the whole row, and shows what those behind the first still catch. The guards themselves: `guards.py`; those of
reading: `test_guards_of_reading.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from sqlalchemy import Connection, Engine, insert, text

from eventlog import checkpoint
from eventlog.consumer import Progress
from eventlog.database import create_engine, create_tables
from tests.effects import Offsets, applied, consuming, counts, effects, has, once, values
from tests.faults.guards import TAKEN_OUT
from tests.topics import make_topic, send, until

pytestmark = [pytest.mark.integration, pytest.mark.fault]

TWICE = dict.fromkeys(once(8), 2)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, effects)
    yield engine
    engine.dispose()


@pytest.fixture
async def topic(kafka_bootstrap: str) -> str:
    """A topic of one partition that holds eight records."""
    topic = await make_topic(kafka_bootstrap, 1)
    await send(kafka_bootstrap, topic, values(8), partition=0)
    return topic


@pytest.fixture
def take_out(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out the guards of the case, by the test's parameter `guards`."""
    for guard in request.getfixturevalue("guards"):
        TAKEN_OUT[guard](monkeypatch.setattr)


def write_rows(tx: Connection, offsets: range) -> None:
    tx.execute(insert(applied), [{"partition": 0, "record_offset": offset, "replica": "other"} for offset in offsets])


@dataclass
class Overtaken:
    """While a member is between fetch and write, another one claims its partition and, if it `writes`, applies eight
    records: what befalls a member that is frozen for longer than its group waits."""

    engine: Engine
    topic: str
    writes: bool
    is_done: bool = False

    def reach(self, place: str) -> None:
        if self.is_done:
            return
        self.is_done = True
        claim = Offsets(self.engine, self.topic).claim(0, "other")
        if self.writes:
            with self.engine.begin() as tx:
                checkpoint.advance(tx, claim, 8)
                write_rows(tx, range(8))


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize(
    ("guards", "expected"),
    [((), [3]), (("epoch",), [1]), (("offset",), [3])],
    ids=["all there", "no epoch", "no offset"],
)
async def test_who_was_overtaken_writes_under_its_old_claim_but_for_the_epoch(
    engine: Engine, kafka_bootstrap: str, topic: str, guards: tuple[str, ...], expected: list[int]
) -> None:
    member = Offsets(engine, topic, reach=Overtaken(engine, topic, writes=False).reach)
    async with consuming(member, kafka_bootstrap):
        await until(lambda: has(engine, 8))
    assert member.epochs == expected  # the other's was 2
    assert counts(engine) == once(8)


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize(
    ("guards", "expected"),
    [((), once(8)), (("epoch",), once(8)), (("offset",), once(8)), (("epoch", "offset"), TWICE)],
    ids=["all there", "no epoch", "no offset", "neither"],
)
async def test_who_was_overtaken_doubles_without_epoch_and_offset(
    engine: Engine, kafka_bootstrap: str, topic: str, guards: tuple[str, ...], expected: dict[tuple[int, int], int]
) -> None:
    async with consuming(Offsets(engine, topic, reach=Overtaken(engine, topic, writes=True).reach), kafka_bootstrap):
        await send(kafka_bootstrap, topic, values(1, 8), partition=0)
        await until(lambda: counts(engine)[(0, 8)] == 1)
    assert counts(engine) == {**expected, (0, 8): 1}


@pytest.mark.usefixtures("take_out")
@pytest.mark.parametrize(
    ("guards", "expected"),
    [((), {*range(9)}), (("offset",), {*range(5), 8})],
    ids=["all there", "no offset"],
)
async def test_a_database_that_lost_its_last_commits_loses_records_but_for_the_offset(
    engine: Engine, kafka_bootstrap: str, topic: str, guards: tuple[str, ...], expected: set[int]
) -> None:
    async with consuming(Offsets(engine, topic), kafka_bootstrap):
        await until(lambda: has(engine, 8))
        with engine.begin() as tx:  # as after a failover to a replica that lags behind
            tx.execute(text("update checkpoint set next_offset = 5"))
            tx.execute(text("delete from applied where record_offset >= 5"))
        await send(kafka_bootstrap, topic, values(1, 8), partition=0)
        await until(lambda: has(engine, len(expected)))
    assert counts(engine) == {(0, offset): 1 for offset in expected}


@contextlib.contextmanager
def frozen_in_a_copy(database_url: str, topic: str, *, checkpoint_first: bool) -> Iterator[psycopg.Connection]:
    """A session that wrote a row of the topic's first record, and of the checkpoint if that is `checkpoint_first`, and
    whose client is frozen inside a COPY: no timeout of the server ends it."""
    with psycopg.connect(database_url, application_name="frozen") as frozen, frozen.cursor() as cursor:
        cursor.execute("create temporary table staging (n int)")
        frozen.commit()
        if checkpoint_first:
            cursor.execute("update checkpoint set next_offset = 8 where topic = %s", (topic,))
        cursor.execute("insert into applied (partition, record_offset, replica) values (0, 0, 'frozen')")
        copying = cursor.copy("copy staging from stdin")
        copying.__enter__().write(b"1\n")
        yield frozen
        frozen.close()


def waits_for_rows(engine: Engine) -> bool:
    """Whether a member waits for another session's lock, in the middle of its rows and for longer than a claim may."""
    question = (
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query ilike 'insert into applied%' "
        "and query_start < clock_timestamp() - interval '4 seconds'"
    )
    with engine.begin() as tx:
        return bool(tx.scalar(text(question)))


@pytest.fixture
def claimed_before(engine: Engine, topic: str) -> None:
    """The member that freezes had claimed the partition; each record has one row at most."""
    Offsets(engine, topic).claim(0, "frozen")
    with engine.begin() as tx:
        tx.execute(text("create unique index applied_once on applied (partition, record_offset)"))


@pytest.mark.usefixtures("claimed_before")
async def test_who_is_frozen_inside_a_copy_is_thrown_out_at_the_claim(
    engine: Engine, kafka_bootstrap: str, topic: str, database_url: str
) -> None:
    with frozen_in_a_copy(database_url, topic, checkpoint_first=True):
        async with consuming(Offsets(engine, topic, evict_after_seconds=0.5), kafka_bootstrap):
            await until(lambda: has(engine, 8))
    assert counts(engine) == once(8)


@pytest.mark.usefixtures("claimed_before", "take_out")
@pytest.mark.parametrize("guards", [("checkpoint first",)])
async def test_who_is_frozen_with_its_rows_first_blocks_others_where_nobody_looks(
    engine: Engine, kafka_bootstrap: str, topic: str, database_url: str, guards: tuple[str, ...]
) -> None:
    with frozen_in_a_copy(database_url, topic, checkpoint_first=False) as frozen:
        async with consuming(Offsets(engine, topic, evict_after_seconds=0.5), kafka_bootstrap):
            await until(lambda: waits_for_rows(engine))
            assert not counts(engine)
            frozen.close()
            await until(lambda: has(engine, 8))


@pytest.mark.usefixtures("claimed_before", "take_out")
@pytest.mark.parametrize("guards", [("eviction",)])
async def test_without_eviction_nobody_gets_past_a_frozen_member(
    engine: Engine, kafka_bootstrap: str, topic: str, database_url: str, guards: tuple[str, ...]
) -> None:
    progress = Progress()
    with frozen_in_a_copy(database_url, topic, checkpoint_first=True) as frozen:
        async with consuming(Offsets(engine, topic, evict_after_seconds=0.5), kafka_bootstrap, progress):
            await until(lambda: progress.standstill.seconds >= 5)  # a claim gives up after 3 s
            assert progress.unclaimed_count == 1
            assert not counts(engine)
            frozen.close()
            await until(lambda: has(engine, 8))
