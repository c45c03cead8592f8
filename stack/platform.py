"""A whole platform of one state: what `kwartier up` starts, in which order, and what it writes down."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import psycopg
from aiokafka.errors import KafkaError
from psycopg import sql

from eventlog import registry
from eventlog.schema_registry import NotRegistered, RegistryAway, SchemaRegistry
from eventlog.topic_drift import find_drift
from eventlog.topics import TopicDiffers, create_topics, load_topics
from stack.credentials import identity_clients, load_secrets, write_credentials
from stack.holders import admit
from stack.layout import DATABASE, SERVICE_PROCESSES, Layout, elsewhere, needed_ports, registry_in_environment
from stack.people import DEMO_PEOPLE
from stack.ports import choose_ports, claim_base
from stack.problem import Problem
from stack.roles import create_roles
from stack.running import kafka_security
from stack.state import State, read_json, write_json
from stack.supervisor import Supervisor
from stack.terminal import note

NEEDED_BYTES = 500_000_000
LAST_RUN_SECONDS = 10.0


def plan(state: State, *, base: int | None) -> Layout:
    """Return where everything of `state` will run; ports and secrets are written down for next time.

    Raises:
        Problem: the disk is full, a port is taken, or an environment variable is wrong.
    """
    if shutil.disk_usage(state.folder).free < NEEDED_BYTES:
        raise Problem(f"the disk of {state.folder} has less than {NEEDED_BYTES // 1_000_000} MB left: make room")
    _wait_for_end_of_last_run(state)
    kafka, database = elsewhere()
    last = read_json(state.ports)
    ports = choose_ports(needed_ports(kafka, database), base=base, last=last, claim=claim_base)
    write_json(state.ports, {**(last or {}), **ports}, mode=0o644)
    return Layout(
        state=state,
        ports=ports,
        secrets=load_secrets(state),
        kafka_elsewhere=kafka,
        database_elsewhere=database,
        schema_registry=registry_in_environment(),
    )


def _wait_for_end_of_last_run(state: State) -> None:
    """Let children whose parent was killed just now end, for a moment; their ports are free then."""
    entries = (read_json(state.processes) or {}).get("processes", [])
    deadline = time.monotonic() + LAST_RUN_SECONDS
    while any(_works_in(each["pid"], state.folder) for each in entries) and time.monotonic() < deadline:
        time.sleep(0.05)


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder.resolve())
    except OSError:
        return False


def start(layout: Layout, supervisor: Supervisor) -> None:
    """Start everything and return when every service is ready; then `endpoints.json` says where.

    Raises:
        Problem: a part does not start, or a server that runs elsewhere refuses.
    """
    _check_schemas(layout)
    write_credentials(
        layout.state,
        layout.secrets,
        token_url=layout.token_url,
        export_url=layout.url("export"),
        sign_ins=_sign_ins(layout),
    )
    layout.clients_file.parent.mkdir(exist_ok=True)
    write_json(layout.clients_file, identity_clients(layout.secrets))
    servers = [server for server in (layout.kafka, layout.postgres) if server is not None]
    supervisor.start([*layout.issuers(), *servers])
    supervisor.report("making schemas and topics")
    _make_schemas(layout)
    _make_topics(layout)
    supervisor.start(layout.services())
    supervisor.report("letting the first holder in")
    admit(endpoints(layout), read_json(layout.state.credentials))
    write_json(layout.state.endpoints, endpoints(layout))


def endpoints(layout: Layout) -> dict[str, object]:
    """Return what `endpoints.json` holds."""
    return {
        "kafka": layout.kafka_access.bootstrap,
        "kafka_security": kafka_security(layout.kafka_access),
        "schema_registry": layout.schema_registry.environment() if layout.schema_registry else {},
        "database": layout.database_url,
        **{service: layout.url(service) for service in layout.secrets.roles},
        "metrics": {name: f"{layout.url(name)}/metrics" for name in SERVICE_PROCESSES},
        "credentials": str(layout.state.credentials.resolve()),
        "token_url": layout.token_url,
        "oidc": layout.url("oidc"),
    }


def _check_schemas(layout: Layout) -> None:
    """See that a schema registry, where one is used, knows all that the services publish; they would not start."""
    if layout.schema_registry is None:
        return
    known = SchemaRegistry(layout.schema_registry)
    try:
        for schema in registry.published().by_version.values():
            known.number(schema)
    except NotRegistered as error:
        raise Problem(f"{error}: run kwartier schemas register first") from error
    except RegistryAway as error:
        raise Problem(f"{error}: start it, or unset SCHEMA_REGISTRY_URL") from error
    finally:
        known.close()


def _sign_ins(layout: Layout) -> list[dict[str, object]]:
    address = layout.url("portal")
    return [{"url": address, "sign_in": sub, **claims} for sub, claims in DEMO_PEOPLE.items()]


def _make_schemas(layout: Layout) -> None:
    try:
        if layout.postgres is not None:
            _make_database(layout.postgres.admin_url)
        create_roles(layout.database_url, layout.secrets.roles.items())
    except psycopg.Error as error:
        reason = str(error).splitlines()[0]
        raise Problem(
            "the database refuses roles and schemas: give DATABASE_URL a user who may", detail=reason
        ) from error


def _make_database(admin_url: str) -> None:
    """Make our database where there is none; the server's own are closed to the services' roles."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
        for name in ("postgres", "template1"):
            connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))


def _make_topics(layout: Layout) -> None:
    try:
        asyncio.run(create_topics(layout.kafka_access, "local"))
        for drift in asyncio.run(find_drift(layout.kafka_access, load_topics("local"))):
            note(f"warning: {drift}")
    except TopicDiffers as error:
        raise Problem(str(error)) from error
    except KafkaError as error:
        reason = f"{type(error).__name__}: {error}"
        raise Problem(
            f"Kafka at {layout.kafka_access.bootstrap} refuses: check KAFKA_BOOTSTRAP", detail=reason
        ) from error
