"""Some of the platform's processes, real ones, on the test session's Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from eventlog.kafka import KafkaAccess
from eventlog.schema_registry import RegistryAccess
from eventlog.topics import create_topics
from stack.credentials import identity_clients, load_secrets
from stack.layout import Layout
from stack.ports import OFFSETS, free_ports
from stack.roles import create_roles
from stack.state import State, write_json
from stack.supervisor import Supervisor

_DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """Processes that run; `layout` says where."""

    layout: Layout
    supervisor: Supervisor

    def headers(self, client_id: str, scope: str) -> dict[str, str]:
        """The headers of a machine with a token for `scope`, as `metering/readings.write`."""
        secret = self.layout.secrets.clients[client_id]
        form = {"grant_type": "client_credentials", "scope": scope}
        answer = httpx.post(self.layout.token_url, data=form, auth=(client_id, secret), trust_env=False)
        return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}

    def person(self, subject: str) -> dict[str, str]:
        """The headers of a person who signed in at the portal; needs `oidc`."""
        provider, back = self.layout.url("oidc"), "http://127.0.0.1:1/callback"
        query = {"client_id": "portal", "response_type": "code", "redirect_uri": back, "scope": "openid profile"}
        page = httpx.post(f"{provider}/oauth2/authorize", params=query, data={"sub": subject}, trust_env=False)
        code = parse_qs(urlsplit(page.headers["location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
        answer = httpx.post(f"{provider}/oauth2/token", data=form, auth=("portal", "any"), trust_env=False)
        return {"Authorization": f"Bearer {answer.raise_for_status().json()['id_token']}"}

    def client(self, service: str) -> httpx.Client:
        """A client of `service` without a token."""
        return httpx.Client(base_url=self.layout.url(service), trust_env=False, timeout=30)

    def deliver(self, body: bytes, media_type: str) -> dict[str, object]:
        """Send a body of readings as the operator, and return the answer once everything of it is stored."""
        headers = self.headers("kwartier", "metering/readings.write metering/receipts.read")
        with self.client("metering") as metering:
            answer = metering.post("/readings", content=body, headers={**headers, "Content-Type": media_type})
            answer.raise_for_status()
            deadline = time.monotonic() + _DEADLINE_SECONDS
            for receipt in answer.json()["receipts"]:
                path = f"/receipts/{receipt['partition']}/{receipt['offset']}"
                while metering.get(path, headers=headers).raise_for_status().json()["state"] != "stored":
                    assert time.monotonic() < deadline, "not stored within the deadline"
                    time.sleep(0.05)
        outcome: dict[str, object] = answer.json()
        return outcome

    def kill(self, name: str) -> None:
        """SIGKILL one process and wait for its end; it stays away."""
        child = self.supervisor.watched[name].child
        child.process.kill()
        child.process.wait(timeout=_DEADLINE_SECONDS)

    def start_again(self, name: str) -> None:
        """Start what was killed and wait until it is ready."""
        self.supervisor.start([self.supervisor.watched[name].part])


@contextmanager
def running(
    folder: Path,
    names: Collection[str],
    *,
    kafka_bootstrap: str,
    admin_url: str,
    schema_registry: RegistryAccess | None = None,
) -> Iterator[Running]:
    """Run the machines' token issuer and the processes `names` (`oidc`: the people's issuer) until the block ends."""
    state = State(folder)
    state.prepare()
    layout = Layout(
        state=state,
        ports=dict(zip(OFFSETS, free_ports(len(OFFSETS)), strict=True)),
        secrets=load_secrets(state),
        kafka_elsewhere=KafkaAccess(kafka_bootstrap),
        database_elsewhere=admin_url,
        schema_registry=schema_registry,
    )
    create_roles(admin_url, layout.secrets.roles.items())
    asyncio.run(create_topics(KafkaAccess(kafka_bootstrap), "local"))
    layout.clients_file.parent.mkdir()
    write_json(layout.clients_file, identity_clients(layout.secrets))
    supervisor = Supervisor(state, lambda _: None)
    try:
        supervisor.start([part for part in layout.issuers() if part.name == "identity" or part.name in names])
        supervisor.start([part for part in layout.services() if part.name in names])
        yield Running(layout, supervisor)
    finally:
        supervisor.stop()
