"""A real schema registry for tests: Apicurio, with nothing in it."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eventlog import framing
from eventlog.schema_registry import RegistryAccess, SchemaRegistry
from stack.apicurio import RegistryServer
from stack.child import Child
from stack.ports import free_ports
from stack.readiness import wait_until_ready


@dataclass(frozen=True)
class Apicurio:
    """A registry that runs."""

    access: RegistryAccess
    child: Child

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it answer nothing for a while."""
        self.child.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.child.process.send_signal(signal.SIGCONT)

    @contextmanager
    def client(self) -> Iterator[SchemaRegistry]:
        """A client that knows no id yet."""
        client = SchemaRegistry(self.access)
        try:
            yield client
        finally:
            client.close()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let this process read and publish as one of the platform with the registry does."""
        with self.client() as client, framing.using(client):
            yield


@contextmanager
def apicurio(folder: Path) -> Iterator[Apicurio]:
    """Lend a registry; fetches it first where it is not here (158 MB)."""
    port, management_port = free_ports(2)
    log = folder / "registry.log"
    server = RegistryServer(folder=folder, port=port, management_port=management_port, log=log)
    child = server.start(logging.getLogger(__name__).info)
    try:
        wait_until_ready(child, server.is_ready, timeout_seconds=90)
        yield Apicurio(RegistryAccess(server.url), child)
    finally:
        child.stop(grace_seconds=0)
