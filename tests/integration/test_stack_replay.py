"""`kwartier replay` on real processes: it says identical, or what is not, and puts it in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from eventlog.topics import partition_of
from stack.cli import main
from stack.condition import observe_versions
from stack.platform import endpoints
from stack.state import write_json
from tests.running import Running, running

pytestmark = pytest.mark.integration

HOUSE = "541448800000000017"
FILE = Path(__file__).parents[1] / "data" / "portal_nl_digital_quarter_october.csv"


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


def tamper(platform: Running, by: int) -> None:
    statement = "update metering.block set total = total + %s where ean = %s and channel = "
    statement += "(select min(channel) from metering.block where ean = %s)"
    with psycopg.connect(platform.layout.database_elsewhere) as connection:
        assert connection.execute(statement, [by, int(HOUSE), int(HOUSE)]).rowcount == 1


def test_block_is_rebuilt_to_the_same_bits(platform: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(platform, "block") == 0
    told = capsys.readouterr()
    assert told.out.startswith("identical: ")
    assert len(told.out.splitlines()) == 1
    assert told.err == ""
    assert "metering" in schemas(platform)
    assert "metering_block_rebuild" not in schemas(platform)


@pytest.mark.parametrize("projection", ["permission", "occupancy"])
def test_what_access_is_decided_by_is_rebuilt_too(
    platform: Running, projection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(platform, projection, "--json") == 0
    outcome = json.loads(capsys.readouterr().out)
    assert (outcome["projection"], outcome["identical"], outcome["switched"]) == (projection, True, False)


def test_a_damaged_row_is_found_refused_and_mended_by_a_switch(
    platform: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper(platform, 1)
    assert replay(platform, "block", "--switch") == 1
    partition, row, refusal = capsys.readouterr().out.splitlines()
    number = partition_of(HOUSE.encode(), 8)
    assert partition.startswith(f"partition {number} differs at offset ")
    assert row.startswith(f"block in partition {number}: 1 row differs, keys ")
    assert refusal.startswith("not switched: ")
    assert not {name for name in schemas(platform) if name.startswith("metering_")}

    assert replay(platform, "block", "--switch", "--accept-differences") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("switched: what was live until now is block@old;")
    assert replay(platform, "block") == 0
    assert capsys.readouterr().out.startswith("identical: ")
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
        (["ledger"], "ledger is no projection: give one that can be replayed (block, occupancy, permission)"),
        (
            ["mandate-policy"],
            (
                "mandate-policy decides, and its decisions are events already: it is never rebuilt; "
                "give one of block, occupancy, permission"
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
