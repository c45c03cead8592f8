"""`kwartier replay` on real processes: it says identical, or what is not, and puts it in its place."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from eventlog.codec import encode
from eventlog.envelope import to_headers
from eventlog.events import DataAccessContractSigned, Event, MandateGranted
from eventlog.topics import partition_of
from stack.cli import main
from stack.condition import observe_projections, observe_versions
from stack.platform import endpoints
from stack.state import write_json
from stack.versions import OWNERS
from tests.examples import CONTRACT, HOLDER_KBO, NOON
from tests.export_examples import GRANTED
from tests.kwartier import Kwartier
from tests.register_events import NEW_HOUSE
from tests.running import Running, running

pytestmark = pytest.mark.integration

HOUSE = "541448800000000017"
DATA = Path(__file__).parents[1] / "data"
FILE, OTHER_FILE = DATA / "portal_nl_digital_quarter_october.csv", DATA / "portal_nl_digital_quarter_march.csv"

CLOCK_BACK = date(2026, 10, 25)

CONTRACT_SIGNED = DataAccessContractSigned(contract_number=CONTRACT, holder_kbo=HOLDER_KBO, valid_from=date(2026, 1, 1))


def granted() -> MandateGranted:
    given = {name: getattr(GRANTED, name) for name in MandateGranted.__slots__ if hasattr(GRANTED, name)}
    return MandateGranted(**{**given, "session_id": "s" * 22})


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str) -> Iterator[Running]:
    names = ("metering", "metering-project", "export")
    folder = tmp_path_factory.mktemp("platform")
    with running(folder, names, kafka_bootstrap=own_kafka, admin_url=own_database) as platform:
        platform.deliver(FILE.read_bytes(), "text/csv")
        with platform.layout.state.held() as is_mine:
            assert is_mine
            write_json(platform.layout.state.endpoints, endpoints(platform.layout))
            yield platform


def replay(platform: Running, *words: str) -> int:
    return main(["replay", *words, "--state", str(platform.layout.state.folder)])


def schemas(platform: Running) -> set[str]:
    with psycopg.connect(platform.layout.database_elsewhere) as connection:
        return {name for (name,) in connection.execute("select nspname from pg_namespace").fetchall()}


def total(platform: Running, *, tampered_by: int = 0) -> int:
    """Return the total of one block, which is changed by so much where nobody should."""
    statement = "update metering.block set total = total + %s where ean = %s and day = %s and channel = "
    statement += "(select min(channel) from metering.block where ean = %s) returning total"
    with psycopg.connect(platform.layout.database_elsewhere) as connection:
        ((found,),) = connection.execute(statement, [tampered_by, int(HOUSE), CLOCK_BACK, int(HOUSE)]).fetchall()
    return int(found)


def test_block_is_rebuilt_to_the_same_bits(platform: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(platform, "block") == 0
    told = capsys.readouterr()
    assert told.out.startswith("identical: ")
    assert len(told.out.splitlines()) == 1
    assert told.err == ""
    assert "metering" in schemas(platform)
    assert "metering_block_rebuild" not in schemas(platform)


def test_what_access_is_decided_by_is_rebuilt_and_compared_too(
    platform: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(platform, "mandate-events", CONTRACT_SIGNED, granted())
    tell(platform, "register-events", *NEW_HOUSE)
    for projection, rows in (
        ("permission", {"mandate": 1, "contract": 1}),
        (
            "occupancy",
            {"access_point": 1, "allocation_point": 1, "sub_head_point": 0, "meter_period": 0, "occupancy": 0},
        ),
    ):
        assert replay(platform, projection, "--json") == 0
        outcome = json.loads(capsys.readouterr().out)
        assert (outcome["projection"], outcome["identical"], outcome["rows"]) == (projection, True, rows)

    with psycopg.connect(platform.layout.database_elsewhere) as connection:
        connection.execute("update export.mandate set expires_at = expires_at + interval '1 day'")
    assert replay(platform, "permission", "--switch", "--accept-differences", "--json") == 0
    outcome = json.loads(capsys.readouterr().out)
    partition = partition_of(HOUSE.encode(), 8)
    assert outcome["different_partitions"] == [partition]
    assert [(each["table"], each["count"]) for each in outcome["different_rows"]] == [("mandate", 1)]
    assert HOUSE not in json.dumps(outcome)
    with psycopg.connect(platform.layout.database_elsewhere) as connection:
        assert connection.execute("select expires_at from export.mandate").fetchone() == (GRANTED.expires_at,)
    assert replay(platform, "permission", "--drop", "old") == 0


def tell(platform: Running, topic: str, *events: Event) -> None:
    """Publish `events` as the first of their streams, and wait until export has applied them."""

    async def publish() -> None:
        async with AIOKafkaProducer(bootstrap_servers=platform.layout.kafka_access.bootstrap) as producer:
            versions: Counter[str] = Counter()
            for each in events:
                stream = f"point:{each.ean}" if hasattr(each, "ean") else f"contract:{CONTRACT}"
                versions[stream] += 1
                headers = to_headers(
                    event_id=uuid4(),
                    event_type=type(each).__name__,
                    source="test",
                    stream_id=stream,
                    stream_version=versions[stream],
                    recorded_at=NOON,
                    correlation_id=UUID(int=1),
                )
                key = stream.partition(":")[2].encode()
                await producer.send_and_wait(topic, encode(each), key=key, headers=headers)

    asyncio.run(publish())
    wait_until(lambda: applied(platform, topic) == len(events))


def applied(platform: Running, topic: str) -> int:
    """Return how many records of `topic` all its projections have applied."""
    found = observe_projections(endpoints(platform.layout))[0]
    return min((sum(each.checkpoints.values()) for each in found if each.topic == topic), default=0)


def wait_until(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not question():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.05)


def test_a_version_is_followed_and_a_switch_that_is_killed_changes_nothing(
    platform: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    addresses = endpoints(platform.layout)

    def versions() -> list[tuple[str, int | None]]:
        return [(each.name, each.lag) for each in observe_versions(addresses, observe_projections(addresses)[0])]

    kwartier = Kwartier(platform.layout.state.folder)
    with kwartier.start("replay", "block", "--version", "2", "--follow") as following:
        wait_until(lambda: versions() == [("block@2", 0)])
        platform.deliver(OTHER_FILE.read_bytes(), "text/csv")
        wait_until(lambda: versions() == [("block@2", 0)])
        following.kill()

    with psycopg.connect(platform.layout.database_elsewhere) as holding:
        holding.execute("select 1 from metering.checkpoint for update")
        with kwartier.start("replay", "block", "--version", "2", "--switch") as switching:
            wait_until(lambda: waits_for_a_lock(platform))
            switching.kill()
    wait_until(lambda: not sessions(platform))
    assert versions() == [("block@2", 0)]

    assert replay(platform, "block", "--version", "2", "--switch") == 0
    assert capsys.readouterr().out.startswith("identical: ")
    assert [name for name, _ in versions()] == ["block@old"]
    assert replay(platform, "block", "--drop", "old") == 0


def sessions(platform: Running) -> list[str | None]:
    """What each session of a rebuild waits for."""
    query = "select wait_event_type from pg_stat_activity where application_name = 'rebuild-block'"
    with psycopg.connect(platform.layout.database_elsewhere) as connection:
        return [kind for (kind,) in connection.execute(query).fetchall()]


def waits_for_a_lock(platform: Running) -> bool:
    return "Lock" in sessions(platform)


def test_a_damaged_row_is_found_refused_and_mended_by_a_switch(
    platform: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    before = total(platform)
    assert total(platform, tampered_by=1) == before + 1
    assert replay(platform, "block", "--switch") == 1
    partition, row, refusal = capsys.readouterr().out.splitlines()
    number = partition_of(HOUSE.encode(), 8)
    assert partition.startswith(f"partition {number} differs at offset ")
    assert row.startswith(f"block in partition {number}: 1 row differs, keys ")
    assert refusal.startswith("not switched: ")
    assert not {name for name in schemas(platform) if name.startswith("metering_")}

    assert replay(platform, "block", "--switch", "--accept-differences") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("switched: what was live until now is block@old;")
    assert total(platform) == before
    assert {name for name in schemas(platform) if name.startswith("metering_")} == {"metering_block_old"}
    assert [each.name for each in observe_versions(endpoints(platform.layout))] == ["block@old"]

    assert replay(platform, "block", "--switch") == 1
    words = "block@old lies there still: type kwartier replay block --drop old first"
    assert capsys.readouterr().err == f"kwartier: the rebuild failed: {words}\n"
    assert replay(platform, "block", "--drop", "old") == 0
    assert capsys.readouterr().out == "dropped: block@old\n"
    assert not {name for name in schemas(platform) if name.startswith("metering_")}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["ledger"], f"ledger is no projection: give one that can be replayed ({', '.join(OWNERS)})"),
        (
            ["mandate-policy"],
            (
                "mandate-policy decides, and its decisions are events already: it is never rebuilt; "
                f"give one of {', '.join(OWNERS)}"
            ),
        ),
        (["block", "--follow"], "what is followed is kept: give it a name with --version"),
        (["block", "--accept-differences"], "--accept-differences belongs to --switch"),
        (["block", "--follow", "--version", "2", "--switch"], "--follow never ends: stop it, then type --switch"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    platform: Running, words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(platform, *words) == 2
    assert capsys.readouterr().err == f"kwartier: {line}\n"


def test_a_second_replay_waits_for_the_first(platform: Running, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(platform.layout.database_elsewhere, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('metering_block_', 0))")
        assert replay(platform, "block") == 1
    assert capsys.readouterr().err == "kwartier: another replay of block runs: wait for its end\n"


def test_without_kafka_one_line_says_so(platform: Running, capsys: pytest.CaptureFixture[str]) -> None:
    file = platform.layout.state.endpoints
    write_json(file, {**endpoints(platform.layout), "kafka": "127.0.0.1:1"})
    try:
        assert replay(platform, "block") == 1
    finally:
        write_json(file, endpoints(platform.layout))
    line = "kwartier: the rebuild failed: Kafka at 127.0.0.1:1 does not answer (KafkaConnectionError): start it\n"
    assert capsys.readouterr().err == line
