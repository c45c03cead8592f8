"""With the relay, Kafka or the projector stopped, nobody who withdrew is read: 503 after the limit, and never data."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from stack.cli import main
from stack.commands.up import halted
from stack.condition import observe_projections
from stack.kafka import KafkaServer
from stack.part import PythonPart
from stack.platform import endpoints
from stack.ports import free_ports
from stack.readiness import wait_until_ready
from stack.state import write_json
from tests.holder_client import FrontDoors, HolderClient, consent, until_answered, withdraw
from tests.running import Running, running

pytestmark = [pytest.mark.integration, pytest.mark.fault]

PROCESSES = ("oidc", "register", "mandate", "metering", "metering-project", "export")
HOUSE = "541448800000000017"
OCTOBER = {"from_": "2026-10-24T22:00:00Z", "to": "2026-10-25T23:00:00Z"}
LIMIT_SECONDS = 4.0


class Broker:
    """A broker that can be stopped."""

    def __init__(self, folder: Path) -> None:
        port, controller_port = free_ports(2)
        self.server = KafkaServer(folder=folder, port=port, controller_port=controller_port, log=folder / "kafka.log")

    def start(self) -> None:
        self.child = self.server.start(logging.getLogger(__name__).info)
        wait_until_ready(self.child, self.server.is_ready, timeout_seconds=60)

    def kill(self) -> None:
        self.child.stop(grace_seconds=0)


@dataclass(frozen=True)
class World:
    """A platform whose answers rest on permissions of the last four seconds, and a holder that reads a house."""

    platform: Running
    broker: Broker
    holder: HolderClient

    def ask(self) -> httpx.Response:
        return self.holder.energy(HOUSE, **OCTOBER)

    def start_with(self, name: str, *roles: str) -> None:
        """Start a process that was killed, with some of its roles only, or with all of them."""
        part = next(part for part in self.platform.layout.services() if part.name == name)
        assert isinstance(part, PythonPart)
        self.platform.supervisor.start([replace(part, roles=roles or part.roles)])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, own_database: str) -> Iterator[World]:
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    folder = tmp_path_factory.mktemp("platform")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FRESHNESS_SECONDS", str(LIMIT_SECONDS))
        with running(folder, PROCESSES, kafka_bootstrap=broker.server.bootstrap, admin_url=own_database) as platform:
            doors = FrontDoors(platform)
            doors.point(HOUSE)
            doors.move_in(HOUSE, doors.net_user("demo-person-anouk"), "2026-10-01")
            doors.readings(HOUSE, "OFFTAKE_ACTIVE_QUARTER_HOURLY", "2026-10-25", list(range(100)), meter_id="m1")
            with doors.holder("0123456749", "1000000001") as holder:
                yield World(platform, broker, holder)
    broker.kill()


def closes_and_stays_closed(world: World, withdrawn_at: float) -> None:
    """Ask until the door is closed and a second longer: what was asked after the limit is never answered with data."""
    closed_at = None
    while closed_at is None or time.monotonic() - closed_at < 1.0:
        asked_at = time.monotonic()
        answer = world.ask()
        assert asked_at < withdrawn_at + 30, "the door does not close"
        if answer.status_code == 503:
            assert (answer.json()["Code"], answer.headers["retry-after"]) == ("PermissionsStale", "5")
            closed_at = closed_at or asked_at
        else:
            assert answer.status_code == 200
            assert closed_at is None, "open again"
            assert asked_at < withdrawn_at + LIMIT_SECONDS, "data after the limit"
        time.sleep(0.02)


def opens_to_a_refusal(world: World) -> None:
    """Ask until mandate's word is here: the mandate is gone, and no data came before that was known."""
    deadline = time.monotonic() + 60
    while (answer := world.ask()).status_code != 404:
        assert answer.status_code == 503, answer.text
        assert time.monotonic() < deadline, "the door does not open again"
        time.sleep(0.02)


def test_with_mandate_s_relay_stopped(world: World) -> None:
    [mandate] = consent(world.platform, world.holder, [HOUSE])
    until_answered(world.holder, HOUSE, 200, **OCTOBER)
    world.platform.kill("mandate")
    world.start_with("mandate", "api")
    withdraw(world.platform, mandate)
    closes_and_stays_closed(world, time.monotonic())
    world.platform.kill("mandate")
    world.start_with("mandate")
    opens_to_a_refusal(world)


def test_with_export_s_projector_stopped(world: World) -> None:
    [mandate] = consent(world.platform, world.holder, [HOUSE])
    until_answered(world.holder, HOUSE, 200, **OCTOBER)
    world.platform.kill("export")
    world.start_with("export", "api", "relay")
    until_answered(world.holder, HOUSE, 200, **OCTOBER)  # young marks, and nothing new that they cover
    withdraw(world.platform, mandate)
    closes_and_stays_closed(world, time.monotonic())
    world.platform.kill("export")
    world.start_with("export")
    opens_to_a_refusal(world)


def test_with_kafka_stopped(world: World) -> None:
    [mandate] = consent(world.platform, world.holder, [HOUSE])
    until_answered(world.holder, HOUSE, 200, **OCTOBER)
    world.broker.kill()
    withdraw(world.platform, mandate)
    closes_and_stays_closed(world, time.monotonic())
    world.broker.start()
    opens_to_a_refusal(world)


def test_with_permissions_halted_at_a_record_until_the_settings_say_that_it_is_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [mandate] = consent(world.platform, world.holder, [HOUSE])
    until_answered(world.holder, HOUSE, 200, **OCTOBER)
    place = asyncio.run(write_foreign_record(world.broker.server.bootstrap))
    withdraw(world.platform, mandate)
    closes_and_stays_closed(world, time.monotonic())
    halt = f"permission halts at {place}: not an Avro single object"
    with world.platform.client("export") as export:
        assert export.get("/readyz").json() == {"ready": False, "reasons": [halt]}
        assert export.get("/livez").status_code == 200

    world.platform.kill("export")
    world.start_with("export")  # the rest of it works: whoever starts the platform does not wait for what cannot come
    until_answered(world.holder, HOUSE, 503, **OCTOBER)

    state = world.platform.layout.state
    with state.held():
        write_json(state.endpoints, endpoints(world.platform.layout))
        [line] = halted(observe_projections(endpoints(world.platform.layout))[0])  # as kwartier up tells it
        assert line.startswith(f"{halt.replace(': not', ' (not')}); all the rest works")
        assert main(["parked", "list", "--state", str(state.folder)]) == 0
        assert f"permission HALTS at {place}  undecodable" in capsys.readouterr().out
        assert main(["parked", "show", "permission", place, "--json", "--state", str(state.folder)]) == 0
        shown = json.loads(capsys.readouterr().out)
    assert (shown["parked"], shown["headers"]) == (None, [])

    monkeypatch.setenv("PASSED_OVER", json.dumps([f"{place}={shown['sha256']}"]))
    world.platform.kill("export")
    world.start_with("export")
    opens_to_a_refusal(world)


async def write_foreign_record(bootstrap: str) -> str:
    """Write what none of our relays writes where a withdrawal would lie, and return its place."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        sent = await producer.send_and_wait("mandate-events", b"whose is this?", key=HOUSE.encode())
    return f"{sent.topic}/{sent.partition}/{sent.offset}"
