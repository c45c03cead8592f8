"""From consent to answer, on real processes: a holder reads what a net user allowed, and nobody else does."""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from eventlog.codec import decode
from eventlog.events import DataDelivered, DataRefused, Event
from services.export.domain.ledger import verify
from stack.demo.folk import HOLDERS
from tests.holder_client import FrontDoors, HolderClient, consent, until_answered, withdraw
from tests.running import Running, running

pytestmark = pytest.mark.integration

PROCESSES = ("oidc", "register", "mandate", "metering", "metering-project", "export")
HOUSE, GAS_HOUSE, OTHER_HOUSE, NOBODY = (
    "541448800000000017",
    "541448800000000024",
    "541448800000000031",
    "541448800000000055",
)
QUARTERS = "OFFTAKE_ACTIVE_QUARTER_HOURLY"
KBO, OTHER_KBO = HOLDERS[0].kbo, "0200000043"
OCTOBER = {"from_": "2026-10-24T22:00:00Z", "to": "2026-10-25T23:00:00Z"}
GAS_OCTOBER = {"from_": "2026-10-24T04:00:00Z", "to": "2026-10-25T05:00:00Z"}
NO_DATA = {
    "Type": "NotFound",
    "Code": "NoData",
    "Message": "there are no readings for this point in this period",
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("platform")
    with running(folder, PROCESSES, kafka_bootstrap=own_kafka, admin_url=own_database) as platform:
        yield platform


@pytest.fixture(scope="module")
def doors(platform: Running) -> FrontDoors:
    """Points with readings: a house that Anouk lives in since Bram moved out, her gas, and another house of Bram."""
    doors = FrontDoors(platform)
    anouk, bram = doors.net_user("demo-person-anouk"), doors.net_user("demo-person-bram")
    for ean, energy in ((HOUSE, "E"), (GAS_HOUSE, "G"), (OTHER_HOUSE, "E")):
        doors.point(ean, energy=energy)
    doors.move_in(HOUSE, bram, "2019-01-01")
    doors.move_in(HOUSE, anouk, "2026-10-01")
    doors.move_in(GAS_HOUSE, anouk, "2026-01-01")
    doors.move_in(OTHER_HOUSE, bram, "2019-01-01")
    doors.readings(HOUSE, QUARTERS, "2026-10-25", list(range(100)), meter_id="m1")
    doors.readings(HOUSE, QUARTERS, "2026-09-30", [7] * 96, meter_id="m1")
    doors.readings(HOUSE, QUARTERS, "2026-10-01", [9] * 96, meter_id="m1")
    for day, count in (("2026-03-28", 23), ("2026-10-24", 25)):
        doors.readings(GAS_HOUSE, "OFFTAKE_GAS_VOLUME_HOURLY", day, [100] * count, meter_id="g1")
        energy = {"gas_factor": "PROVISIONAL"}
        doors.readings(GAS_HOUSE, "OFFTAKE_GAS_ENERGY_HOURLY", day, [1000] * count, meter_id="g1", **energy)
    return doors


@pytest.fixture(scope="module")
def holder(doors: FrontDoors) -> Iterator[HolderClient]:
    with doors.holder(KBO, "1000000001") as client:
        yield client


@pytest.fixture(scope="module")
def other(doors: FrontDoors) -> Iterator[HolderClient]:
    with doors.holder(OTHER_KBO, "1000000002") as client:
        yield client


def entries(platform: Running, stream: str) -> list[Event]:
    with database(platform) as connection:
        rows = connection.execute(
            "select payload from event where stream_id = %s order by stream_version", [stream]
        ).fetchall()
    return [decode(payload) for (payload,) in rows]


def database(platform: Running) -> psycopg.Connection:
    """A connection as export has it."""
    secret = platform.layout.secrets.roles["export"]
    address = platform.layout.database_elsewhere.rpartition("@")[2]
    return psycopg.connect(f"postgresql://export:{secret}@{address}")


def meter_of(answer: httpx.Response) -> dict[str, Any]:
    [meter] = answer.json()["data"]["headpoint"]["physicalMeters"]
    assert isinstance(meter, dict)
    return meter


def test_a_consent_opens_the_october_day_and_a_withdrawal_closes_it(
    platform: Running, holder: HolderClient, record_property: Callable[[str, object], None]
) -> None:
    [mandate] = consent(platform, holder, [HOUSE])
    answer, _ = until_answered(holder, HOUSE, 200, **OCTOBER)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    meter = meter_of(answer)
    quarters, [day] = meter["quarterHourlyEnergy"], meter["dailyEnergy"]
    assert (len(quarters), day["start"], day["end"]) == (100, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")
    total = sum(each["measurements"][0]["offtake"]["total"]["value"] for each in quarters)
    registers = day["measurements"][0]["offtake"]
    assert registers["day"]["value"] + registers["night"]["value"] == pytest.approx(total) == pytest.approx(4.95)
    withdraw(platform, mandate)
    refused, seconds = until_answered(holder, HOUSE, 404, **OCTOBER)
    assert refused.json() == NO_DATA
    record_property("seconds_from_withdrawal_to_refusal", seconds)


def test_every_answer_is_in_a_ledger_with_its_mandates(platform: Running, holder: HolderClient) -> None:
    [mandate] = consent(platform, holder, [HOUSE])
    until_answered(holder, HOUSE, 200, **OCTOBER)
    before = len(entries(platform, f"ledger:{HOUSE}"))
    assert holder.energy(HOUSE, **OCTOBER, granularity="daily").status_code == 200
    assert holder.energy(HOUSE, from_="2026-10-25", to="2026-10-25").status_code == 404
    ledger = entries(platform, f"ledger:{HOUSE}")
    answered, empty = ledger[before:]
    assert isinstance(answered, DataDelivered)
    assert isinstance(empty, DataDelivered)
    assert (answered.channel, answered.recipient, answered.granularity) == ("api", KBO, "daily")
    assert (answered.first_day.isoformat(), answered.last_day.isoformat()) == ("2026-10-25", "2026-10-25")
    assert [str(each) for each in answered.mandate_ids] == [mandate["mandate_id"]]
    assert (answered.value_count, empty.value_count) == (2, 0)
    assert verify(each for each in ledger if isinstance(each, DataDelivered)) == len(ledger)
    withdraw(platform, mandate)
    until_answered(holder, HOUSE, 404, **OCTOBER)


def test_it_is_the_same_404_for_whatever_is_not_ones_own(
    platform: Running, holder: HolderClient, other: HolderClient
) -> None:
    [mandate] = consent(platform, holder, [GAS_HOUSE])
    until_answered(holder, GAS_HOUSE, 200, **OCTOBER)
    before = len(entries(platform, f"holder:{OTHER_KBO}"))
    for client, ean in ((other, GAS_HOUSE), (other, NOBODY), (other, OTHER_HOUSE), (holder, OTHER_HOUSE)):
        answer = client.energy(ean, **OCTOBER)
        assert (answer.status_code, answer.json()) == (404, NO_DATA)
    refusals = entries(platform, f"holder:{OTHER_KBO}")
    assert [each.ean for each in refusals[before:] if isinstance(each, DataRefused)] == [GAS_HOUSE, NOBODY, OTHER_HOUSE]
    assert verify(each for each in refusals if isinstance(each, DataRefused)) == len(refusals)
    withdraw(platform, mandate)


def test_gas_days_of_23_and_25_hours_have_cubic_metres_and_kwh(platform: Running, holder: HolderClient) -> None:
    [mandate] = consent(platform, holder, [GAS_HOUSE], service="VH_kwartier_uur")
    for count, span in (
        (23, ("2026-03-28T05:00Z", "2026-03-29T04:00Z")),
        (25, ("2026-10-24T04:00Z", "2026-10-25T05:00Z")),
    ):
        answer, _ = until_answered(holder, GAS_HOUSE, 200, from_=span[0], to=span[1])
        meter = meter_of(answer)
        assert len(meter["hourlyEnergy"]) == count
        [day] = meter["dailyEnergy"]
        volume, energy = (each["offtake"]["total"] for each in day["measurements"])
        assert (volume["value"], volume["unit"]) == (count / 10, "m3")
        assert (energy["value"], energy["unit"], energy["gasConversionFactor"]) == (count, "kWh", "P")
    withdraw(platform, mandate)


def test_the_next_net_users_consent_opens_nothing_of_the_earlier_ones_days(
    platform: Running, holder: HolderClient
) -> None:
    [mandate] = consent(platform, holder, [HOUSE])
    answer, _ = until_answered(holder, HOUSE, 200, from_="2026-09-29", to="2026-10-03")
    starts = [each["start"] for each in meter_of(answer)["quarterHourlyEnergy"]]
    assert (len(starts), starts[0]) == (96, "2026-09-30T22:00:00Z")
    withdraw(platform, mandate)


def test_day_totals_alone_where_the_mandate_is_for_days(platform: Running, holder: HolderClient) -> None:
    [mandate] = consent(platform, holder, [HOUSE], service="VH_dag", dataPeriodFrom="2026-10-25")
    answer, _ = until_answered(holder, HOUSE, 200, from_="2026-09-29", to="2026-10-27")
    meter = meter_of(answer)
    assert "quarterHourlyEnergy" not in meter
    assert [each["start"] for each in meter["dailyEnergy"]] == ["2026-10-24T22:00:00Z"]
    assert holder.energy(HOUSE, **OCTOBER, granularity="hourly_quarterhourly").status_code == 404
    withdraw(platform, mandate)


def test_a_mandate_is_listed_with_what_it_opens(platform: Running, holder: HolderClient, other: HolderClient) -> None:
    [mandate] = consent(platform, holder, [GAS_HOUSE], service="VH_dag", dataPeriodTo="2026-12-31")
    until_answered(holder, GAS_HOUSE, 200, **GAS_OCTOBER)
    listed = holder.get("Mandate", EAN=GAS_HOUSE, Status="approved", dataServiceTypes="VH_dag").json()
    [found] = listed["data"]["mandates"]
    assert {**found, "referenceNumber": "", "mandateExpirationDate": ""} == {
        "referenceNumber": "",
        "status": "Approved",
        "ean": GAS_HOUSE,
        "energyType": "G",
        "dataPeriodFrom": None,
        "dataPeriodTo": "2027-01-01T05:00:00Z",
        "dataServiceType": "VH_dag",
        "mandateExpirationDate": "",
        "renewalStatus": None,
    }
    assert other.get("mandate", referenceNumber=found["referenceNumber"]).json()["data"]["mandates"] == []
    since = listed["_meta"]["fetchTime"]
    withdraw(platform, mandate)
    until_answered(holder, GAS_HOUSE, 404, **GAS_OCTOBER)
    deadline = time.monotonic() + 20
    while True:
        changed = holder.get("mandate", lastUpdatedFrom=since).json()
        states = [(each["ean"], each["status"]) for each in changed["data"]["mandates"]]
        if (GAS_HOUSE, "Finished") in states:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_changes_is_found_by_the_time_it_was_recorded(
    platform: Running, doors: FrontDoors, holder: HolderClient
) -> None:
    [mandate] = consent(platform, holder, [HOUSE])
    until_answered(holder, HOUSE, 200, **OCTOBER)
    first = holder.get("mandate/energy", ean=HOUSE, periodType="insertTime")
    assert first.status_code == 200
    since = first.json()["_meta"]["fetchTime"]
    time.sleep(1.1)  # the next second has to have begun: times on the wire are in whole seconds
    doors.readings(HOUSE, QUARTERS, "2026-10-25", [1000, *range(1, 100)], meter_id="m1")
    deadline = time.monotonic() + 20
    while (answer := holder.get("mandate/energy", ean=HOUSE, periodType="insertTime", from_=since)).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    meter = meter_of(answer)
    [quarter] = meter["quarterHourlyEnergy"]
    assert (quarter["start"], quarter["measurements"][0]["offtake"]["total"]["value"]) == ("2026-10-24T22:00:00Z", 1.0)
    assert [each["start"] for each in meter["dailyEnergy"]] == ["2026-10-24T22:00:00Z"]
    withdraw(platform, mandate)


def test_a_client_that_syncs_through_a_storm_has_what_a_full_read_has_and_saw_nothing_twice(
    platform: Running, doors: FrontDoors, holder: HolderClient
) -> None:
    [mandate] = consent(platform, holder, [HOUSE])
    until_answered(holder, HOUSE, 200, **OCTOBER)
    synced: dict[str, float] = {}
    seen: list[tuple[str, float]] = []

    def sync(since: str) -> str:
        answer = holder.get("mandate/energy", ean=HOUSE, periodType="insertTime", from_=since)
        if answer.status_code in (429, 503):  # too fast, or the store lies a moment behind: as a client is told
            time.sleep(float(answer.headers["Retry-After"]))
        if answer.status_code in (404, 429, 503):
            return since
        assert answer.status_code == 200, answer.text
        for quarter in meter_of(answer).get("quarterHourlyEnergy", []):
            value = quarter["measurements"][0]["offtake"]["total"]["value"]
            synced[quarter["start"]] = value
            seen.append((quarter["start"], value))
        return str(answer.json()["_meta"]["fetchTime"])

    def storm() -> None:
        chance = random.Random(7)
        for wave in range(40):  # each wave has values of its own, over a part of the day, and never waits for the store
            first, count = chance.randrange(90), chance.randrange(1, 11)
            values = [100_000 + wave * 100 + place for place in range(count)]
            doors.readings(
                HOUSE, QUARTERS, "2026-10-25", values, meter_id="m1", first_slice=first, part=True, source_sequence=wave
            )

    since = "2026-10-01T00:00:00Z"
    with ThreadPoolExecutor(1) as blowing:
        storming = blowing.submit(storm)
        while not storming.done():
            since = sync(since)
        storming.result()
    full = meter_of(until_answered(holder, HOUSE, 200, **OCTOBER)[0])["quarterHourlyEnergy"]
    expected = {each["start"]: each["measurements"][0]["offtake"]["total"]["value"] for each in full}
    deadline = time.monotonic() + 60
    while {start: value for start, value in synced.items() if start in expected} != expected:
        assert time.monotonic() < deadline, "what was synced is not what a full read has"
        time.sleep(0.3)  # times on the wire are whole seconds: the last wave's has to be over
        since = sync(since)
    assert len(seen) == len(set(seen))
    assert len(seen) > len(expected)
    withdraw(platform, mandate)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "identity"])
def test_an_answer_is_as_small_as_the_client_takes_it(platform: Running, holder: HolderClient, encoding: str) -> None:
    [mandate] = consent(platform, holder, [HOUSE])
    until_answered(holder, HOUSE, 200, **OCTOBER)
    url = f"{holder.base_url}/ESCO-LIVE/V3/API/Mandate/Energy"
    query = {"EAN": HOUSE, "PeriodType": "readTime", "From": "2026-10-24T22:00Z", "TO": "2026-10-25T23:00Z"}
    with holder.http.stream(
        "GET", url, params=query, headers={**holder.headers, "Accept-Encoding": encoding}
    ) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.status_code == 200
    assert answer.headers.get("content-encoding", "identity") == encoding
    if encoding == "gzip":
        assert len(json.loads(gzip.decompress(raw))["data"]["headpoint"]["physicalMeters"]) == 1
    assert (len(raw) < 5_000) == (encoding != "identity")
    withdraw(platform, mandate)


def test_a_moving_out_ends_access(platform: Running, doors: FrontDoors, holder: HolderClient) -> None:
    consent(platform, holder, [OTHER_HOUSE], who="bram")
    doors.readings(OTHER_HOUSE, QUARTERS, "2026-10-25", [5] * 100, meter_id="m2")
    until_answered(holder, OTHER_HOUSE, 200, **OCTOBER)
    doors.move_in(OTHER_HOUSE, doors.net_user("demo-person-chloe"), "2026-10-20")
    until_answered(holder, OTHER_HOUSE, 404, **OCTOBER)


def test_credentials_and_token_must_be_of_one_holder(holder: HolderClient, other: HolderClient) -> None:
    url = f"{holder.base_url}/esco-live/v3/api/mandate"
    good = holder.headers
    for headers in (
        {},
        {"Authorization": good["Authorization"]},
        {"Ocp-Apim-Subscription-Key": holder.subscription_key},
        {**good, "Ocp-Apim-Subscription-Key": other.subscription_key},
        {**good, "Authorization": "Bearer x.y.z"},
    ):
        answer = holder.http.get(url, headers=headers)
        assert (answer.status_code, answer.content) == (401, b"")
    assert holder.http.get(url, headers=good).status_code == 200


def test_a_revoked_client_is_refused_with_a_token_that_still_lives(doors: FrontDoors) -> None:
    with doors.holder("0300000016", "1000000003") as client:
        assert client.get("mandate").status_code == 200
        doors.ask("export", f"/credentials/{client.client_id}/revocation", "credentials.write", {})
        answer = client.get("mandate")
        assert (answer.status_code, answer.content) == (401, b"")
        assert client.token().status_code == 401


def test_an_ended_contract_is_403(doors: FrontDoors) -> None:
    with doors.holder("0400000086", "1000000004") as client:
        doors.ask("mandate", "/contracts/1000000004/end", "contracts.write", {"ended_on": "2026-01-01"})
        deadline = time.monotonic() + 20
        while (answer := client.get("mandate")).status_code != 403:
            assert time.monotonic() < deadline
        assert answer.content == b""


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"periodType": "x"}, "periodType: this parameter is required, readTime or insertTime"),
        ({"from_": "2026-01-01", "to": "2026-08-01"}, "to: at most 184 days and one hour after from"),
    ],
)
def test_a_wrong_question_is_400_with_all_names(holder: HolderClient, query: dict[str, str], message: str) -> None:
    answer = holder.energy(HOUSE, **query)
    assert answer.status_code == 400
    assert answer.json() == {
        "Type": "BadRequest",
        "Code": "ValidationError",
        "Message": "the request is not valid",
        "ValidationErrorMessages": [message],
    }


def reads(platform: Running, who: str, ean: str, first: str, last: str, granularity: str = "quarter") -> httpx.Response:
    query = {"ean": ean, "from": first, "to": last, "granularity": granularity}
    with platform.client("export") as export:
        return export.get("/readings", params=query, headers=platform.person(who))


def values_of(answer: httpx.Response) -> list[float]:
    assert answer.status_code == 200, answer.text
    return [each["value"] for series in answer.json()["series"] for each in series["slices"]]


def test_a_net_user_reads_the_own_stay_and_it_is_in_the_ledger(platform: Running, doors: FrontDoors) -> None:
    assert values_of(reads(platform, "anouk", HOUSE, "2026-09-29", "2026-10-01")) == [0.009] * 96
    earlier = values_of(reads(platform, "bram", HOUSE, "2026-09-30", "2026-10-02"))
    assert earlier == [0.007] * 96
    entry = entries(platform, f"ledger:{HOUSE}")[-1]
    assert isinstance(entry, DataDelivered)
    assert (entry.channel, entry.recipient, entry.value_count, entry.mandate_ids) == (
        "portal",
        doors.net_user("demo-person-bram"),
        96,
        (),
    )
    for who, ean in (("chloe", HOUSE), ("anouk", OTHER_HOUSE), ("anouk", NOBODY)):
        answer = reads(platform, who, ean, "2026-09-29", "2026-10-01")
        assert (answer.status_code, answer.json()) == (404, NO_DATA)


def test_a_net_user_sees_the_own_points_and_since_when(platform: Running, doors: FrontDoors) -> None:
    with platform.client("export") as export:
        mine = export.get("/points", headers=platform.person("anouk")).raise_for_status().json()["points"]
        bram = export.get("/points", headers=platform.person("bram")).raise_for_status().json()["points"]
    assert [(each["ean"], each["first_day"], each["last_day"]) for each in mine] == [
        (HOUSE, "2026-10-01", "2026-10-25"),
        (GAS_HOUSE, "2026-03-28", "2026-10-24"),
    ]
    assert (bram[0]["ean"], bram[0]["last_day"]) == (HOUSE, "2026-09-30")


def test_people_of_a_holder_read_what_its_mandates_open(platform: Running, holder: HolderClient) -> None:
    assert reads(platform, "energiecoach", HOUSE, "2026-10-25", "2026-10-25").status_code == 404
    [mandate] = consent(platform, holder, [HOUSE], service="VH_dag")
    until_answered(holder, HOUSE, 200, **OCTOBER)
    days = reads(platform, "energiecoach", HOUSE, "2026-09-29", "2026-10-25", "day").json()
    assert (days["from"], days["to"]) == ("2026-10-01", "2026-10-25")
    assert reads(platform, "energiecoach", HOUSE, "2026-10-25", "2026-10-25").status_code == 404
    assert reads(platform, "stroomspiegel", HOUSE, "2026-10-25", "2026-10-25", "day").status_code == 404
    with platform.client("export") as export:
        points = export.get("/points", headers=platform.person("energiecoach")).json()["points"]
    assert [each["ean"] for each in points] == [HOUSE]
    entry = [each for each in entries(platform, f"ledger:{HOUSE}") if isinstance(each, DataDelivered)][-2]
    assert (entry.channel, entry.recipient, entry.granularity) == ("portal", KBO, "day")
    assert [str(each) for each in entry.mandate_ids] == [mandate["mandate_id"]]
    withdraw(platform, mandate)
    until_answered(holder, HOUSE, 404, **OCTOBER)
    assert reads(platform, "energiecoach", HOUSE, "2026-10-25", "2026-10-25", "day").status_code == 404


def test_with_the_ledger_locked_nothing_leaves(platform: Running, holder: HolderClient) -> None:
    [mandate] = consent(platform, holder, [HOUSE])
    until_answered(holder, HOUSE, 200, **OCTOBER)
    before = len(entries(platform, f"ledger:{HOUSE}"))
    with ThreadPoolExecutor(1) as asking, database(platform) as locking:
        locking.execute("lock table event in access exclusive mode")
        answer = asking.submit(holder.energy, HOUSE, **OCTOBER)
        with pytest.raises(TimeoutError):
            answer.result(1.5)
        locking.rollback()
        assert answer.result(20).status_code == 200
    assert len(entries(platform, f"ledger:{HOUSE}")) == before + 1
    withdraw(platform, mandate)
