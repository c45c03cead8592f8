"""Several brokers on one machine, each killed and started again by itself: for drills and tests."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from stack.child import Child
from stack.jars import Report
from stack.kafka import QUICK_START, KafkaServer, living_brokers, new_cluster_id
from stack.ports import HOST, free_ports
from stack.problem import Problem
from stack.readiness import wait_until_ready

_CONTROLLER: Final = 9
_CONTROLLER_HEAP: Final = 128
_SESSION_MS: Final = "4000"  # a killed broker is one for this long; less, and a busy machine loses living ones
_START_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.05


class KafkaCluster:
    """One controller and `broker_count` brokers (nodes 1 to that) on free ports; what they keep lies in `folder`.

    Offsets of groups are kept as often as there are brokers, and demand all but one of them for a write; a topic says
    for itself how often it is kept. Start and stop nodes from the main thread: they end with it.
    """

    def __init__(self, folder: Path, *, broker_count: int = 3, heap_mebibytes: int = 256) -> None:
        self.broker_ids = tuple(range(1, broker_count + 1))
        self._heap_mebibytes = heap_mebibytes
        self._cluster_id = new_cluster_id()
        controller_port, *ports = free_ports(broker_count + 1)
        voter = f"{_CONTROLLER}@{HOST}:{controller_port}"
        self.servers = {
            number: self._broker(folder / f"broker-{number}", number, port, voter)
            for number, port in zip(self.broker_ids, ports, strict=True)
        }
        self._controller = self._controller_server(folder / "controller", controller_port, voter)
        self._children: dict[int, Child] = {}

    @property
    def bootstrap(self) -> str:
        """The addresses of all brokers."""
        return ",".join(server.bootstrap for server in self.servers.values())

    def start(self, report: Report) -> None:
        """Start all nodes, and return when every broker knows every other.

        Raises:
            Problem: a node does not start.
        """
        self._children[_CONTROLLER] = self._controller.start(report)
        for number, server in self.servers.items():
            self._children[number] = server.start(report)
        for number in self.broker_ids:
            self.wait(number)
        self._wait_for_all()

    def start_again(self, number: int, report: Report) -> None:
        """Start broker `number`, which is not running, on what it kept; `wait` says when it is there."""
        self._children[number] = self.servers[number].start(report)

    def wait(self, number: int) -> None:
        """Return when broker `number` serves clients.

        Raises:
            Problem: it ended, or does not answer in time.
        """
        wait_until_ready(self._children[number], self.servers[number].is_ready, timeout_seconds=_START_SECONDS)

    def kill(self, number: int) -> None:
        """SIGKILL broker `number`, and return when it is gone."""
        self._children[number].stop(grace_seconds=0)

    def stop_broker(self, number: int) -> None:
        """Let broker `number` hand over what it leads and end; SIGKILL after half a minute."""
        self._children[number].stop(grace_seconds=30)

    def pid(self, number: int) -> int:
        """Return the process of broker `number`, to be frozen or looked at."""
        return self._children[number].pid

    def stop(self) -> None:
        """SIGKILL all nodes; their folders stay."""
        for each in self._children.values():
            each.process.kill()
        for each in self._children.values():
            each.process.wait()

    def _wait_for_all(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        waiting = set(self.broker_ids)
        while waiting:
            waiting = {each for each in waiting if self._living(each) != set(self.broker_ids)}
            if time.monotonic() > deadline:
                raise Problem(f"brokers {sorted(waiting)} do not know the others: look at their logs")
            time.sleep(_POLL_SECONDS)

    def _living(self, number: int) -> set[int]:
        server = self.servers[number]
        return living_brokers(server.host, server.port)

    def _broker(self, folder: Path, number: int, port: int, voter: str) -> KafkaServer:
        replication, demanded = str(len(self.broker_ids)), str(max(len(self.broker_ids) - 1, 1))
        listener = f"PLAINTEXT://{HOST}:{port}"
        settings = {
            "process.roles": "broker",
            "controller.quorum.voters": voter,
            "listeners": listener,
            "advertised.listeners": listener,
            "default.replication.factor": replication,
            "min.insync.replicas": demanded,
            "offsets.topic.replication.factor": replication,
            "transaction.state.log.replication.factor": replication,
            "transaction.state.log.min.isr": demanded,
        }
        return self._server(folder, number, port, settings)

    def _controller_server(self, folder: Path, port: int, voter: str) -> KafkaServer:
        settings = {
            "process.roles": "controller",
            "controller.quorum.voters": voter,
            "broker.session.timeout.ms": _SESSION_MS,
            "listeners": f"CONTROLLER://{HOST}:{port}",
            "advertised.listeners": f"CONTROLLER://{HOST}:{port}",
        }
        return self._server(folder, _CONTROLLER, port, settings)

    def _server(self, folder: Path, number: int, port: int, settings: dict[str, str]) -> KafkaServer:
        is_controller = number == _CONTROLLER
        return KafkaServer(
            folder=folder,
            port=port,
            controller_port=port,
            log=folder / "kafka.log",
            node_id=number,
            cluster_id=self._cluster_id,
            heap_mebibytes=_CONTROLLER_HEAP if is_controller else self._heap_mebibytes,
            java_options=QUICK_START,
            settings=settings,
        )
