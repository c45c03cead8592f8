"""Register and mandate as processes: what was answered is on the topic, also after SIGKILL; probes and metrics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventlog.envelope import from_record
from eventlog.events import (
    AccessPointRegistered,
    AllocationPointAdded,
    DataAccessContractSigned,
    NetUserMovedIn,
    NetUserRegistered,
)
from tests.examples import CONTRACT, CONTRACT_SIGNED, HOLDER_KBO, HOUSE, HOUSE_REGISTERED
from tests.register_events import FREE_EAN
from tests.running import Running, running
from tests.topics import read_all, until

pytestmark = pytest.mark.integration

POINT = {"ean": HOUSE, "energy": "E", "meter_kind": "DIGITAL", "registered_on": "2026-01-01"}
ANNA = {
    "command": "net-user",
    "person_ref": "P-0001",
    "name": "Anna Voorbeeld",
    "email": "anna@example.org",
    "household": True,
}
FLAT = [
    {
        "command": "access-point",
        "ean": FREE_EAN,
        "energy": "E",
        "meter_kind": "DIGITAL",
        "registered_on": "2026-01-01",
    },
    {"command": "move-in", "ean": FREE_EAN, "person_ref": "P-0001", "on": "2026-01-01"},
]
SECRETS = (b"P-0001", b"Anna", b"Voorbeeld", b"anna@example.org")
SIGNED = {"contract_number": CONTRACT, "holder_kbo": HOLDER_KBO, "valid_from": "2026-01-01"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("platform")
    with running(folder, ("register", "mandate"), kafka_bootstrap=own_kafka, admin_url=own_database) as platform:
        yield platform


async def test_a_registered_point_reaches_the_topic_though_the_service_is_killed(
    platform: Running, own_kafka: str
) -> None:
    headers = platform.headers("demo-access-holder", "register/access-points.write")
    with platform.client("register") as register:
        assert register.post("/access-points", json=POINT, headers=headers).status_code == 201
    platform.kill("register")
    platform.start_again("register")

    async def is_published() -> bool:
        envelopes = [from_record(record) for record in await read_all(own_kafka, "register-events")]
        found = [envelope for envelope in envelopes if envelope.event == HOUSE_REGISTERED]
        assert {(envelope.stream_id, envelope.stream_version) for envelope in found} <= {(f"point:{HOUSE}", 1)}
        assert all(envelope.key == HOUSE.encode() for envelope in found)
        return bool(found) and isinstance(found[0].event, AccessPointRegistered)

    await until(is_published)
    with platform.client("register") as register:
        assert register.post("/access-points", json=POINT, headers=headers).json()["outcome"] == "unchanged"


async def test_who_lives_where_reaches_the_topic_without_a_name(platform: Running, own_kafka: str) -> None:
    writes = platform.headers("demo-access-holder", "register/access-points.write")
    reads = platform.headers("portal", "register/net-users.read")
    with platform.client("register") as register:
        results = register.post("/bulk", json={"commands": [ANNA, *FLAT]}, headers=writes).json()["results"]
        assert [each["status"] for each in results] == [201, 201, 201]
        net_user_id = results[0]["net_user_id"]
        found = register.post("/net-users/lookup", json={"person_ref": "P-0001"}, headers=reads).json()
        assert found["net_user_ids"] == [net_user_id]
        assert [(each["ean"], each["first_on"]) for each in found["points"]] == [(FREE_EAN, "2026-01-01")]

    async def is_published() -> bool:
        records = await read_all(own_kafka, "register-events")
        assert not any(secret in bytes(record.value) for record in records for secret in SECRETS)
        wanted = (FREE_EAN.encode(), f"net-user:{net_user_id}".encode())
        envelopes = [each for each in map(from_record, records) if each.key in wanted]
        return {(each.stream_id, each.stream_version, type(each.event)) for each in envelopes} == {
            (f"net-user:{net_user_id}", 1, NetUserRegistered),
            (f"point:{FREE_EAN}", 1, AccessPointRegistered),
            (f"point:{FREE_EAN}", 2, AllocationPointAdded),
            (f"point:{FREE_EAN}", 3, NetUserMovedIn),
        }

    await until(is_published)
    log = (platform.layout.state.logs / "register.log").read_bytes()
    assert not any(secret in log for secret in SECRETS)


async def test_a_signed_contract_reaches_the_topic_under_its_number(platform: Running, own_kafka: str) -> None:
    headers = platform.headers("kwartier", "mandate/contracts.write")
    with platform.client("mandate") as mandate:
        assert mandate.post("/contracts", json=SIGNED, headers=headers).status_code == 201

    async def is_published() -> bool:
        envelopes = [from_record(record) for record in await read_all(own_kafka, "mandate-events")]
        found = [envelope for envelope in envelopes if envelope.event == CONTRACT_SIGNED]
        return [(envelope.key, type(envelope.event)) for envelope in found] == [
            (CONTRACT.encode(), DataAccessContractSigned)
        ]

    await until(is_published)


@pytest.mark.parametrize("service", ["register", "mandate"])
async def test_a_service_is_ready_and_says_what_it_did(platform: Running, service: str) -> None:
    with platform.client(service) as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").json() == {"ready": True, "reasons": []}

        def is_done() -> bool:
            state = client.get("/projections").json()
            return state["unpublished"] == 0 and all(each["lag"] == 0 for each in state["projections"])

        await until(is_done)
        names = [each["name"] for each in client.get("/projections").json()["projections"]]
        assert names == (["mandate-policy"] if service == "mandate" else [])
        metrics = client.get("/metrics").text
        assert f'http_requests_total{{method="GET",route="/readyz",service="{service}",status="200"}}' in metrics
        assert HOUSE not in metrics
