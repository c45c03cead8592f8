"""Every process of the platform on one machine, and what each is told through its environment."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eventlog.kafka import KafkaAccess
from eventlog.schema_registry import RegistryAccess
from stack.credentials import Secrets
from stack.kafka import KafkaServer
from stack.part import PythonPart
from stack.people import PORTAL_CLIENT_ID, people_issuer
from stack.ports import HOST, OFFSETS
from stack.postgres import PostgresServer
from stack.problem import Problem
from stack.roles import url_of
from stack.state import State

DATABASE = "kwartier"
MACHINE_ROLES = ("service", "publisher", "access_holder", "operator")
PEOPLE_CALL = ("register", "mandate", "export")
SERVICE_PROCESSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "register": ("register", ("api", "relay")),
    "mandate": ("mandate", ("api", "relay", "policy", "timer")),
    "metering": ("metering", ("api", "relay")),
    "metering-project": ("metering", ("project",)),
    "metering-watch": ("metering", ("watch",)),
    "export": ("export", ("api", "relay", "project")),
    "portal": ("portal", ("api",)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Addresses of one platform. `kafka_elsewhere` and `database_elsewhere` are somebody else's servers, if any; so is
    the schema registry.
    """

    state: State
    ports: dict[str, int]
    secrets: Secrets
    kafka_elsewhere: KafkaAccess | None = None
    database_elsewhere: str = ""
    schema_registry: RegistryAccess | None = None

    @property
    def kafka(self) -> KafkaServer | None:
        if self.kafka_elsewhere:
            return None
        port, controller = self.ports["kafka"], self.ports["kafka-controller"]
        folder = self.state.folder / "kafka"
        return KafkaServer(folder=folder, port=port, controller_port=controller, log=self._log("kafka"))

    @property
    def postgres(self) -> PostgresServer | None:
        if self.database_elsewhere:
            return None
        folder, port = self.state.folder / "postgres", self.ports["postgres"]
        return PostgresServer(folder=folder, port=port, password=self.secrets.postgres, log=self._log("postgres"))

    @property
    def kafka_access(self) -> KafkaAccess:
        return self.kafka_elsewhere or KafkaAccess(f"{HOST}:{self.ports['kafka']}")

    @property
    def database_url(self) -> str:
        """The database of the services, as the one who may make roles and schemas in it."""
        server = self.postgres
        if server is None:
            return self.database_elsewhere
        return urlsplit(server.admin_url)._replace(path=f"/{DATABASE}").geturl()

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

    @property
    def token_url(self) -> str:
        return self.url("identity") + "/token"

    @property
    def clients_file(self) -> Path:
        return self.state.folder / "identity" / "clients.json"

    def issuers(self) -> list[PythonPart]:
        """Return the two issuers of tokens, for machines and for people."""
        identity = {
            "IDENTITY_PORT": str(self.ports["identity"]),
            "IDENTITY_CLIENTS_FILE": str(self.clients_file),
            "IDENTITY_STATE_DIR": str(self.clients_file.parent),
        }
        people = {"PEOPLE_PORT": str(self.ports["oidc"])}
        discovery = "/.well-known/openid-configuration"
        return [
            self._part("identity", "stack.identity", environment=identity),
            self._part("oidc", "stack.people", environment=people, ready_path=discovery),
        ]

    def services(self) -> list[PythonPart]:
        """Return the services' processes."""
        return [
            self._part(name, f"services.{service}", roles=roles, environment=self._environment(name, service))
            for name, (service, roles) in SERVICE_PROCESSES.items()
        ]

    def _part(self, name: str, module: str, **more: Any) -> PythonPart:
        folder = self.state.folder
        return PythonPart(name=name, module=module, url=self.url(name), log=self._log(name), folder=folder, **more)

    def _log(self, name: str) -> Path:
        return self.state.logs / f"{name}.log"

    def _environment(self, name: str, service: str) -> dict[str, str]:
        environment = {
            "SERVICE": service,
            "DATABASE_URL": url_of(self.database_url, role=service, password=self.secrets.roles[service]),
            **self.kafka_access.environment(),
            **(self.schema_registry.environment() if self.schema_registry else {}),
            "HOST": HOST,
            "PORT": str(self.ports[name]),
            "REPLICA": "0",
            "TOPICS_PROFILE": "local",
            "TRUSTED_ISSUERS": json.dumps(self._trusted_issuers(service)),
            "CLIENT_ID": service,
            "CLIENT_SECRET": self.secrets.clients[service],
            "TOKEN_URL": self.token_url,
            "TZ": "Europe/Brussels" if service == "portal" else "UTC",
            "PYTHONFAULTHANDLER": "1",
            **{f"{other.upper()}_URL": self.url(other) for other in self.secrets.roles},
        }
        if service == "register":
            environment["REGISTER_PERSON_KEY"] = self.secrets.person_key
        if service == "mandate":
            environment["ALLOWS_LOOPBACK_RETURNS"] = "true"  # a demo holder's pages are on this machine
        if service == "export":
            environment |= {
                "TOKEN_SIGNING_KEYS": self.secrets.token_keys,
                "CREDENTIAL_KEY": self.secrets.credential_key,
            }
        if service == "portal":
            environment |= {
                "OIDC_ISSUER": self.url("oidc"),
                "OIDC_CLIENT_ID": PORTAL_CLIENT_ID,
                "OIDC_CLIENT_SECRET": self.secrets.oidc_client,
                "SESSION_SECRET": self.secrets.session,
                "WATCH_URL": self.url("metering-watch"),
            }
        return environment

    def _trusted_issuers(self, service: str) -> list[dict[str, Any]]:
        identity = self.url("identity")
        keys = f"{identity}/.well-known/jwks.json"
        machines = {"issuer": identity, "jwks_url": keys, "roles": list(MACHINE_ROLES)}
        if service not in PEOPLE_CALL:
            return [machines]
        people = people_issuer(self.url("oidc"))
        return [
            machines,
            {
                "issuer": people.issuer,
                "jwks_url": people.jwks_url,
                "roles": list(people.roles),
                "kind": people.kind,
                "audiences": list(people.audiences),
                "algorithms": list(people.algorithms),
            },
        ]


def elsewhere() -> tuple[KafkaAccess | None, str]:
    """Return the Kafka (KAFKA_BOOTSTRAP and what goes with it) and the DATABASE_URL of the one who typed the command.

    Raises:
        Problem: DATABASE_URL is not a PostgreSQL address with a host, or the settings of Kafka do not fit each other.
    """
    database = os.environ.get("DATABASE_URL", "")
    parts = urlsplit(database)
    if database and not (parts.scheme in {"postgresql", "postgres"} and parts.hostname and parts.path.strip("/")):
        raise Problem("DATABASE_URL is to be postgresql://user:password@host:port/database", exit_code=2)
    return kafka_in_environment() if os.environ.get("KAFKA_BOOTSTRAP") else None, database


def kafka_in_environment() -> KafkaAccess:
    """Return the Kafka that the environment names; its files are named by absolute paths.

    Raises:
        Problem: the settings of Kafka do not fit each other.
    """
    try:
        access = KafkaAccess.from_environment(os.environ)
    except ValueError as error:
        raise Problem(f"set in the environment: {error}", exit_code=2) from None
    # The services run in other folders than the one who typed the command.
    return replace(
        access,
        ca_file=_absolute(access.ca_file),
        client_cert_file=_absolute(access.client_cert_file),
        client_key_file=_absolute(access.client_key_file),
    )


def registry_in_environment() -> RegistryAccess | None:
    """Return the schema registry that the environment names, if any; its file is named by an absolute path.

    Raises:
        Problem: the settings do not fit each other.
    """
    try:
        access = RegistryAccess.from_environment(os.environ)
    except ValueError as error:
        raise Problem(f"set in the environment: {error}", exit_code=2) from None
    return replace(access, ca_file=_absolute(access.ca_file)) if access else None


def _absolute(path: str) -> str:
    return str(Path(path).absolute()) if path else ""


def needed_ports(kafka_elsewhere: KafkaAccess | None, database_elsewhere: str) -> list[str]:
    """Return the names of the ports that this platform listens on."""
    absent = {"kafka", "kafka-controller"} if kafka_elsewhere else set()
    absent |= {"postgres"} if database_elsewhere else set()
    return [name for name in OFFSETS if name not in absent]
