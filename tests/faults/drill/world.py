"""Everything that runs in a drill: brokers, the database in its small volume, members, relays."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import Engine

from eventlog.database import create_engine, create_tables
from services.metering import tables as metering_tables
from stack.child import Child
from stack.kafka_cluster import KafkaCluster
from stack.ports import free_ports
from stack.postgres import PostgresServer
from stack.readiness import wait_until_ready
from stack.roles import create_role_and_schema, url_of
from tests.faults.drill import tables
from tests.faults.drill.brokers import Brokers
from tests.faults.drill.plan import Plan
from tests.faults.drill.processes import Process
from tests.faults.drill.volume import Volume

_SETTINGS: Final = {"max_wal_size": "128MB", "min_wal_size": "32MB"}
_NO_SPACE: Final = b"No space left on device"


def _say_nothing(_line: str) -> None:
    pass


@dataclass
class Database:
    """PostgreSQL in a small volume; durable, as production has it."""

    server: PostgresServer
    volume: Volume
    child: Child | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.child = self.server.start(_say_nothing)
        wait_until_ready(self.child, self.server.is_ready, timeout_seconds=60)

    def stop(self, number: signal.Signals) -> None:
        """End it by a signal, and by SIGKILL what stays for ten seconds."""
        if self.child is not None:
            self.child.stop(with_signal=number, grace_seconds=10)

    async def ensure(self) -> bool:
        """Start it where it is not running; return whether it was not."""
        was_down = self.child is None or not self.child.is_running()
        if was_down:
            self.start()
        await until_true(self.server.is_ready, 60)
        return was_down

    def refusals(self) -> int:
        """Return how often it has said that its disk is full."""
        return self.server.log.read_bytes().count(_NO_SPACE)


@dataclass
class World:
    """What runs. `engines` are the drill's own view of the two schemas, register's and metering's; `befallen` names the
    members that a fault is at, and the database while it is down."""

    plan: Plan
    brokers: Brokers
    database: Database
    members: list[Process] = field(default_factory=list)
    relays: dict[str, list[Process]] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)
    befallen: set[str] = field(default_factory=set)

    @property
    def processes(self) -> list[Process]:
        return [*self.members, *(each for pair in self.relays.values() for each in pair)]

    def stop(self) -> None:
        """End all of it, at once."""
        for each in self.processes:
            each.kill()
        for engine in self.engines.values():
            engine.dispose()
        self.database.stop(signal.SIGQUIT)
        self.brokers.cluster.stop()
        self.database.volume.close()


async def start_world(plan: Plan, folder: Path) -> World:
    """Start everything in `folder`."""
    folder.chmod(0o755)  # the database may run as somebody else
    volume = Volume(folder / "volume", plan.volume_mebibytes)
    server = PostgresServer(
        folder=volume.folder / "postgres",
        port=free_ports(1)[0],
        password=secrets.token_urlsafe(24),
        log=folder / "postgres.log",
        settings=_SETTINGS,
    )
    world = World(plan, Brokers(KafkaCluster(folder, broker_count=plan.broker_count)), Database(server, volume))
    try:
        world.database.start()
        await world.brokers.start(tables.TOPICS, tables.PARTITIONS)
        _start_processes(world, folder)
    except BaseException:
        world.stop()
        raise
    return world


def _start_processes(world: World, folder: Path) -> None:
    urls = {name: _make_schema(world.database.server.admin_url, name) for name in ("register", "metering")}
    world.engines = {name: create_engine(url, application_name="drill") for name, url in urls.items()}
    create_tables(world.engines["register"], tables.own)
    create_tables(world.engines["metering"], metering_tables.metadata, tables.metering_own)
    both, bootstrap = [urls["register"], urls["metering"]], world.brokers.bootstrap
    for number in range(world.plan.member_count):
        name = f"member-{number}"
        arguments = [*both, bootstrap, str(number), world.plan.guard, str(world.plan.evict_after_seconds)]
        world.members.append(Process(name, "tests.faults.drill.member", arguments, folder / f"{name}.log"))
    for source, topic in (("register", tables.EVENTS), ("metering", tables.TOLD)):
        arguments = [urls[source], bootstrap, topic, source]
        module, log = "tests.faults.drill.publishing", folder / f"{source}-relay.log"
        world.relays[source] = [Process(f"{source}-relay-{each}", module, arguments, log) for each in (0, 1)]
    for each in world.processes:
        each.start()


def _make_schema(admin_url: str, name: str) -> str:
    password = secrets.token_urlsafe(24)
    with psycopg.connect(admin_url) as connection:
        create_role_and_schema(connection, role=name, password=password)
    return url_of(admin_url, role=name, password=password)


async def until_true(question: object, seconds: float) -> bool:
    """Ask in a thread until the answer is yes, for `seconds` at most; return the last answer."""
    assert callable(question)
    deadline = time.monotonic() + seconds
    while not (answer := await asyncio.to_thread(question)) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return bool(answer)
