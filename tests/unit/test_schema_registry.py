"""What the client of a schema registry makes of answers that are none, and that it tells no secret."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from eventlog import registry
from eventlog.database import is_outage
from eventlog.framing import UnknownSchema
from eventlog.schema_registry import RegistryAccess, RegistryAway, SchemaRegistry

SECRET = "correct-horse"


@contextmanager
def answering(status: int, body: str) -> Iterator[tuple[str, list[str]]]:
    """A server that gives one answer to everything; yields its address and the credentials that it is shown."""
    shown: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/base", shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def client(url: str, **access: object) -> Iterator[SchemaRegistry]:
    client = SchemaRegistry(RegistryAccess(url, **access))  # type: ignore[arg-type]
    try:
        yield client
    finally:
        client.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, '{"error_code": 40101, "message": "who are you"}'),
        (429, '{"error_code": 42901, "message": "too many"}'),
        (503, "{}"),
        (404, "<html>no such page</html>"),
        (404, '{"message": "no such path"}'),
        (200, "hello"),
    ],
)
def test_an_answer_that_is_not_a_registrys_is_an_outage_and_no_bad_record(status: int, body: str) -> None:
    with (
        answering(status, body) as (url, _),
        client(url, username="reader", password=SecretStr(SECRET)) as known,
        pytest.raises(RegistryAway) as caught,
    ):
        known.schema(7)
    assert is_outage(caught.value)
    assert SECRET not in str(caught.value)


def test_the_user_and_password_are_shown_to_the_registry_and_to_nobody_else() -> None:
    text = registry.published().newest("MandateGranted").text
    answer = '{"schema": ' + json.dumps(text) + "}"
    with answering(200, answer) as (url, shown), client(url, username="reader", password=SecretStr(SECRET)) as known:
        assert known.schema(7) is registry.published().newest("MandateGranted")
        assert known.schema(7).name == "MandateGranted"
        assert SECRET not in repr(known.access)
    assert shown == ["Basic cmVhZGVyOmNvcnJlY3QtaG9yc2U="]


def test_that_an_id_is_unknown_is_kept_for_ten_seconds_and_not_for_ever() -> None:
    now = [100.0]
    with answering(404, '{"error_code": 40403, "message": "no"}') as (url, shown):
        known = SchemaRegistry(RegistryAccess(url), monotonic=lambda: now[0])
        for after in (0.0, 9.9, 0.2):
            now[0] += after
            with pytest.raises(UnknownSchema, match="no schema has this id"):
                known.schema(7)
        known.close()
    assert len(shown) == 2


@pytest.mark.parametrize("schema", ["null", '{"type": "int"}', '{"type": "record", "name": "X"}', "[]", "no json"])
def test_a_schema_that_is_none_of_our_events_is_a_bad_record(schema: str) -> None:
    answer = json.dumps({"schema": schema})
    with answering(200, answer) as (url, _), client(url) as known, pytest.raises(UnknownSchema, match="none of our"):
        known.schema(7)


@pytest.mark.parametrize(
    ("access", "told"),
    [
        ({"url": "registry:8080"}, "http://host:port/path"),
        ({"url": f"http://reader:{SECRET}@registry"}, "SCHEMA_REGISTRY_USERNAME"),
        ({"url": "http://registry", "username": "reader"}, "go together"),
    ],
)
def test_settings_that_do_not_fit_say_what_to_set(access: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        RegistryAccess(**access)  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)
