"""The live watch as a process: what real readings do to its picture, and that a new start shows the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from market.local_time import BRUSSELS
from tests.examples import HOUSE
from tests.metering_room import new_ean
from tests.running import Running, running
from tests.topics import read_all, until

pytestmark = pytest.mark.integration

TODAY = datetime.now(BRUSSELS).date()
DAY = TODAY - timedelta(days=3)
READ_AT = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) + timedelta(days=1, hours=5)
SCOPE = "metering/arrivals.read"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str) -> Iterator[Running]:
    names = ("metering", "metering-project", "metering-watch")
    folder = tmp_path_factory.mktemp("platform")
    with running(folder, names, kafka_bootstrap=own_kafka, admin_url=own_database) as platform:
        yield platform


def reading(ean: str, values: list[int | None], *, sequence: int = 0, is_part: bool = False) -> str:
    return json.dumps(
        {
            "source": "head-end-1",
            "source_at": READ_AT.isoformat(),
            "source_sequence": sequence,
            "ean": ean,
            "meter_kind": "DIGITAL",
            "channel": "OFFTAKE_ACTIVE_DAILY",
            "day": DAY.isoformat(),
            "values": values,
            "part": is_part,
        }
    )


def picture(platform: Running) -> dict[str, Any]:
    headers = platform.headers("portal", SCOPE)
    with platform.client("metering-watch") as watch:
        answer: dict[str, Any] = watch.get("/arrivals", headers=headers).raise_for_status().json()
        return answer


def metrics(platform: Running) -> str:
    with platform.client("metering-watch") as watch:
        return watch.get("/metrics").text


def days(platform: Running) -> list[tuple[int, int, int, int]]:
    return [
        (each["block_count"], each["completed_count"], each["open_count"], each["revised_count"])
        for each in picture(platform)["days"]
        if each["day"] == DAY.isoformat() and each["energy"] == "ELECTRICITY"
    ]


async def test_readings_show_as_they_are_stored_and_a_new_start_shows_the_same(
    platform: Running, own_kafka: str
) -> None:
    empty = picture(platform)
    assert (empty["days"], empty["sources"], sum(empty["minutes"]), empty["is_current"]) == ([], [], 0, True)

    eans = [new_ean() for _ in range(3)]
    lines = [reading(eans[0], [7]), reading(eans[1], [0]), reading(eans[2], [None])]
    platform.deliver("\n".join(lines).encode(), "application/x-ndjson")
    await until(lambda: days(platform) == [(3, 2, 1, 0)])
    assert picture(platform)["oldest_gaps"] == {"ELECTRICITY": DAY.isoformat()}

    platform.deliver(reading(eans[2], [5], sequence=1).encode(), "application/x-ndjson")
    await until(lambda: days(platform) == [(3, 3, 0, 1)])
    seen = picture(platform)
    assert seen["oldest_gaps"] == {}
    assert [(each["name"], each["block_count"]) for each in seen["sources"]] == [("head-end-1", 4)]
    assert sum(seen["minutes"]) == 4

    await until(lambda: 'arrival_blocks_last_hour{source="head-end-1"} 4.0' in metrics(platform))
    platform.kill("metering-watch")
    platform.start_again("metering-watch")
    await until(lambda: days(platform) == [(3, 3, 0, 1)])

    await _send_again(own_kafka)
    await until(lambda: 'watch_events_total{outcome="resent"}' in metrics(platform))
    await until(lambda: 'watch_events_total{outcome="undecodable"} 1.0' in metrics(platform))
    assert days(platform) == [(3, 3, 0, 1)]
    assert HOUSE not in json.dumps(picture(platform))


async def _send_again(bootstrap: str) -> None:
    """What a relay does that was killed before it marked; and a record that nobody can read."""
    runs = [each for each in await read_all(bootstrap, "metering-events") if ("ce_type", b"RunApplied") in each.headers]
    assert runs
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for each in runs:
            headers = list(each.headers)
            await producer.send_and_wait(
                each.topic, each.value, key=each.key, headers=headers, partition=each.partition
            )
        await producer.send_and_wait("metering-events", b"\0" * 20, headers=[("ce_type", b"RunApplied")])


def test_only_the_portal_is_shown_the_picture(platform: Running) -> None:
    with platform.client("metering-watch") as watch:
        assert watch.get("/arrivals").status_code == httpx.codes.UNAUTHORIZED
        others = platform.headers("kwartier", "metering/readings.write")
        assert watch.get("/arrivals", headers=others).status_code == httpx.codes.FORBIDDEN
        assert watch.get("/livez").text == "alive\n"
        assert watch.get("/readyz").json() == {"ready": True, "reasons": []}
