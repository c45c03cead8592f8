"""A Kafka and a PostgreSQL of the benchmark's own, with the settings that the platform runs them with."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from parts.cpu import cpu_seconds

from stack.kafka import KafkaServer
from stack.ports import free_ports
from stack.postgres import PostgresServer
from stack.readiness import wait_until_ready
from stack.roles import create_role_and_schema, drop_role_and_schema, url_of

_START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the two are; durability is PostgreSQL's default (fsync and synchronous commit on)."""

    bootstrap: str
    admin_url: str
    postgres_pid: int
    folder: Path

    def postgres_cpu_seconds(self) -> float:
        """Return the processor time that PostgreSQL has taken so far, all its processes together."""
        return cpu_seconds(self.postgres_pid)

    def log_bytes(self) -> int:
        """Return the bytes that Kafka keeps on disk."""
        return sum(file.stat().st_size for file in (self.folder / "kafka").rglob("*.log"))

    @contextmanager
    def schema(self, name: str) -> Iterator[str]:
        """Lend the URL of a role with an empty schema."""
        password = secrets.token_urlsafe(24)
        with psycopg.connect(self.admin_url) as connection:
            create_role_and_schema(connection, role=name, password=password)
        yield url_of(self.admin_url, role=name, password=password)
        drop_role_and_schema(self.admin_url, name)

    def version(self) -> str:
        """Return PostgreSQL's version."""
        with psycopg.connect(self.admin_url) as connection:
            row = connection.execute("show server_version").fetchone()
        return str(row[0]) if row else "unknown"


@contextmanager
def started_servers() -> Iterator[Servers]:
    """Start both in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="kwartier-bench-") as folder, ExitStack() as stack:
        root = Path(folder)
        root.chmod(0o755)
        port, controller_port, postgres_port = free_ports(3)
        kafka = KafkaServer(folder=root / "kafka", port=port, controller_port=controller_port, log=root / "kafka.log")
        postgres = PostgresServer(
            folder=root / "postgres", port=postgres_port, password=secrets.token_urlsafe(24), log=root / "postgres.log"
        )
        pids = []
        for server in (kafka, postgres):
            child = server.start(_say_nothing)
            stack.callback(child.stop, grace_seconds=0)
            wait_until_ready(child, server.is_ready, timeout_seconds=_START_SECONDS)
            pids.append(child.process.pid)
        yield Servers(kafka.bootstrap, postgres.admin_url, pids[-1], root)


def _say_nothing(_line: str) -> None:
    pass
