"""Real servers for the tests: in containers where a Docker engine answers, embedded ones where none does."""

from __future__ import annotations

import logging
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from stack.kafka import KafkaServer
from stack.ports import free_ports
from stack.postgres import PostgresServer
from stack.readiness import wait_until_ready
from stack.roles import create_role_and_schema, drop_role_and_schema, url_of


def _docker_answers() -> bool:
    # Asked in another process: the client library leaves its socket open when nobody answers.
    question = [sys.executable, "-c", "import docker; docker.from_env(timeout=3).ping()"]
    return subprocess.run(question, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def has_docker() -> bool:
    return _docker_answers()


def _kafka_in_a_container(stack: ExitStack) -> str:
    from testcontainers.core.container import DockerContainer

    port, controller_port = free_ports(2)
    container = DockerContainer("apache/kafka:4.3.1").with_bind_ports(port, port)
    settings = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "CONTROLLER_QUORUM_VOTERS": f"1@localhost:{controller_port}",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:{controller_port}",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    for name, value in settings.items():
        container = container.with_env(f"KAFKA_{name}", value)
    stack.enter_context(container)
    return f"127.0.0.1:{port}"


def _embedded_kafka(stack: ExitStack, folder: Path) -> str:
    port, controller_port = free_ports(2)
    server = KafkaServer(folder=folder, port=port, controller_port=controller_port, log=folder / "kafka.log")
    child = server.start(logging.getLogger(__name__).info)
    stack.callback(child.stop, grace_seconds=0)
    wait_until_ready(child, server.is_ready, timeout_seconds=60)
    return server.bootstrap


def _kafka(tmp_path_factory: pytest.TempPathFactory, has_docker: bool) -> Iterator[str]:
    with ExitStack() as stack:
        if has_docker:
            yield _kafka_in_a_container(stack)
        else:
            yield _embedded_kafka(stack, tmp_path_factory.mktemp("kafka"))


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory, has_docker: bool) -> Iterator[str]:
    """host:port of a real broker without topics; tests make theirs, with names of their own."""
    yield from _kafka(tmp_path_factory, has_docker)


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory, has_docker: bool) -> Iterator[str]:
    """host:port of a broker for one module, whose processes use the platform's own topics and groups."""
    yield from _kafka(tmp_path_factory, has_docker)


def _postgres_in_a_container(stack: ExitStack) -> str:
    from testcontainers.community.postgres import PostgresContainer

    container = stack.enter_context(PostgresContainer("postgres:18", driver=None))
    return str(container.get_connection_url())


def _embedded_postgres(stack: ExitStack, folder: Path) -> str:
    server = PostgresServer(
        folder=folder,
        port=free_ports(1)[0],
        password=secrets.token_urlsafe(24),
        log=folder / "postgres.log",
        settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
    )
    child = server.start(logging.getLogger(__name__).info)
    stack.callback(child.stop, grace_seconds=0)
    wait_until_ready(child, server.is_ready, timeout_seconds=60)
    return server.admin_url


@pytest.fixture(scope="session")
def postgres_admin_url(tmp_path_factory: pytest.TempPathFactory, has_docker: bool) -> Iterator[str]:
    """URL of a real server's superuser."""
    with ExitStack() as stack:
        if has_docker:
            yield _postgres_in_a_container(stack)
        else:
            yield _embedded_postgres(stack, tmp_path_factory.mktemp("postgres"))


@pytest.fixture(scope="module")
def own_database(postgres_admin_url: str) -> Iterator[str]:
    """URL of the superuser in a database for one module, whose processes use the platform's own roles and schemas."""
    name = f"platform_{secrets.token_hex(6)}"
    database = sql.Identifier(name)
    with psycopg.connect(postgres_admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(database))
        yield urlsplit(postgres_admin_url)._replace(path=f"/{name}").geturl()
        connection.execute(sql.SQL("drop database {} with (force)").format(database))


@pytest.fixture
def database_url(postgres_admin_url: str) -> Iterator[str]:
    """URL of a role with an empty schema of its own, as a service gets it; both are gone after the test."""
    role, password = f"test_{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    with psycopg.connect(postgres_admin_url) as connection:
        create_role_and_schema(connection, role=role, password=password)
    yield url_of(postgres_admin_url, role=role, password=password)
    drop_role_and_schema(postgres_admin_url, role)


def _has_chromium() -> bool:
    return any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))


left_out = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the browser's tests last (their driver keeps an event loop running); leave them out where there is none."""
    browser = [item for item in items if item.get_closest_marker("browser")]
    items[:] = [item for item in items if not item.get_closest_marker("browser")]
    if _has_chromium():
        items += browser
        return
    config.stash[left_out] = len(browser)
    config.hook.pytest_deselected(items=browser)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out, and why."""
    if count := config.stash.get(left_out, 0):
        terminalreporter.write_line(f"left out: {count} tests in a browser, for there is no chromium: install it")
