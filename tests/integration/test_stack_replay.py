"""`kwartier replay` on real processes: it says identical, or which partition is not, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from eventlog.topics import partition_of
from stack.cli import main
from stack.platform import endpoints
from stack.state import write_json
from tests.running import Running, running

pytestmark = pytest.mark.integration

HOUSE = "541448800000000017"
FILE = Path(__file__).parents[1] / "data" / "portal_nl_digital_quarter_october.csv"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str) -> Iterator[Running]:
    names = ("metering", "metering-project")
    folder = tmp_path_factory.mktemp("platform")
    with running(folder, names, kafka_bootstrap=own_kafka, admin_url=own_database) as platform:
        platform.deliver(FILE.read_bytes(), "text/csv")
        with platform.layout.state.held() as is_mine:
            assert is_mine
            write_json(platform.layout.state.endpoints, endpoints(platform.layout))
            yield platform


def replay(platform: Running, projection: str) -> int:
    return main(["replay", projection, "--state", str(platform.layout.state.folder)])


def schemas(platform: Running) -> set[str]:
    with psycopg.connect(platform.layout.database_elsewhere) as connection:
        return {name for (name,) in connection.execute("select nspname from pg_namespace").fetchall()}


def test_block_is_rebuilt_to_the_same_bits(platform: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(platform, "block") == 0
    told = capsys.readouterr()
    assert told.out.startswith("identical: ")
    assert len(told.out.splitlines()) == 1
    assert told.err == ""
    assert "metering" in schemas(platform)
    assert "metering_rebuild" not in schemas(platform)


def test_a_row_that_was_tampered_with_is_exit_code_1(platform: Running, capsys: pytest.CaptureFixture[str]) -> None:
    tamper = "update metering.block set total = total + %s where ean = %s and channel = "
    tamper += "(select min(channel) from metering.block where ean = %s)"
    with psycopg.connect(platform.layout.database_elsewhere) as connection:
        assert connection.execute(tamper, [1, int(HOUSE), int(HOUSE)]).rowcount == 1
    try:
        assert replay(platform, "block") == 1
    finally:
        with psycopg.connect(platform.layout.database_elsewhere) as connection:
            connection.execute(tamper, [-1, int(HOUSE), int(HOUSE)])
    told = capsys.readouterr()
    assert told.out.startswith(f"partition {partition_of(HOUSE.encode(), 8)} differs at offset ")
    assert len(told.out.splitlines()) == 1
    assert "metering_rebuild" not in schemas(platform)


def test_another_projection_is_refused_and_the_right_one_named(
    platform: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(platform, "permission") == 2
    line = "kwartier: permission is no projection: give one that can be replayed (block)\n"
    assert capsys.readouterr().err == line


def test_a_second_replay_waits_for_the_first(platform: Running, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(platform.layout.database_elsewhere, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended('metering_rebuild', 0))")
        assert replay(platform, "block") == 1
    assert capsys.readouterr().err == "kwartier: another replay of metering runs: wait for its end\n"


def test_without_kafka_one_line_says_so(platform: Running, capsys: pytest.CaptureFixture[str]) -> None:
    file = platform.layout.state.endpoints
    write_json(file, {**endpoints(platform.layout), "kafka": "127.0.0.1:1"})
    try:
        assert replay(platform, "block") == 1
    finally:
        write_json(file, endpoints(platform.layout))
    line = "kwartier: the rebuild failed: Kafka at 127.0.0.1:1 does not answer (KafkaConnectionError): start it\n"
    assert capsys.readouterr().err == line
