"""Indexes and period volumes: from a body over Kafka into their tables and out again; any order of arrival is alike."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from eventlog.checkpoint import Claim
from eventlog.codec import encode
from eventlog.database import create_engine, create_tables
from eventlog.events import ConsumptionPeriodRecorded, Event, MeterIndexRead
from eventlog.kafka import KafkaAccess
from eventlog.parked import Wanted, find_letters
from eventlog.projection import Applied, Run
from eventlog.reason import Rule
from eventlog.replay import Replayed
from eventlog.replaying import carry_out
from eventlog.topics import partition_of
from eventlog.wish import Wish
from market.meter_register import REGISTERS
from market.quality import Quality
from services.metering.index_projection import IndexProjection, replay_indexes
from services.metering.index_store import Indexes, read_indexes
from services.metering.index_tables import consumption_period, index_reading, metadata
from services.metering.projecting import Projecting
from services.metering.rebuild_app import indexes
from tests.examples import HOUSE
from tests.metering_room import Room, exporter, new_ean, open_real_room, publisher
from tests.readings import LogRecord
from tests.versions import make_rooms

pytestmark = pytest.mark.integration

SENT_AT = datetime(2026, 11, 20, 4, tzinfo=UTC)
APPENDED_AT = datetime(2026, 11, 20, 5, tzinfo=UTC)
NIGHT, TOTAL = "OFFTAKE_ACTIVE_NIGHT", "OFFTAKE_ACTIVE"
READ_ON = date(2026, 11, 19)


def index(value: int, *, number: int = 1, sent_after: int = 0, **changes: Any) -> MeterIndexRead:
    event = MeterIndexRead(
        message_id=f"00000000-0000-4000-8000-{number:012d}",
        source="publisher-1",
        source_at=SENT_AT + timedelta(hours=sent_after),
        source_sequence=0,
        ean=HOUSE,
        meter_id="1CLA1",
        meter_kind="CLASSIC",
        register=NIGHT,
        read_on=READ_ON,
        index=value,
        kind="PERIODIC",
        quality="MEASURED",
        withdraws=False,
    )
    return replace(event, **changes)


def period(volume: int, first_day: date, last_day: date, *, sent_after: int = 0) -> ConsumptionPeriodRecorded:
    return ConsumptionPeriodRecorded(
        message_id="00000000-0000-4000-8000-000000000099",
        source="publisher-1",
        source_at=SENT_AT + timedelta(hours=sent_after),
        source_sequence=0,
        ean=HOUSE,
        meter_id="",
        meter_kind="CLASSIC",
        register=TOTAL,
        first_day=first_day,
        last_day=last_day,
        volume=volume,
        quality="ESTIMATED",
        withdraws=False,
    )


class Kept:
    """The projection on tables of its own; `apply` plays the consumer."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.projection = IndexProjection(engine=engine, partition_count=8)
        self.claim: Claim | None = None

    def apply(self, *values: Event | bytes, key: bytes = HOUSE.encode()) -> Applied:
        """Apply a run of one record a value."""
        claim = self.claim or self.projection.claim(partition_of(HOUSE.encode(), 8), "test")
        first = claim.next_offset
        found = [log_record(value, first + place, key) for place, value in enumerate(values)]
        run = Run(
            topic=self.projection.topic,
            partition=claim.partition,
            first_offset=first,
            next_offset=first + len(found),
            records=found,
        )
        applied = self.projection.apply(claim, run)
        self.claim = replace(claim, next_offset=run.next_offset)
        return applied

    def read(self, *days: date) -> Indexes:
        return read_indexes(self.engine, HOUSE, (days[0], days[1]) if days else None)

    def values(self, *days: date) -> list[tuple[date, int]]:
        return [(each.read_on, each.index) for each in self.read(*days).readings]

    def rows(self) -> list[Any]:
        with self.engine.connect() as connection:
            found = [connection.execute(select(table)).all() for table in (index_reading, consumption_period)]
            return [sorted(rows, key=lambda row: int(row.record_offset)) for rows in found]

    def clear(self) -> None:
        with self.engine.begin() as tx:
            tx.execute(text("truncate index_reading, consumption_period, dead_letter, checkpoint"))
        self.claim = None


def log_record(value: Event | bytes, offset: int, key: bytes) -> LogRecord:
    appended = APPENDED_AT + timedelta(seconds=offset)
    body = value if isinstance(value, bytes) else encode(value)
    partition = partition_of(HOUSE.encode(), 8)
    return LogRecord("meter-indexes", partition, offset, int(appended.timestamp() * 1000), key, body)


@pytest.fixture
def kept(database_url: str) -> Iterator[Kept]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, metadata)
    yield Kept(engine)
    engine.dispose()


def test_the_latest_in_order_holds_whatever_arrives_first(kept: Kept) -> None:
    """An index, its correction, its withdrawal, and one more after that: at each order of arrival the same."""
    messages = [
        index(100, number=1),
        index(90, number=2, sent_after=1),
        index(0, number=3, sent_after=2, quality="UNKNOWN", kind="UNKNOWN", withdraws=True),
    ]
    later = index(95, number=4, sent_after=3, quality="MEASURED_VALIDATED")
    for order in permutations(messages):
        kept.clear()
        kept.apply(*order)
        assert kept.values() == []
        kept.apply(later)
        assert kept.values() == [(READ_ON, 95)]
    for order in permutations([*messages, later]):
        kept.clear()
        kept.apply(*order, order[0])
        [found] = kept.read().readings
        assert (found.index, found.quality, found.message_count) == (95, Quality.MEASURED_VALIDATED, 4)


def test_a_message_sent_twice_is_one_and_the_same_id_for_two_things_is_a_conflict(kept: Kept) -> None:
    assert kept.apply(index(1), index(1)) == Applied(applied_count=1, redelivered_count=1)
    assert kept.apply(index(1)) == Applied(applied_count=0, redelivered_count=1)
    [found] = kept.read().readings
    assert (found.message_count, found.is_conflict, found.recorded_at) == (1, False, APPENDED_AT)
    kept.apply(index(2, sent_after=1))
    [found] = kept.read().readings
    assert (found.index, found.message_count, found.is_conflict) == (2, 2, True)


def test_at_a_swap_the_old_and_the_new_meter_have_each_their_index_of_that_day(kept: Kept) -> None:
    kept.apply(
        index(5_000_000, kind="REMOVED"),
        index(0, meter_id="1SAG2", kind="INSTALLED", meter_kind="DIGITAL"),
        index(4_000_000, read_on=date(2025, 11, 19)),
    )
    newest = kept.read()
    assert [(each.meter_id, each.index, each.kind) for each in newest.readings] == [
        ("1CLA1", 5_000_000, "REMOVED"),
        ("1SAG2", 0, "INSTALLED"),
    ]
    assert {each.register for each in newest.readings} == {REGISTERS[NIGHT]}
    assert kept.values(date(2025, 1, 1), READ_ON) == [
        (date(2025, 11, 19), 4_000_000),
        (READ_ON, 5_000_000),
        (READ_ON, 0),
    ]
    assert kept.values(date(2025, 11, 20), date(2026, 11, 18)) == []


def test_a_period_is_replaced_also_where_its_end_is_corrected_and_found_by_any_day_of_it(kept: Kept) -> None:
    year, half = date(2025, 11, 1), date(2026, 5, 1)
    kept.apply(
        period(3_500_000, year, date(2026, 10, 31)),
        period(1_800_000, year, date(2026, 4, 30), sent_after=1),
        period(1_600_000, half, date(2026, 10, 31)),
    )

    def found(*days: date) -> list[tuple[date, date, int]]:
        return [(each.first_day, each.last_day, each.volume) for each in kept.read(*days).periods]

    first, second = (year, date(2026, 4, 30), 1_800_000), (half, date(2026, 10, 31), 1_600_000)
    assert found(year, half) == [first, second]
    assert found(date(2026, 4, 30), date(2026, 4, 30)) == [first]
    assert found(date(2026, 11, 1), date(2026, 12, 1)) == []
    assert found() == [second]
    assert kept.read().periods[0].register.stored_unit == "Wh"


def test_a_bad_record_parks_alone_and_is_taken_in_later_as_if_it_had_been_good(kept: Kept) -> None:
    damaged = encode(index(1, read_on=date(2026, 1, 1)))
    good, same = index(7, number=2), index(1, number=9, read_on=date(2026, 1, 1))
    applied = kept.apply(damaged[:-1], good, index(1, ean="541448800000000024"), same)
    assert applied.applied_count == 2
    assert applied.parked == {Rule.UNDECODABLE: 1, Rule.KEY_DIFFERS: 1}
    with kept.engine.begin() as tx:
        letters = find_letters(tx, Wanted(projection="index"))
        tx.execute(text("update dead_letter set value = :value where record_offset = 0"), {"value": damaged})
        mended = find_letters(tx, Wanted(projection="index"))
    assert [letter.offset for letter in letters] == [0, 2]
    outcome = replay_indexes(kept.projection, mended)
    assert outcome == Replayed(applied_count=1, stopped_by="the EAN is not that of the key")
    with kept.engine.begin() as tx:
        assert [each.offset for each in find_letters(tx, Wanted(projection="index"))] == [2]
    live = kept.rows()
    kept.clear()
    kept.apply(damaged, good, index(1, ean="541448800000000024"), same)
    assert kept.rows() == live


async def test_indexes_go_in_over_http_come_out_for_register_and_are_rebuilt_to_the_same_bits(
    database_url: str, kafka_bootstrap: str, postgres_admin_url: str
) -> None:
    async with open_real_room(database_url, kafka_bootstrap) as room, projecting(room):
        ean = new_ean()
        body = [line(ean), line(ean, index=-1), period_line(ean)]
        answer = await room.http.post("/indexes", content="\n".join(body), headers=ndjson(publisher("publisher-1")))
        assert answer.status_code == 202
        told = answer.json()
        assert (told["accepted"], told["refused"], [each["line"] for each in told["refusals"]]) == (2, 1, [2])
        assert len({receipt["partition"] for receipt in told["receipts"]}) == 1

        async def found() -> Any:
            reader = exporter("register", scope="indexes.read")
            answer = await room.http.get("/indexes", params={"ean": ean}, headers=reader)
            return answer.raise_for_status().json()

        async with asyncio.timeout(60):
            while not (await found())["periods"]:
                await asyncio.sleep(0.1)
        got = await found()
        for receipt in told["receipts"]:
            path = f"/indexes/receipts/{receipt['partition']}/{receipt['offset']}"
            answer = await room.http.get(path, headers=publisher("publisher-1"))
            assert (answer.status_code, answer.json()) == (200, {"state": "stored"})
        beyond = f"/indexes/receipts/{receipt['partition']}/{2**40}"
        assert (await room.http.get(beyond, headers=publisher("publisher-1"))).status_code == 404
        [reading], [volume] = got["readings"], got["periods"]
        assert (reading["index"], reading["unit"], reading["register"], reading["read_on"]) == (
            12_345_000,
            "Wh",
            NIGHT,
            "2025-11-19",
        )
        assert (volume["volume"], volume["unit"], volume["last_day"]) == (1_234_567, "dm³", "2025-10-31")
    make_rooms(postgres_admin_url, database_url, "index", "rebuild")
    kafka = KafkaAccess(kafka_bootstrap)
    outcome = await asyncio.to_thread(carry_out, Wish(), indexes(8), database_url, kafka, show=lambda *_: None)
    assert outcome.comparison is not None
    assert outcome.comparison.is_identical
    assert min(outcome.comparison.row_counts().values()) > 0


async def test_only_publishers_write_indexes_and_only_register_and_export_read_them(
    database_url: str, kafka_bootstrap: str
) -> None:
    async with open_real_room(database_url, kafka_bootstrap) as room:

        async def read(headers: dict[str, str], **query: str) -> int:
            return (await room.http.get("/indexes", params={"ean": HOUSE, **query}, headers=headers)).status_code

        async def write(headers: dict[str, str]) -> int:
            return (await room.http.post("/indexes", content=line(new_ean()), headers=headers)).status_code

        assert await read(exporter("export", scope="indexes.read")) == 200
        assert await read(exporter("portal", scope="indexes.read")) == 403
        assert await read(exporter("export")) == 403
        assert await read({}) == 401
        reader = exporter("register", scope="indexes.read")
        assert await read(reader, **{"from": "2026-01-02", "to": "2026-01-01"}) == 400
        assert await read(reader, **{"from": "2026-01-02"}) == 400
        assert await write(ndjson({})) == 401
        assert await write(ndjson(reader)) == 403
        assert await write({**publisher("publisher-1"), "Content-Type": "text/csv"}) == 415


def line(ean: str, **changes: Any) -> str:
    fields = {
        "event": "MeterIndexRead",
        "source_at": "2025-11-20T04:00:00Z",
        "ean": ean,
        "meter_id": "1CLA1",
        "meter_kind": "CLASSIC",
        "register": NIGHT,
        "read_on": "2025-11-19",
        "index": 12_345_000,
        "kind": "PERIODIC",
    }
    return json.dumps({**fields, **changes})


def period_line(ean: str) -> str:
    fields = {
        "event": "ConsumptionPeriodRecorded",
        "source_at": "2025-11-20T04:00:00Z",
        "ean": ean,
        "meter_kind": "CLASSIC",
        "register": "OFFTAKE_GAS_VOLUME",
        "first_day": "2024-11-01",
        "last_day": "2025-10-31",
        "volume": 1_234_567,
    }
    return json.dumps(fields)


def ndjson(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Content-Type": "application/x-ndjson"}


@contextlib.asynccontextmanager
async def projecting(room: Room) -> AsyncIterator[None]:
    task = asyncio.create_task(Projecting(room.settings, room.engine).project_indexes())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
