"""Parked records come back as they were, and a stream waits behind its bad event until that is replayed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import pairwise
from uuid import UUID

import adbc_driver_postgresql.dbapi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Date, Engine, MetaData, String, Table, insert, select, text

from eventlog import checkpoint, dead_letter
from eventlog.codec import encode
from eventlog.database import create_engine, create_tables, libpq_uri
from eventlog.dead_letter import Unusable
from eventlog.envelope import Envelope, Headers, to_headers
from eventlog.events import AccessPointRegistered
from eventlog.halt import ProjectionStopped
from eventlog.parked import MayNotDiscard, Wanted, discard, find_letters
from eventlog.passed_over import PassedOver
from eventlog.projection import Applied, EventProjection, Run
from eventlog.reason import Reason, Rule
from eventlog.replay import Replayed, replay_stream
from eventlog.tables import dead_letter as letters
from market.ean import Ean

pytestmark = pytest.mark.integration

HOUSE, OTHER = Ean("541448800000000017"), Ean("541448800000000024")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REQUEST = UUID("00000000-0000-4000-8000-000000000001")
FORBIDDEN = date(2026, 1, 2)

own = MetaData()
seen_day = Table("seen_day", own, Column("ean", String), Column("day", Date))


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """A record as Kafka delivers it."""

    topic: str = "register-events"
    partition: int = 3
    offset: int
    timestamp: int = 1_795_176_000_123
    key: bytes | None = b"541448800000000017"
    value: bytes | None = b"\x00\xff"
    headers: Headers = ()


def delivered(offset: int, version: int, day: int, *, ean: Ean = HOUSE) -> Delivered:
    event = AccessPointRegistered(ean=ean, energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, day))
    headers = to_headers(
        event_id=UUID(int=offset + 1),
        event_type="AccessPointRegistered",
        source="register",
        stream_id=f"point:{ean}",
        stream_version=version,
        recorded_at=NOW,
        correlation_id=REQUEST,
    )
    return Delivered(offset=offset, key=ean.encode(), value=encode(event), headers=tuple(headers))


@dataclass
class Projector:
    """Writes a row per event, but first writes and then refuses what is of a forbidden day."""

    forbidden: date | None = FORBIDDEN

    def __call__(self, tx: Connection, envelope: Envelope) -> None:
        assert isinstance(envelope.event, AccessPointRegistered)
        tx.execute(insert(seen_day).values(ean=envelope.event.ean, day=envelope.event.registered_on))
        if envelope.event.registered_on == self.forbidden:
            raise Unusable("a forbidden day")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, own)
    yield engine
    engine.dispose()


@pytest.fixture
def projector() -> Projector:
    return Projector()


@pytest.fixture
def points(engine: Engine, projector: Projector) -> EventProjection:
    return EventProjection(name="points", topic="register-events", engine=engine, project=projector)


def apply(projection: EventProjection, *records: Delivered) -> Applied:
    claim = projection.claim(3, "test")
    run = Run(
        topic="register-events",
        partition=3,
        first_offset=claim.next_offset,
        next_offset=claim.next_offset + len(records),
        records=records,
    )
    return projection.apply(claim, run)


def days(engine: Engine) -> list[tuple[str, date]]:
    with engine.begin() as tx:
        return [(row.ean, row.day) for row in tx.execute(select(seen_day).order_by(seen_day.c.ean, seen_day.c.day))]


def parked(engine: Engine) -> list[tuple[int, str, bool]]:
    with engine.begin() as tx:
        rows = tx.execute(select(letters).order_by(letters.c.record_offset))
        return [(row.record_offset, row.reason, row.replayed_at is not None) for row in rows]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("stream_version", b"0", "no stream has such a name or version"),
        ("ce_subject", b"point:\x00", "no stream has such a name or version"),
        ("stream_version", b"99999999999999999999x", "a header is damaged"),
        ("stream_version", b"\xb2", "a header is damaged"),
        ("recorded_at", b"0001-01-01T00:00:00+14:00", "a header is damaged"),
    ],
)
def test_whatever_stands_in_the_headers_a_bad_record_is_parked_and_nothing_stops(
    engine: Engine, points: EventProjection, name: str, value: bytes, reason: str
) -> None:
    good = delivered(0, version=1, day=1)
    headers = tuple((each, value if each == name else kept) for each, kept in good.headers)
    huge = tuple((each, b"99999999999" if each == "stream_version" else kept) for each, kept in headers)

    applied = apply(points, replace(good, headers=headers), replace(good, offset=1, value=b"?", headers=huge))

    assert (applied.applied_count, applied.parked_count) == (0, 2)
    assert parked(engine)[0] == (0, reason, False)


NO_GOOD = Reason(Rule.UNUSABLE, "no good")
RECORD = Delivered(offset=7, headers=(("ce_id", b"plain"), ("odd", b"\x00\xff\xe9")))


def test_a_parked_record_keeps_everything(engine: Engine) -> None:
    with engine.begin() as tx:
        dead_letter.park(tx, "points", RECORD, NO_GOOD, stream_id="point:1", stream_version=4)
    with engine.begin() as tx:
        row = tx.execute(select(letters)).one()
        assert dead_letter.count_parked(tx, "points") == 1
    assert (row.projection, row.topic, row.partition, row.record_offset) == ("points", "register-events", 3, 7)
    assert (row.key, row.value, row.stream_id, row.stream_version) == (RECORD.key, RECORD.value, "point:1", 4)
    assert tuple(dead_letter.to_headers(row.headers)) == RECORD.headers
    assert row.appended_at == datetime(2026, 11, 20, 12, 0, 0, 123_000, tzinfo=UTC)
    assert (row.rule, row.reason, row.replayed_at) == ("unusable", "no good", None)


def test_a_record_parked_through_adbc_is_the_same(engine: Engine, database_url: str) -> None:
    with engine.begin() as tx:
        dead_letter.park(tx, "one", RECORD, NO_GOOD)
    with adbc_driver_postgresql.dbapi.connect(libpq_uri(database_url, application_name="test")) as connection:
        with connection.cursor() as cursor:
            dead_letter.park_adbc(cursor, "two", RECORD, NO_GOOD)
            dead_letter.park_adbc(
                cursor, "two", replace(RECORD, offset=8, key=None, value=None), Reason(Rule.NO_VALUE, "empty")
            )
            dead_letter.park_adbc(cursor, "two", RECORD, NO_GOOD)
        connection.commit()
    with engine.begin() as tx:
        one, two, empty = tx.execute(select(letters).order_by(letters.c.projection, letters.c.record_offset)).all()
    compared = (
        "topic",
        "partition",
        "record_offset",
        "key",
        "value",
        "headers",
        "appended_at",
        "stream_id",
        "rule",
        "reason",
    )
    assert [getattr(one, name) for name in compared] == [getattr(two, name) for name in compared]
    assert (empty.key, empty.value, empty.stream_version) == (None, None, None)


def test_a_bad_event_parks_the_rest_of_its_stream_and_nothing_else(points: EventProjection, engine: Engine) -> None:
    run = (
        delivered(0, 1, day=1),
        delivered(1, 2, day=2),  # forbidden
        delivered(2, 1, day=1, ean=OTHER),
        delivered(3, 3, day=3),
    )
    assert apply(points, *run) == Applied(applied_count=2, parked={Rule.UNUSABLE: 1, Rule.BEHIND_PARKED: 1})
    assert apply(points, delivered(4, 4, day=4)) == Applied(applied_count=0, parked={Rule.BEHIND_PARKED: 1})
    assert days(engine) == [(HOUSE, date(2026, 1, 1)), (OTHER, date(2026, 1, 1))]
    assert parked(engine) == [
        (1, "a forbidden day", False),
        (3, "an earlier event of its stream is parked", False),
        (4, "an earlier event of its stream is parked", False),
    ]


def test_a_replay_applies_in_the_order_of_versions_and_the_stream_goes_on(
    points: EventProjection, projector: Projector, engine: Engine
) -> None:
    apply(points, delivered(0, 1, day=1), delivered(1, 2, day=2), delivered(2, 3, day=3), delivered(3, 2, day=2))
    projector.forbidden = None
    assert replay_stream(points, f"point:{HOUSE}") == Replayed(applied_count=2, redelivered_count=1)
    assert apply(points, delivered(4, 4, day=4)) == Applied(applied_count=1)
    assert days(engine) == [(HOUSE, date(2026, 1, day)) for day in (1, 2, 3, 4)]
    assert [was_replayed for _, _, was_replayed in parked(engine)] == [True, True, True]
    assert replay_stream(points, f"point:{HOUSE}") == Replayed()


def test_a_replay_stops_at_what_is_still_bad_and_leaves_no_half_row(points: EventProjection, engine: Engine) -> None:
    apply(points, delivered(0, 1, day=1), delivered(1, 2, day=2), delivered(2, 3, day=3))
    assert replay_stream(points, f"point:{HOUSE}") == Replayed(stopped_by="a forbidden day")
    assert days(engine) == [(HOUSE, date(2026, 1, 1))]
    assert [was_replayed for _, _, was_replayed in parked(engine)] == [False, False]


def test_a_replay_and_the_projection_do_not_work_at_once(points: EventProjection, projector: Projector) -> None:
    apply(points, delivered(0, 1, day=1), delivered(1, 2, day=2))
    projector.forbidden = None
    claim = points.claim(3, "test")
    with points.engine.begin() as busy:
        checkpoint.advance(busy, claim, claim.next_offset + 1)
        replay = threading.Thread(target=replay_stream, args=(points, f"point:{HOUSE}"))
        replay.start()
        replay.join(0.3)
        assert replay.is_alive()
    replay.join()


def test_damaged_values_and_foreign_partitions_are_parked(engine: Engine, projector: Projector) -> None:
    points = EventProjection(
        name="points", topic="register-events", engine=engine, project=projector, partition_count=8
    )  # the house's key belongs to partition 0, not 3
    damaged = replace(delivered(1, 1, day=1, ean=OTHER), value=b"\xc3\x01damaged")
    both = {Rule.WRONG_PARTITION: 1, Rule.UNDECODABLE: 1}
    assert apply(points, delivered(0, 1, day=1), damaged) == Applied(applied_count=0, parked=both)
    assert [reason for _, reason, _ in parked(engine)] == [
        "its key belongs to another partition",
        "not an Avro single object",
    ]


def test_what_decides_about_permissions_applies_up_to_a_bad_event_and_halts_there(
    points: EventProjection, engine: Engine
) -> None:
    strict = replace(points, halts=True)
    with pytest.raises(ProjectionStopped, match="points halts at register-events/3/1: a forbidden day"):
        apply(strict, delivered(0, 1, day=1), delivered(1, 2, day=2), delivered(2, 1, day=1, ean=OTHER))
    assert days(engine) == [(HOUSE, date(2026, 1, 1))]
    assert points.claim(3, "test").next_offset == 1
    assert parked(engine) == []


def test_events_sent_twice_count_once(points: EventProjection, engine: Engine) -> None:
    run = (delivered(0, 1, day=1), delivered(1, 1, day=1), delivered(2, 2, day=3), delivered(3, 1, day=1))
    assert apply(points, *run) == Applied(applied_count=2, redelivered_count=2)
    assert apply(points, delivered(4, 2, day=3)) == Applied(applied_count=0, redelivered_count=1)
    assert days(engine) == [(HOUSE, date(2026, 1, 1)), (HOUSE, date(2026, 1, 3))]


def test_a_gap_in_a_stream_stops_the_projection(points: EventProjection, engine: Engine) -> None:
    with pytest.raises(ProjectionStopped, match="goes from version 1 to 3"):
        apply(points, delivered(0, 1, day=1), delivered(1, 3, day=3))
    assert days(engine) == [(HOUSE, date(2026, 1, 1))]


def test_a_fault_of_the_projector_is_not_parked(engine: Engine) -> None:
    def broken(tx: Connection, envelope: Envelope) -> None:
        raise KeyError("ours")

    points = EventProjection(name="points", topic="register-events", engine=engine, project=broken)
    with pytest.raises(KeyError):
        apply(points, delivered(0, 1, day=1))
    assert parked(engine) == []


def test_a_halted_projection_passes_over_a_foreign_record_that_the_settings_name_with_its_bytes_and_no_other(
    points: EventProjection, engine: Engine
) -> None:
    strict = replace(points, halts=True)
    foreign = replace(delivered(1, 2, day=1), value=b"whose?", headers=())
    ours = replace(delivered(1, 2, day=1), value=b"whose?")
    named = PassedOver.parse([f"register-events/3/1={sha256(b'whose?').hexdigest()}"])
    apply(strict, delivered(0, 1, day=1))
    with pytest.raises(ProjectionStopped):
        apply(strict, foreign)
    with pytest.raises(ProjectionStopped):  # the next event of its stream by its headers: it may be a withdrawal
        apply(replace(strict, passed_over=named), ours)
    with pytest.raises(ProjectionStopped):
        apply(replace(strict, passed_over=named), replace(foreign, value=b"another"))
    assert apply(replace(strict, passed_over=named), foreign).parked == {Rule.UNDECODABLE: 1}
    with pytest.raises(ProjectionStopped, match="goes from version 1 to 3"):  # had it been ours, it would show
        apply(strict, delivered(2, 3, day=3))
    with engine.begin() as tx:
        assert dead_letter.count_parked(tx, "points") == 0
        assert tx.execute(select(letters.c.discard_reason)).scalar_one() == "passed over, as the settings say"


def test_what_was_given_up_lets_the_rest_of_its_stream_be_replayed(points: EventProjection, engine: Engine) -> None:
    apply(points, delivered(0, 1, day=1), delivered(1, 2, day=2), delivered(2, 3, day=3), delivered(3, 4, day=4))
    with engine.begin() as tx:
        first, second, _ = find_letters(tx, Wanted(projection="points"))
    with engine.begin() as tx, pytest.raises(MayNotDiscard, match="it waits behind register-events/3/1"):
        discard(tx, second, "too early")
    with engine.begin() as tx:
        discard(tx, first, "a forbidden day it stays")
    assert replay_stream(points, f"point:{HOUSE}") == Replayed(applied_count=2)
    assert apply(points, delivered(4, 5, day=5)) == Applied(applied_count=1)
    assert days(engine) == [(HOUSE, date(2026, 1, day)) for day in (1, 3, 4, 5)]


@pytest.mark.parametrize("limit", [1, 3])
def test_bad_events_in_a_row_are_parked_up_to_the_limit_and_no_further(points: EventProjection, limit: int) -> None:
    strict = replace(points, park_limit=limit)
    bad = [replace(delivered(offset, 1, day=1), value=b"?", headers=()) for offset in range(limit + 1)]
    assert apply(strict, *bad[:limit]).parked_count == limit
    with pytest.raises(ProjectionStopped, match=f"more than {limit} records in a row"):
        apply(strict, bad[limit])


def test_a_run_of_unusable_events_is_gone_through_twice_at_most(points: EventProjection, engine: Engine) -> None:
    """Were it done again for each of them, so many would take longer than a member is given."""
    seen: list[int] = []

    def refuse(tx: Connection, envelope: Envelope) -> None:
        seen.append(envelope.offset)
        tx.execute(insert(seen_day).values(ean=envelope.event.ean, day=FORBIDDEN))  # type: ignore[attr-defined]
        raise Unusable("of no use")

    eans = [Ean(f"5414488{number:010d}{_check_digit(number)}") for number in range(300)]
    run = [delivered(offset, 1, day=1, ean=ean) for offset, ean in enumerate(eans)]
    applied = apply(replace(points, project=refuse, park_limit=300), *run)
    assert applied == Applied(applied_count=0, parked={Rule.UNUSABLE: 300})
    assert len(seen) == 1 + 300
    assert days(engine) == []


def _check_digit(number: int) -> int:
    digits = [int(each) for each in f"5414488{number:010d}"]
    return -sum(digit * (3, 1)[place % 2] for place, digit in enumerate(digits)) % 10


def test_what_was_given_up_out_of_its_turn_moves_no_stream(points: EventProjection, engine: Engine) -> None:
    foreign = replace(delivered(1, 9, day=1), value=b"?")
    apply(points, delivered(0, 1, day=1), foreign)
    with engine.begin() as tx:
        discard(tx, find_letters(tx, Wanted(projection="points"))[0], "not ours")
        tx.execute(text("update checkpoint set next_offset = 1"))  # and it is read once more
    apply(points, foreign, delivered(2, 2, day=3))
    assert days(engine) == [(HOUSE, date(2026, 1, 1)), (HOUSE, date(2026, 1, 3))]


STORY = [
    delivered(place, version, day=version + (0 if ean == HOUSE else 10), ean=ean)
    for place, (ean, version) in enumerate((e, v) for v in (1, 2, 3, 4) for e in (HOUSE, OTHER))
]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(poison=st.integers(1, 4), ends=st.sets(st.integers(1, 7)), cured_at=st.integers(0, 7))
def test_after_cure_and_replay_the_rows_are_those_of_good_events_whatever_the_runs(
    engine: Engine, poison: int, ends: set[int], cured_at: int
) -> None:
    with engine.begin() as tx:
        tx.execute(text("truncate seen_day, dead_letter, checkpoint, stream_position"))
    projector = Projector(forbidden=date(2026, 1, poison))
    points = EventProjection(name="points", topic="register-events", engine=engine, project=projector)
    bounds = [0, *sorted(ends), len(STORY)]
    for first, after in pairwise(bounds):
        if first >= cured_at and projector.forbidden is not None:
            projector.forbidden = None
            replay_stream(points, f"point:{HOUSE}")
        apply(points, *STORY[first:after])
    projector.forbidden = None
    replay_stream(points, f"point:{HOUSE}")
    assert days(engine) == [(HOUSE, date(2026, 1, day)) for day in (1, 2, 3, 4)] + [
        (OTHER, date(2026, 1, day)) for day in (11, 12, 13, 14)
    ]
