"""`kwartier parked` on real processes: what is parked is found, looked at, replayed and given up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from eventlog.codec import encode
from stack.cli import main
from stack.platform import endpoints
from stack.state import write_json
from tests.examples import HOUSE
from tests.readings import reading
from tests.running import Running, running

pytestmark = pytest.mark.integration

GOOD, TOO_LONG, GARBAGE = encode(reading(1)), encode(reading([1] * 97)), b"no reading"


class Command:
    """The command `kwartier parked` on a platform."""

    def __init__(self, platform: Running, places: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
        self.platform, self.places, self._capsys = platform, places, capsys

    def __call__(self, *words: str, code: int = 0) -> str:
        assert main(["parked", *words, "--state", str(self.platform.layout.state.folder)]) == code
        told = self._capsys.readouterr()
        return told.err if code and not told.out else told.out

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code))


@pytest.fixture(scope="module")
def parked(
    tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str
) -> Iterator[tuple[Running, Any]]:
    folder = tmp_path_factory.mktemp("platform")
    names = ("metering", "metering-project")
    with running(folder, names, kafka_bootstrap=own_kafka, admin_url=own_database) as platform:
        places = asyncio.run(publish(platform.layout.kafka_access.bootstrap, [GARBAGE, TOO_LONG, GARBAGE]))
        platform.deliver(NDJSON, "application/x-ndjson")  # the store has passed the three then
        with platform.layout.state.held():
            write_json(platform.layout.state.endpoints, endpoints(platform.layout))
            yield platform, places


NDJSON = (
    b'{"ean": "541448800000000017", "meter_kind": "DIGITAL", "channel": "OFFTAKE_ACTIVE_QUARTER_HOURLY", '
    b'"day": "2026-11-18", "source_at": "2026-11-20T04:00:00Z", "part": true, "values": [1], "quality": "MEASURED"}'
)


@pytest.fixture
def command(parked: tuple[Running, Sequence[str]], capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(*parked, capsys)


async def publish(bootstrap: str, values: Sequence[bytes]) -> list[str]:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        sent = [await producer.send_and_wait("meter-readings", each, key=HOUSE.encode()) for each in values]
    return [f"{each.topic}/{each.partition}/{each.offset}" for each in sent]


def test_what_is_parked_is_listed_with_its_rule_and_nothing_of_its_content(command: Command) -> None:
    lines = command("list").splitlines()
    assert [line.split("  ")[:3] for line in lines[:3]] == [
        ["block", command.places[0], "undecodable"],
        ["block", command.places[1], "slices_outside_day"],
        ["block", command.places[2], "undecodable"],
    ]
    assert lines[3:] == ["3 parked"]
    assert HOUSE not in "".join(lines)
    assert len(command.json("list", "--rule", "undecodable")["parked"]) == 2
    assert command.json("list", "--projection", "permission") == {"parked": [], "halts": []}


def test_one_record_is_shown_as_hex_in_words_or_as_a_file(command: Command, tmp_path: Path) -> None:
    place, file = command.places[1], tmp_path / "value"
    shown = command.json("show", "block", place)
    assert (shown["at"], shown["length"], shown["key"]) == (place, len(TOO_LONG), HOUSE.encode().hex())
    assert shown["value"].startswith(TOO_LONG[:200].hex())
    assert HOUSE not in json.dumps(shown)
    assert command.json("show", "block", place, "--decode")["content"]["ean"] == HOUSE
    assert HOUSE.encode().hex() not in command("show", "block", place, "--raw", str(file))
    assert file.read_bytes() == TOO_LONG
    gone = command("show", "block", "meter-readings/0/99999", code=1)
    assert gone == "kwartier: meter-readings/0/99999 is neither parked nor on the topic: look at kwartier parked list\n"


def test_what_is_good_by_now_is_replayed_and_what_is_not_stays(command: Command) -> None:
    repair(command, command.places[2], GOOD)
    outcome = command.json("replay", "--all", code=1)
    assert (outcome["replayed"], outcome["known"]) == (1, 0)
    assert [each["at"] for each in outcome["left"]] == command.places[:2]
    partition, offset = command.places[2].split("/")[1:]
    headers = command.platform.headers("kwartier", "metering/receipts.read")
    with command.platform.client("metering") as metering:
        assert metering.get(f"/receipts/{partition}/{offset}", headers=headers).json() == {"state": "stored"}
    assert command("replay", "--at", command.places[2]) == "0 replayed, 0 left\n"


def repair(command: Command, place: str, value: bytes) -> None:
    """Put a good value in the place of a parked one, as a decoder that can read it would."""
    topic, partition, offset = place.split("/")
    where = "topic = %s and partition = %s and record_offset = %s"
    with psycopg.connect(command.platform.layout.database_elsewhere) as connection:
        done = connection.execute(
            f"update metering.dead_letter set value = %s where {where}",
            [value, topic, int(partition), int(offset)],
        )
    assert done.rowcount == 1


def test_a_record_that_is_given_up_is_kept_and_no_longer_parked(command: Command) -> None:
    place = command.places[0]
    assert command("discard", "block", place, "--reason", "the sender knows") == f"{place} is given up\n"
    assert command.json("list")["parked"][0]["at"] == command.places[1]
    assert command.json("show", "block", place)["parked"]["discard_reason"] == "the sender knows"
    again = command("discard", "block", place, "--reason", "once more", code=1)
    assert again == f"kwartier: {place} is not parked by block: look at kwartier parked list\n"


def test_wrong_use_is_told_what_to_give(command: Command) -> None:
    told = command("replay", code=2)
    assert told == "kwartier: say which: --at, --projection, --stream, --rule or --all\n"
    assert command("list", "--projection", "blocks", code=2).startswith(
        "kwartier: blocks is no projection: give one of"
    )
    told = command("replay", "--projection", "permission", code=1)
    assert told == "kwartier: permission parks nothing, it halts: docs/operations.md, A projection halts\n"
