"""From the register to the end of a mandate, all processes real: consent, switch, SIGKILL, withdrawal, marks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eventlog.envelope import Envelope, from_record
from eventlog.events import MandateEnded, MandateGranted, MandateWithdrawn
from eventlog.marks import MARKS_TOPIC, decode_mark
from stack.demo.folk import sign_ins
from tests.running import Running, running
from tests.topics import read_all, until

pytestmark = pytest.mark.integration

# Of this test alone: the platform's topics are shared by a session's tests.
CONTRACT, HOLDER_KBO = "1000000077", "0123456749"
HOUSE, GARAGE = "541448830000000014", "541448830000000021"
SERVICES = [{"type": "VH_kwartier_uur"}]
PERSON = str(sign_ins()["anouk"]["person_ref"])


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("platform")
    names = ("oidc", "register", "mandate")
    with running(folder, names, kafka_bootstrap=own_kafka, admin_url=own_database) as platform:
        fill(platform)
        yield platform


def fill(platform: Running) -> None:
    """Two points of one person, and a holder."""
    point = {"command": "access-point", "energy": "E", "meter_kind": "DIGITAL", "registered_on": "2026-01-01"}
    person = {"command": "net-user", "person_ref": PERSON, "name": "A", "email": "a@example.org", "household": True}
    come = {"command": "move-in", "person_ref": PERSON, "on": "2026-01-01"}
    commands = [person, *[{**each, "ean": ean} for ean in (HOUSE, GARAGE) for each in (point, come)]]
    headers = platform.headers("demo-access-holder", "register/access-points.write")
    with platform.client("register") as register:
        answer = register.post("/bulk", json={"commands": commands}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert {each["status"] for each in answer.json()["results"]} == {201}
    contract = {"contract_number": CONTRACT, "holder_kbo": HOLDER_KBO, "valid_from": "2026-01-01"}
    headers = platform.headers("kwartier", "mandate/contracts.write")
    with platform.client("mandate") as mandate:
        assert mandate.post("/contracts", json=contract, headers=headers).status_code == 201


def consent(platform: Running, *eans: str) -> Any:
    """Open a session as export does, and consent as the person who signed in."""
    wish = {"contract_number": CONTRACT, "holder_kbo": HOLDER_KBO, "reference_number": "order-1", "flow": "B2C"}
    body = {**wish, "services": SERVICES, "number_of_eans": len(eans)}
    with platform.client("mandate") as mandate:
        opened = mandate.post("/sessions", json=body, headers=platform.headers("export", "mandate/sessions.write"))
        assert opened.status_code == 201, opened.text
        path = f"/sessions/{opened.json()['session_id']}/consent"
        answer = mandate.post(path, json={"eans": list(eans)}, headers=platform.person("anouk"))
    assert answer.status_code == 201, answer.text
    return answer.json()["mandates"]


async def told(bootstrap: str, ean: str) -> list[Envelope]:
    """What is on the topic about a point's mandates."""
    envelopes = [from_record(record) for record in await read_all(bootstrap, "mandate-events")]
    return [each for each in envelopes if each.stream_id == f"point:{ean}"]


async def test_a_switch_ends_a_mandate_though_mandate_is_killed_meanwhile(platform: Running, own_kafka: str) -> None:
    (mandate,) = consent(platform, HOUSE)
    platform.kill("mandate")
    last_on = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    headers = platform.headers("demo-access-holder", "register/access-points.write")
    with platform.client("register") as register:
        body = {"person_ref": PERSON, "last_on": last_on}
        assert register.post(f"/access-points/{HOUSE}/move-outs", json=body, headers=headers).status_code == 201
    platform.start_again("mandate")

    async def has_ended() -> bool:
        events = [each.event for each in await told(own_kafka, HOUSE)]
        return any(isinstance(each, MandateEnded) for each in events)

    await until(has_ended)
    granted, ended = await told(own_kafka, HOUSE)
    assert isinstance(granted.event, MandateGranted)
    assert isinstance(ended.event, MandateEnded)
    assert (str(ended.event.mandate_id), ended.event.reason) == (mandate["mandate_id"], "CUSTOMER_SWITCH")
    assert ended.event.ends_on.isoformat() > last_on
    assert ended.causation_id is not None
    with platform.client("mandate") as client:
        (listed,) = client.get("/mandates", params={"ean": HOUSE}, headers=platform.person("anouk")).json()["mandates"]
    assert (listed["status"], listed["is_active"]) == ("Finished", False)
    with platform.client("mandate") as client:
        (policy,) = client.get("/projections").json()["projections"]
    assert (policy["name"], policy["topic"], policy["parked"]) == ("mandate-policy", "register-events", 0)


async def test_a_withdrawal_reaches_the_topic(platform: Running, own_kafka: str) -> None:
    (mandate,) = consent(platform, GARAGE)
    path = f"/mandates/{GARAGE}/{mandate['mandate_id']}/withdrawal"
    with platform.client("mandate") as client:
        answer = client.post(path, headers=platform.person("anouk"))
        assert answer.json() == {"ean": GARAGE, "mandate_id": mandate["mandate_id"], "outcome": "withdrawn"}
        assert client.post(path, headers=platform.person("bram")).status_code == 404

    async def is_told() -> bool:
        kinds = [type(each.event) for each in await told(own_kafka, GARAGE)]
        return kinds == [MandateGranted, MandateWithdrawn]

    await until(is_told)


async def test_both_services_mark_how_fresh_their_topics_are(platform: Running, own_kafka: str) -> None:
    began = datetime.now(UTC)

    async def are_marked() -> bool:
        marks = [decode_mark(record.value) for record in await read_all(own_kafka, MARKS_TOPIC) if record.value]
        fresh = {(each.source, each.topic) for each in marks if each.as_of > began}
        return fresh == {("register", "register-events"), ("mandate", "mandate-events")}

    await until(are_marked)


async def test_nothing_of_a_person_is_in_the_log(platform: Running) -> None:
    log = (platform.layout.state.logs / "mandate.log").read_bytes()
    for secret in (PERSON, HOUSE, GARAGE):
        assert secret.encode() not in log
