"""The peers of `bench/ingest.py`: each a program of its own in `bench/peers`, given the same topic."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from parts.dataset import SLICES
from parts.pace import DEADLINE_SECONDS, Pace
from parts.questdb_server import JAR
from parts.serial import Done, Task
from parts.servers import Servers

_BENCH: Final = Path(__file__).parent.parent
INSTALL: Final = "pip install -r requirements-bench.lock (make bench does)"


@dataclass(frozen=True, slots=True)
class Peer:
    """`share` says how many times the blocks of the slowest it is given; `needs` which modules."""

    name: str
    title: str
    module: str
    share: int
    needs: tuple[str, ...] = ()

    @property
    def is_here(self) -> bool:
        """Whether what it needs is installed."""
        return all(find_spec(each) is not None for each in self.needs)


SERIAL: Final = Peer("serial", "ours, not overlapped", "peers.serial_ours", 40)
PEERS: Final = (
    Peer("faust", "Faust + SQLAlchemy, row per value", "peers.faust_rows", 1),
    Peer("postgres", "PostgreSQL staged, row per value", "peers.postgres_rows", 4),
    Peer("questdb", "QuestDB, row per value (no fsync)", "peers.questdb_rows", 10, ("questdb", "pandas")),
    Peer("clickhouse", "ClickHouse, row per value (no fsync)", "peers.clickhouse_rows", 20, ("chdb",)),
    Peer("clickhouse_blocks", "ClickHouse, our blocks (no fsync)", "peers.clickhouse_blocks", 40, ("chdb",)),
)
BY_NAME: Final = {each.name: each for each in PEERS}


def peer_versions(names: Collection[str]) -> str:
    """Return the versions of those that are here and not among the packages of ours, for a line of versions."""
    said = ""
    if BY_NAME["questdb"].is_here and "questdb" in names:
        said += f", QuestDB {JAR.coordinates.rpartition(':')[2]} with client {version('questdb')}"
    if BY_NAME["clickhouse"].is_here and {"clickhouse", "clickhouse_blocks"} & set(names):
        said += f", ClickHouse in chdb-core {version('chdb-core')}"
    return said


@dataclass(frozen=True, slots=True)
class PeerOutcome:
    """The pace of a peer, and its bytes of table and index per value."""

    pace: Pace
    bytes_per_value: float


async def measure_peer(servers: Servers, peer: Peer, topic: str, block_count: int) -> PeerOutcome:
    """Let the peer take the first `block_count` records of `topic`, which has as many, into an empty store."""
    with servers.schema(f"peer_{peer.name}") as url, tempfile.TemporaryDirectory(prefix="kwartier-peer-") as folder:
        task = Task(servers.bootstrap, topic, block_count, url, servers.postgres_pid, folder)
        program = [sys.executable, "-m", peer.module, json.dumps(asdict(task))]
        done = Done(**json.loads(await asyncio.to_thread(_last_line, program)))
    pace = Pace(
        blocks_per_second=block_count / done.clock_seconds,
        consumer_seconds=done.own_cpu_seconds / block_count,
        postgres_seconds=done.postgres_cpu_seconds / block_count,
    )
    return PeerOutcome(pace, done.stored_bytes / (block_count * SLICES))


def _last_line(program: Sequence[str]) -> str:
    done = subprocess.run(program, cwd=_BENCH, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    if done.returncode:
        raise RuntimeError(f"{program[2]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip().splitlines()[-1]
