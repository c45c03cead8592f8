"""What the register says ends mandates: once, in the transaction of the checkpoint, whatever else happens then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from eventlog import event_store
from eventlog.checkpoint import Claim, Fenced
from eventlog.codec import encode
from eventlog.database import create_engine, create_tables
from eventlog.envelope import to_headers
from eventlog.events import (
    AccessPointClosed,
    Event,
    MandateEnded,
    MandateGranted,
    NetUserMovedIn,
    NetUserMovedOut,
)
from eventlog.halt import ProjectionStopped
from eventlog.projection import Applied, Run
from eventlog.tables import event
from eventlog.topics import partition_of
from market.ean import Ean
from services.mandate import store, tables
from services.mandate.domain.decision import WithdrawMandate
from services.mandate.handlers import Origin, withdraw
from services.mandate.policy import Policy, create_policy
from tests.examples import CORRELATION, HOUSE, HOUSE_REGISTERED, NOON
from tests.mandate_examples import NET_USER, OTHER_NET_USER
from tests.mandate_room import ANNA, Room, mandate_room, use
from tests.readings import LogRecord
from tests.topics import until

pytestmark = pytest.mark.integration

TOPIC = "register-events"
PARTITION = partition_of(HOUSE.encode(), 8)
STREAM = f"point:{HOUSE}"
OUT = NetUserMovedOut(ean=HOUSE, allocation_point_id="1", net_user_id=NET_USER, last_on=date(2026, 11, 30))
IN = NetUserMovedIn(ean=HOUSE, allocation_point_id="1", net_user_id=OTHER_NET_USER, moved_in_on=date(2026, 12, 1))
CLOSED = AccessPointClosed(ean=HOUSE, last_on=date(2026, 11, 30), replaced_by="")


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


@pytest.fixture
def policy(engine: Engine) -> Policy:
    return create_policy(engine, clock=lambda: NOON, partition_count=8)


def told(*events: Event, first_version: int = 1) -> list[LogRecord]:
    """What the register wrote on the stream of the house, as Kafka delivers it from offset 0 on."""
    return [
        LogRecord(
            topic=TOPIC,
            partition=PARTITION,
            offset=offset,
            timestamp=1_795_176_000_000,
            key=HOUSE.encode(),
            value=encode(each),
            headers=to_headers(
                event_id=UUID(int=offset + 1),
                event_type=type(each).__name__,
                source="register",
                stream_id=STREAM,
                stream_version=first_version + offset,
                recorded_at=NOON,
                correlation_id=CORRELATION,
            ),
        )
        for offset, each in enumerate(events)
    ]


def run_of(records: list[LogRecord]) -> Run:
    return Run(topic=TOPIC, partition=PARTITION, first_offset=0, next_offset=len(records), records=records)


def hear(policy: Policy, *events: Event) -> Applied:
    return policy.apply(policy.claim(PARTITION, "test"), run_of(told(*events)))


def ends(room: Room, ean: Ean = HOUSE) -> list[tuple[str, date]]:
    return [(each.reason, each.ends_on) for each in room.events(f"point:{ean}") if isinstance(each, MandateEnded)]


async def test_a_move_out_ends_every_mandate_on_the_point_and_says_what_it_came_from(
    room: Room, policy: Policy
) -> None:
    await room.grant()
    assert hear(policy, HOUSE_REGISTERED, OUT).applied_count == 2
    assert ends(room) == [("CUSTOMER_SWITCH", date(2026, 12, 1))] * 2
    with room.engine.begin() as tx:
        rows = tx.execute(event.select().where(event.c.event_type == "MandateEnded")).all()
    assert {(row.correlation_id, row.causation_id) for row in rows} == {(CORRELATION, UUID(int=2))}
    assert {each["is_active"] for each in await room.mandates(ANNA)} == {True}
    room.now = NOON.replace(day=30, hour=23)
    assert {each["is_active"] for each in await room.mandates(ANNA)} == {False}


async def test_a_closure_says_that_the_point_is_gone(room: Room, policy: Policy) -> None:
    await room.grant(services=[{"type": "IG"}])
    hear(policy, OUT, CLOSED)
    assert ends(room) == [("CUSTOMER_SWITCH", date(2026, 12, 1)), ("POINT_CLOSED", date(2026, 12, 1))]
    (mandate,) = await room.mandates(ANNA)
    assert (mandate["end_reason"], mandate["ends_on"]) == ("POINT_CLOSED", "2026-12-01")


async def test_a_move_out_and_the_move_in_that_goes_with_it_end_a_mandate_once(room: Room, policy: Policy) -> None:
    await room.grant(services=[{"type": "IG"}])
    hear(policy, OUT, IN)
    assert ends(room) == [("CUSTOMER_SWITCH", date(2026, 12, 1))]


async def test_what_is_delivered_again_ends_nothing_again(room: Room, policy: Policy) -> None:
    await room.grant(services=[{"type": "IG"}])
    hear(policy, OUT)
    claim = policy.claim(PARTITION, "test")
    again = [LogRecord(**{**as_fields(each), "offset": each.offset + 1}) for each in told(OUT)]
    applied = policy.apply(claim, Run(topic=TOPIC, partition=PARTITION, first_offset=1, next_offset=2, records=again))
    assert (applied.applied_count, applied.redelivered_count) == (0, 1)
    assert {reason for reason, _ in ends(room)} == {"CUSTOMER_SWITCH"}


def as_fields(record: LogRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in LogRecord.__dataclass_fields__}


async def test_a_member_that_lost_its_partition_ends_nothing(room: Room, policy: Policy) -> None:
    await room.grant()
    old = policy.claim(PARTITION, "frozen")
    policy.claim(PARTITION, "next")
    with pytest.raises(Fenced):
        policy.apply(old, run_of(told(OUT)))
    assert ends(room) == []


async def test_it_halts_at_what_it_cannot_read_and_has_done_what_came_before(room: Room, policy: Policy) -> None:
    await room.grant()
    records = told(OUT, CLOSED)
    records[1] = LogRecord(**{**as_fields(records[1]), "value": b"\xc3\x01garbage!"})
    claim = policy.claim(PARTITION, "test")
    with pytest.raises(ProjectionStopped, match="mandate-policy halts at register-events"):
        policy.apply(claim, run_of(records))
    assert {reason for reason, _ in ends(room)} == {"CUSTOMER_SWITCH"}
    assert policy.claim(PARTITION, "test").next_offset == records[1].offset


async def test_a_consent_on_an_old_answer_of_the_register_grants_nothing_after_the_switch(
    room: Room, policy: Policy
) -> None:
    session_id = await room.open()
    hear(policy, NetUserMovedOut(ean=HOUSE, allocation_point_id="1", net_user_id=NET_USER, last_on=date(2026, 11, 19)))
    answer = await room.post(f"/sessions/{session_id}/consent", {"eans": [HOUSE]}, ANNA)
    assert (answer.status_code, answer.json()["Code"]) == (409, "NotNetUser")


async def test_a_consent_on_an_old_answer_ends_with_a_switch_ahead(room: Room, policy: Policy) -> None:
    hear(policy, OUT)
    await room.grant(services=[{"type": "IG"}])
    assert ends(room) == [("CUSTOMER_SWITCH", date(2026, 12, 1))]


async def test_the_next_net_user_s_mandate_lives_while_old_news_is_read(room: Room, policy: Policy) -> None:
    room.people["p-anna"] = [use(HOUSE, first_on="2026-11-01")]
    await room.grant()
    before = NetUserMovedOut(ean=HOUSE, allocation_point_id="1", net_user_id=NET_USER, last_on=date(2026, 5, 1))
    other = NetUserMovedIn(ean=HOUSE, allocation_point_id="1", net_user_id=OTHER_NET_USER, moved_in_on=date(2026, 5, 2))
    gone = NetUserMovedOut(ean=HOUSE, allocation_point_id="1", net_user_id=OTHER_NET_USER, last_on=date(2026, 10, 31))
    hear(policy, before, other, gone)
    assert ends(room) == []


async def test_a_switch_waits_for_a_grant_under_way_and_ends_it(room: Room, policy: Policy) -> None:
    session_id = await room.open(services=[{"type": "IG"}])
    with ThreadPoolExecutor(1) as thread:
        with room.engine.begin() as tx:
            store.begin_grants(tx)
            switching = thread.submit(hear, policy, OUT)
            await until(lambda: is_waiting(room.engine, "advisory"))
            # what a consent does within its transaction
            granted = granted_by_hand(session_id)
            event_store.append(tx, STREAM, [granted], expected_version=0, correlation_id=CORRELATION, recorded_at=NOON)
            store.write(tx, [granted])
        assert switching.result().applied_count == 1
    assert ends(room) == [("CUSTOMER_SWITCH", date(2026, 12, 1))]


async def test_a_withdrawal_in_the_middle_of_a_switch_is_decided_anew(room: Room, policy: Policy) -> None:
    (mandate,) = await room.grant(services=[{"type": "IG"}])
    command = WithdrawMandate(mandate_id=UUID(mandate["mandate_id"]), net_user_ids=frozenset({NET_USER}), now=NOON)
    with ThreadPoolExecutor(1) as thread:
        with room.engine.begin() as tx:
            withdraw(tx, HOUSE, command, Origin(now=NOON, correlation_id=uuid4()))
            switching: Future[Applied] = thread.submit(hear, policy, OUT)
            await until(lambda: is_waiting(room.engine, "transactionid"))
        assert switching.result().applied_count == 1
    assert ends(room) == []
    assert (await room.mandates(ANNA))[0]["end_reason"] == "WITHDRAWN"


def is_waiting(engine: Engine, kind: str) -> bool:
    """Whether a session of the test waits for a lock of this kind."""
    waiting = text(
        "select count(*) from pg_locks l join pg_stat_activity a using (pid) "
        "where not l.granted and l.locktype = :kind and a.usename = current_user"
    )
    with engine.begin() as tx:
        return bool(tx.execute(waiting, {"kind": kind}).scalar_one())


def granted_by_hand(session_id: str) -> MandateGranted:
    return MandateGranted(
        ean=HOUSE,
        mandate_id=uuid4(),
        session_id=session_id,
        contract_number="1000000001",
        holder_kbo="0123456749",
        reference_number="order-1",
        data_service_type="IG",
        data_period_from=None,
        data_period_to=None,
        net_user_id=NET_USER,
        occupied_from=date(2026, 3, 1),
        granted_at=NOON,
        expires_at=NOON.replace(year=2029, hour=23),
    )


def test_a_claim_is_of_the_policy_s_own_checkpoint(policy: Policy) -> None:
    assert policy.claim(3, "test") == Claim("mandate-policy", TOPIC, 3, 1, 0)
