"""What access is decided by, as events make it on a real database; and that nothing changes while an answer leaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from eventlog.codec import encode
from eventlog.database import create_engine, create_tables
from eventlog.envelope import to_headers
from eventlog.events import (
    AccessPointRegistered,
    AllocationPointAdded,
    DataAccessContractEnded,
    DataAccessContractSigned,
    Event,
    MandateEnded,
    MandateExpired,
    MandateGranted,
    MandateToBeRenewed,
    MandateWithdrawn,
    MeterInstalled,
    MeterRemoved,
    NetUserMovedIn,
    NetUserMovedOut,
    SubHeadPointAdded,
)
from eventlog.halt import ProjectionStopped
from eventlog.projection import EventProjection, Run
from eventlog.topics import partition_of
from market.channel import Energy
from market.ean import Ean
from services.export import tables
from services.export.domain.permissions import (
    AllocationPoint,
    MeterPeriod,
    Occupancy,
    PointFacts,
    SubHeadPoint,
)
from services.export.facts import Known, hold_permissions, read_point
from services.export.mandate_list import MandateFilter, find_mandates
from services.export.projector import occupancy_projection, permission_projection
from tests.examples import CONTRACT, HOLDER_KBO, HOUSE, HOUSE_METER, NOON, OTHER_KBO
from tests.export_examples import ANNA, BART, GRANTED, MANDATE_ID, SIGNED
from tests.readings import LogRecord

pytestmark = pytest.mark.integration

SUB = Ean("541448800000000048")
PARTITIONS = 8
NOON_MS = int(NOON.timestamp() * 1000)


def granted(**changes: object) -> MandateGranted:
    given = {name: getattr(GRANTED, name) for name in MandateGranted.__slots__ if hasattr(GRANTED, name)}
    return MandateGranted(**{**given, "session_id": "s" * 22, **changes})  # type: ignore[arg-type]


CONTRACT_SIGNED = DataAccessContractSigned(contract_number=CONTRACT, holder_kbo=HOLDER_KBO, valid_from=date(2026, 1, 1))
REGISTERED = (
    AccessPointRegistered(ean=HOUSE, energy="E", meter_kind="DIGITAL", registered_on=date(2019, 1, 1)),
    AllocationPointAdded(ean=HOUSE, allocation_point_id="1", direction="BOTH", added_on=date(2019, 1, 1)),
)


class Told:
    """Both projections on one database, told events one by one as the log would."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._projections = {
            "mandate-events": permission_projection(engine, PARTITIONS),
            "register-events": occupancy_projection(engine, PARTITIONS),
        }
        self._versions: dict[tuple[str, str], int] = {}
        self._offsets: dict[tuple[str, int], int] = {}

    def mandate(self, *events: Event) -> None:
        for each in events:
            self._tell("mandate-events", each)

    def register(self, *events: Event) -> None:
        for each in events:
            self._tell("register-events", each)

    def _tell(self, topic: str, event: Event) -> None:
        number = getattr(event, "contract_number", None) if not hasattr(event, "ean") else None
        stream = f"contract:{number}" if number else f"point:{event.ean}"
        key = stream.partition(":")[2].encode()
        partition = partition_of(key, PARTITIONS)
        version = self._versions[topic, stream] = self._versions.get((topic, stream), 0) + 1
        offset = self._offsets.get((topic, partition), 0)
        self._offsets[topic, partition] = offset + 1
        headers = to_headers(
            event_id=uuid4(),
            event_type=type(event).__name__,
            source="test",
            stream_id=stream,
            stream_version=version,
            recorded_at=NOON,
            correlation_id=UUID(int=1),
        )
        record = LogRecord(topic, partition, offset, NOON_MS + offset, key, encode(event), headers)
        self.apply(topic, record)

    def apply(self, topic: str, record: LogRecord) -> None:
        projection: EventProjection = self._projections[topic]
        claim = projection.claim(record.partition, "test")
        run = Run(
            topic=topic,
            partition=record.partition,
            first_offset=record.offset,
            next_offset=record.offset + 1,
            records=[record],
        )
        projection.apply(claim, run)

    def known(self, ean: Ean = HOUSE) -> Known:
        with self.engine.begin() as tx:
            return read_point(tx, ean)

    @property
    def facts(self) -> PointFacts:
        found = self.known().facts
        assert found is not None
        return found

    def listed(self, **wanted: object) -> list[dict[str, object]]:
        with self.engine.begin() as tx:
            return find_mandates(tx, HOLDER_KBO, MandateFilter(**wanted), now=NOON)  # type: ignore[arg-type]


@pytest.fixture
def told(database_url: str) -> Iterator[Told]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    yield Told(engine)
    engine.dispose()


def test_a_point_that_register_never_named_is_not_known(told: Told) -> None:
    told.mandate(CONTRACT_SIGNED, granted())
    assert told.known().facts is None


def test_a_point_is_what_its_events_say(told: Told) -> None:
    swapped_at = datetime(2026, 6, 1, 8, 30, tzinfo=UTC)
    installed_at = datetime(2019, 1, 1, tzinfo=UTC)
    told.register(
        *REGISTERED,
        MeterInstalled(
            ean=HOUSE, meter_id=HOUSE_METER, meter_kind="DIGITAL", sequence_number=1, installed_at=installed_at
        ),
        MeterRemoved(ean=HOUSE, meter_id=HOUSE_METER, removed_at=swapped_at),
        MeterInstalled(ean=HOUSE, meter_id="new", meter_kind="DIGITAL", sequence_number=2, installed_at=swapped_at),
        NetUserMovedIn(ean=HOUSE, allocation_point_id="1", net_user_id=BART, moved_in_on=date(2019, 1, 1)),
        NetUserMovedOut(ean=HOUSE, allocation_point_id="1", net_user_id=BART, last_on=date(2025, 2, 28)),
        NetUserMovedIn(ean=HOUSE, allocation_point_id="1", net_user_id=ANNA, moved_in_on=date(2025, 3, 1)),
        SubHeadPointAdded(
            ean=HOUSE,
            sub_ean=SUB,
            kind="PRODUCTION",
            sequence_number=1,
            installation_id="G1",
            production_type="PV",
            added_on=date(2020, 1, 1),
        ),
    )
    told.mandate(CONTRACT_SIGNED, granted())
    assert told.facts == PointFacts(
        ean=HOUSE,
        energy=Energy.ELECTRICITY,
        allocation_points=(AllocationPoint(allocation_point_id="1", added_on=date(2019, 1, 1)),),
        occupancies=(
            Occupancy(allocation_point_id="1", net_user_id=BART, first_on=date(2019, 1, 1), last_on=date(2025, 2, 28)),
            Occupancy(allocation_point_id="1", net_user_id=ANNA, first_on=date(2025, 3, 1)),
        ),
        meters=(
            MeterPeriod(meter_id=HOUSE_METER, sequence_number=1, installed_at=installed_at, removed_at=swapped_at),
            MeterPeriod(meter_id="new", sequence_number=2, installed_at=swapped_at),
        ),
        sub_head_points=(
            SubHeadPoint(ean=SUB, kind="PRODUCTION", sequence_number=1, installation_id="G1", production_type="PV"),
        ),
        mandates=(GRANTED,),
        contracts=(SIGNED,),
    )


def test_an_end_only_ever_comes_nearer(told: Told) -> None:
    told.register(
        *REGISTERED,
        NetUserMovedIn(ean=HOUSE, allocation_point_id="1", net_user_id=ANNA, moved_in_on=date(2025, 3, 1)),
        NetUserMovedOut(ean=HOUSE, allocation_point_id="1", net_user_id=ANNA, last_on=date(2026, 12, 31)),
        NetUserMovedOut(ean=HOUSE, allocation_point_id="1", net_user_id=ANNA, last_on=date(2026, 11, 30)),
    )
    told.mandate(CONTRACT_SIGNED, granted())
    for ends_on in (date(2027, 1, 1), date(2026, 12, 1), date(2026, 12, 24)):
        told.mandate(
            MandateEnded(ean=HOUSE, mandate_id=MANDATE_ID, reason="CUSTOMER_SWITCH", ends_on=ends_on, ended_at=NOON)
        )
    for ended_on in (date(2027, 3, 1), date(2027, 2, 1)):
        told.mandate(DataAccessContractEnded(contract_number=CONTRACT, ended_on=ended_on))
    facts = told.facts
    assert facts.occupancies[0].last_on == date(2026, 11, 30)
    assert facts.mandates == (replace(GRANTED, ends_on=date(2026, 12, 1)),)
    assert facts.contracts == (replace(SIGNED, ended_on=date(2027, 2, 1)),)


@pytest.mark.parametrize(
    ("event", "is_over", "status", "renewal"),
    [
        (MandateToBeRenewed(ean=HOUSE, mandate_id=MANDATE_ID, signalled_at=NOON), False, "Approved", "ToBeRenewed"),
        (MandateExpired(ean=HOUSE, mandate_id=MANDATE_ID, expired_at=NOON), True, "Finished", "Expired"),
        (MandateWithdrawn(ean=HOUSE, mandate_id=MANDATE_ID, withdrawn_at=NOON), True, "Finished", None),
    ],
)
def test_a_mandate_changes_with_its_events(
    told: Told, event: Event, is_over: bool, status: str, renewal: str | None
) -> None:
    told.register(*REGISTERED)
    told.mandate(CONTRACT_SIGNED, granted(), event)
    assert told.facts.mandates[0].is_over is is_over
    [shown] = told.listed()
    assert (shown["status"], shown["renewalStatus"], shown["energyType"]) == (status, renewal, "E")


def test_a_filter_finds_what_changed_after_the_one_instant_and_not_after_the_other(told: Told) -> None:
    told.register(*REGISTERED)
    told.mandate(CONTRACT_SIGNED, granted(), MandateToBeRenewed(ean=HOUSE, mandate_id=MANDATE_ID, signalled_at=NOON))
    # Its stream is alone on its partition: the second record there was appended 1 ms after noon.
    changed_at = NOON + timedelta(milliseconds=1)
    assert len(told.listed(updated_until=changed_at)) == 1
    assert told.listed(updated_after=changed_at) == []
    assert told.listed(updated_until=NOON) == []
    assert len(told.listed(updated_after=NOON, services=("VH_onbepaald",), ean=HOUSE, energy="E")) == 1
    assert told.listed(services=("VH_dag",)) == []
    assert len(told.listed(expires_on=date(2029, 1, 10))) == 1
    assert len(told.listed(expires_on=GRANTED.expires_at)) == 1
    assert told.listed(expires_on=date(2029, 1, 11)) == []
    assert told.listed(reference_number="another") == []
    with told.engine.begin() as tx:
        assert find_mandates(tx, OTHER_KBO, MandateFilter(), now=NOON) == []


@pytest.mark.parametrize(
    "event",
    [
        MandateWithdrawn(ean=HOUSE, mandate_id=MANDATE_ID, withdrawn_at=NOON),
        DataAccessContractEnded(contract_number=CONTRACT, ended_on=date(2026, 1, 1)),
    ],
)
def test_an_event_that_cannot_be_used_halts_and_changes_nothing(told: Told, event: Event) -> None:
    with pytest.raises(ProjectionStopped, match="permission halts at mandate-events"):
        told.mandate(event)
    assert told.known().checkpoints == {"mandate-events": dict.fromkeys(told.known().checkpoints["mandate-events"], 0)}


def test_bytes_that_are_no_event_halt_too(told: Told) -> None:
    partition = partition_of(HOUSE.encode(), PARTITIONS)
    with pytest.raises(ProjectionStopped, match="occupancy halts at register-events"):
        told.apply("register-events", LogRecord("register-events", partition, 0, NOON_MS, HOUSE.encode(), b"?"))


def test_a_withdrawal_waits_until_an_answer_that_rests_on_the_mandate_has_left(told: Told) -> None:
    told.register(*REGISTERED)
    told.mandate(CONTRACT_SIGNED, granted())
    partition = partition_of(HOUSE.encode(), PARTITIONS)
    withdrawn = MandateWithdrawn(ean=HOUSE, mandate_id=MANDATE_ID, withdrawn_at=NOON)
    withdrawing = threading.Thread(target=told.mandate, args=(withdrawn,))
    with told.engine.begin() as answer:
        hold_permissions(answer, [partition])
        withdrawing.start()
        withdrawing.join(0.3)
        assert withdrawing.is_alive()
        known = read_point(answer, HOUSE)
        assert known.facts is not None
        assert not known.facts.mandates[0].is_over
    withdrawing.join(10)
    assert told.facts.mandates[0].is_over
