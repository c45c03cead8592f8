"""With a real schema registry: whoever deploys registers schemas, and every process understands both framings."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from eventlog import framing, registry
from eventlog.codec import decode, encode
from eventlog.events import RunApplied
from eventlog.framing import UnknownSchema, outgoing
from eventlog.registry import SCHEMA_DIR
from eventlog.schema_registry import NotRegistered, RegistryAway
from stack import cli
from tests.block_story import applied_count, make_readings_topic, member
from tests.examples import CONTRACT_SIGNED, HOUSE, HOUSE_REGISTERED
from tests.quarter_store import open_store
from tests.readings import reading
from tests.registry_server import Apicurio, apicurio
from tests.running import Running, running
from tests.topics import read_all, until

pytestmark = pytest.mark.integration

OURS = len(list(SCHEMA_DIR.glob("*/*.avsc")))
POINT = {"ean": HOUSE, "energy": "E", "meter_kind": "DIGITAL", "registered_on": "2026-01-01"}
LINE = {
    "ean": HOUSE,
    "meter_kind": "DIGITAL",
    "channel": "OFFTAKE_ACTIVE_QUARTER_HOURLY",
    "day": "2026-11-19",
    "source_at": "2026-11-20T04:00:00Z",
    "part": True,
    "values": [41, 40, None],
    "quality": "MEASURED",
}


@dataclass(frozen=True)
class Deployment:
    """A registry, and what each command said when the platform was deployed on it for the first time."""

    registry: Apicurio
    check_before: tuple[int, str]
    early_start: tuple[int, str]
    first: tuple[int, str]
    second: tuple[int, str]
    check_after: tuple[int, str]


def kwartier(*arguments: str) -> tuple[int, str]:
    """Type a command; return its exit code and what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        code = cli.main(arguments)
    return code, out.getvalue()


def start_of_a_producer(url: str) -> tuple[int, str]:
    """Start register's relay on a registry; return its exit code and what it said."""
    environment = {
        **os.environ,
        "SERVICE": "register",
        "DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/none",
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "PORT": "1",
        "REGISTER_PERSON_KEY": "k" * 32,
        "SCHEMA_REGISTRY_URL": url,
    }
    program = [sys.executable, "-m", "services.register", "relay"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with apicurio(tmp_path_factory.mktemp("registry")) as server:
        url = server.access.url
        yield Deployment(
            registry=server,
            check_before=kwartier("schemas", "check", "--url", url),
            early_start=start_of_a_producer(url),
            first=kwartier("schemas", "register", "--url", url),
            second=kwartier("schemas", "register", "--url", url, "--json"),
            check_after=kwartier("schemas", "check", "--url", url),
        )


def raw(server: Apicurio, method: str, path: str, body: object = None) -> httpx.Response:
    return httpx.request(method, server.access.url + path, json=body, trust_env=False)


def test_an_empty_registry_lacks_every_version(deployment: Deployment) -> None:
    code, told = deployment.check_before
    assert code == 1
    assert told.count("missing kwartier.") == OURS
    assert "missing kwartier.metering.RunApplied v1\n" in told


def test_a_producer_with_an_unregistered_schema_does_not_start_and_says_what_to_run(deployment: Deployment) -> None:
    code, told = deployment.early_start
    assert code == 1
    assert told.count("\n") == 1
    assert " is not registered: run `kwartier schemas register --url http://127.0.0.1:" in told


def test_every_version_is_registered_in_order_and_the_second_time_nothing_changes(deployment: Deployment) -> None:
    code, told = deployment.first
    assert (code, told.count("registered kwartier.")) == (0, OURS)
    code, told = deployment.second
    outcomes = {(each["subject"], each["version"]): each["outcome"] for each in json.loads(told)["schemas"]}
    assert (code, set(outcomes.values()), len(outcomes)) == (0, {"unchanged"}, OURS)
    with deployment.registry.client() as client:
        texts = [json.loads(each) for each in client.texts("kwartier.export.DataDelivered")]
    assert texts == [json.loads(each.text) for each in registry.published().versions("DataDelivered")]


def test_a_registry_that_was_just_deployed_on_shows_no_drift(deployment: Deployment) -> None:
    assert deployment.check_after == (0, f"{OURS} schemas of ours; 0 to be looked at\n")


def planted(name: str, **field: Any) -> dict[str, Any]:
    """The newest schema of an event with one more field."""
    schema: dict[str, Any] = json.loads(registry.published().newest(name).text)
    schema["fields"].append({"name": "note", "type": "string", "doc": "Planted by a test.", **field})
    return schema


def test_the_registry_itself_refuses_what_could_not_be_read_both_ways(deployment: Deployment) -> None:
    path = "/subjects/kwartier.mandate.MandateGranted/versions"
    answer = raw(deployment.registry, "POST", path, {"schema": json.dumps(planted("MandateGranted"))})
    assert answer.status_code == httpx.codes.CONFLICT


def test_a_schema_that_the_registry_refuses_is_named_and_the_exit_code_says_so(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mandate").mkdir()
    path = tmp_path / "mandate" / "MandateWithdrawn.v1.avsc"
    path.write_text(json.dumps(planted("MandateWithdrawn")), encoding="utf-8")
    monkeypatch.setattr(registry, "published", lambda: registry.load_registry(tmp_path))
    code, told = kwartier("schemas", "register", "--url", deployment.registry.access.url)
    assert code == 1
    assert "refused kwartier.mandate.MandateWithdrawn v1: " in told


def test_a_newer_version_of_somebody_else_is_read_as_ours_and_shown_as_drift(deployment: Deployment) -> None:
    path = "/subjects/kwartier.mandate.DataAccessContractSigned/versions"
    newer = {"schema": json.dumps(planted("DataAccessContractSigned", default=""))}
    number = raw(deployment.registry, "POST", path, newer).json()["id"]
    body = encode(CONTRACT_SIGNED)[framing.HEADER_LENGTH :] + b"\x0aadded"
    with deployment.registry.in_use():
        assert decode(b"\x00" + number.to_bytes(4, "big") + body) == CONTRACT_SIGNED
    code, told = kwartier("schemas", "check", "--url", deployment.registry.access.url)
    assert code == 1
    assert "unknown kwartier.mandate.DataAccessContractSigned: it has a version" in told


def test_an_id_that_means_nothing_here_is_a_bad_record(deployment: Deployment) -> None:
    theirs = {"schema": json.dumps({"type": "record", "name": "Theirs", "namespace": "shop", "fields": []})}
    number = raw(deployment.registry, "POST", "/subjects/shop.Theirs/versions", theirs).json()["id"]
    with deployment.registry.in_use():
        with pytest.raises(UnknownSchema, match="none of our events"):
            decode(b"\x00" + number.to_bytes(4, "big"))
        with pytest.raises(UnknownSchema, match="no schema has this id"):
            decode(b"\x00\x7f\xff\xff\xff")


def test_a_registry_that_does_not_answer_is_an_outage_and_what_is_known_is_kept(deployment: Deployment) -> None:
    known, other = registry.published().newest("MandateGranted"), registry.published().newest("MandateEnded")
    with deployment.registry.client() as client:
        number = client.number(known)
        assert client.schema(number) is known
        with deployment.registry.frozen():
            assert client.number(known) == number
            assert client.schema(number) is known
            with pytest.raises(RegistryAway, match=r"^the schema registry at 127\.0\.0\.1:\d+ does not answer"):
                client.number(other)
        assert client.number(other) != number


def test_only_what_is_ours_and_registered_has_an_id(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "mandate").mkdir()
    path = tmp_path / "mandate" / "MandateGranted.v9.avsc"
    path.write_text(json.dumps(planted("MandateGranted", default="")), encoding="utf-8")
    with deployment.registry.client() as client, pytest.raises(NotRegistered, match="MandateGranted v9 is not"):
        client.number(registry.read_schema(path))


async def test_while_the_registry_is_away_nothing_parks_and_then_everything_is_stored(
    deployment: Deployment, kafka_bootstrap: str, database_url: str
) -> None:
    """The first record is in single-object framing and waits behind nobody; the second needs the registry."""
    topic = await make_readings_topic(kafka_bootstrap)
    events = [reading(5, number=1), reading(6, number=2, sequence=1)]
    with deployment.registry.in_use():
        values = [encode(events[0]), outgoing(encode(events[1]))]
    assert [value[0] for value in values] == [0xC3, 0x00]
    with open_store(database_url) as store, deployment.registry.in_use():
        store.projection.topic = topic
        with deployment.registry.frozen():
            await publish(kafka_bootstrap, topic, values)
            async with member(store.projection, kafka_bootstrap):
                await until(lambda: _failed_count(topic) > 0)
                assert applied_count(store.engine) == 0
        async with member(store.projection, kafka_bootstrap):
            await until(lambda: applied_count(store.engine) == len(values))
        assert (store.block().input_count, store.block().total) == (2, 6 * 96)


async def publish(bootstrap: str, topic: str, values: Sequence[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, key=HOUSE.encode())


def _failed_count(topic: str) -> float:
    from eventlog import metrics

    return float(metrics.RUNS.labels("block", topic, "failed")._value.get())


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str, deployment: Deployment
) -> Iterator[Running]:
    with running(
        tmp_path_factory.mktemp("platform"),
        ("register", "metering", "metering-project", "export"),
        kafka_bootstrap=own_kafka,
        admin_url=own_database,
        schema_registry=deployment.registry.access,
    ) as platform:
        yield platform


async def test_a_decision_goes_out_in_the_registrys_framing_and_is_applied(
    platform: Running, deployment: Deployment, own_kafka: str
) -> None:
    headers = platform.headers("demo-access-holder", "register/access-points.write")
    with platform.client("register") as register:
        assert register.post("/access-points", json=POINT, headers=headers).status_code == 201
    records: list[Any] = []

    async def is_applied() -> bool:
        records[:] = await read_all(own_kafka, "register-events")
        return bool(records) and _applied(platform, "export", "register-events") == (len(records), 0)

    await until(is_applied)
    assert {record.value[:1] for record in records} == {b"\x00"}
    with deployment.registry.in_use():
        assert HOUSE_REGISTERED in [decode(record.value) for record in records]


async def test_readings_in_both_framings_on_one_topic_are_stored_and_the_run_is_told(
    platform: Running, deployment: Deployment, own_kafka: str
) -> None:
    platform.deliver(json.dumps(LINE).encode(), "application/x-ndjson")
    await publish(own_kafka, "meter-readings", [encode(reading(7, number=3, sequence=5))])
    framings = {record.value[:1] for record in await read_all(own_kafka, "meter-readings")}
    assert framings == {b"\x00", b"\xc3"}
    await until(lambda: _applied(platform, "metering-project", "meter-readings") == (2, 0))
    told: list[Any] = []

    async def is_told() -> bool:
        told[:] = await read_all(own_kafka, "metering-events")
        return len(told) == 3

    await until(is_told)
    assert {record.value[:1] for record in told} == {b"\x00"}
    with deployment.registry.in_use():
        events = [decode(record.value) for record in told]
    assert sorted(type(each).__name__ for each in events) == ["BlockRevised", "RunApplied", "RunApplied"]
    arrivals = [arrival for each in events if isinstance(each, RunApplied) for arrival in each.arrivals]
    assert [(each.source, each.new_count, each.completed_count, each.revised_count) for each in arrivals] == [
        ("kwartier", 1, 0, 0),
        ("publisher", 0, 1, 1),
    ]


def _applied(platform: Running, process: str, topic: str) -> tuple[int, int]:
    """How many records the projections of `topic` have passed, and parked."""
    with platform.client(process) as client, contextlib.suppress(httpx.HTTPError):
        found = [each for each in client.get("/projections").json()["projections"] if each["topic"] == topic]
        return min(sum(each["checkpoints"].values()) for each in found), sum(each["parked"] for each in found)
    return 0, 0
