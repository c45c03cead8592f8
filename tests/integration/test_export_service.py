"""A real file in, the same bytes out, and the ledger says so: real processes, real Kafka, real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from eventlog.codec import decode
from eventlog.envelope import from_record
from eventlog.events import DataDelivered
from eventlog.topics import partition_of
from services.export.domain.ledger import verify
from tests.running import Running, running
from tests.topics import read_all, until

pytestmark = pytest.mark.integration

DATA = Path(__file__).parents[1] / "data"
HOUSE, GAS_HOUSE, FACTORY, NOBODY = (
    "541448800000000017",
    "541448800000000024",
    "541448800000000031",
    "541448800000000055",
)
CSV = "text/csv"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str) -> Iterator[Running]:
    names = ("metering", "metering-project", "export")
    folder = tmp_path_factory.mktemp("platform")
    with running(folder, names, kafka_bootstrap=own_kafka, admin_url=own_database) as platform:
        for name in (
            "portal_nl_digital_quarter_october",
            "portal_nl_digital_day",
            "portal_nl_gas_hour_october",
            "portal_nl_amr_quarter_march",
        ):
            platform.deliver((DATA / f"{name}.csv").read_bytes(), CSV)
        yield platform


@pytest.fixture
def operator(platform: Running) -> Iterator[httpx.Client]:
    with platform.client("export") as client:
        client.headers.update(platform.headers("kwartier", "export/files.read export/readings.read"))
        yield client


def ledger(platform: Running, ean: str) -> list[DataDelivered]:
    secret = platform.layout.secrets.roles["export"]
    address = platform.layout.database_elsewhere.rpartition("@")[2]
    with psycopg.connect(f"postgresql://export:{secret}@{address}") as connection:
        rows = connection.execute(
            "select payload from event where stream_id = %s order by stream_version", [f"ledger:{ean}"]
        ).fetchall()
    entries = [decode(payload) for (payload,) in rows]
    return [entry for entry in entries if isinstance(entry, DataDelivered)]


@pytest.mark.parametrize(
    ("name", "query", "file_name"),
    [
        (
            "portal_nl_digital_quarter_october.csv",
            {"ean": HOUSE, "from": "2026-10-25", "to": "2026-10-25", "granularity": "quarter"},
            f"Verbruikshistoriek_elektriciteit_{HOUSE}_20261025_20261025_kwartiertotalen.csv",
        ),
        (
            "portal_en_digital_quarter_october.csv",
            {"ean": HOUSE, "from": "2026-10-25", "to": "2026-10-25", "granularity": "quarter", "lang": "en"},
            f"Consumption_history_electricity_{HOUSE}_20261025_20261025_15 minute totals.csv",
        ),
        (
            "portal_nl_digital_day.csv",
            {"ean": HOUSE, "from": "2026-10-24", "to": "2026-10-26", "granularity": "day"},
            f"Verbruikshistoriek_elektriciteit_{HOUSE}_20261024_20261026_dagtotalen.csv",
        ),
        (
            "portal_nl_gas_hour_october.csv",
            {"ean": GAS_HOUSE, "from": "2026-10-24", "to": "2026-10-25", "granularity": "hour"},
            f"Verbruikshistoriek_gas_{GAS_HOUSE}_20261024_20261025_uurtotalen.csv",
        ),
        (
            "portal_nl_amr_quarter_march.csv",
            {"ean": FACTORY, "from": "2026-03-29", "to": "2026-03-29", "granularity": "quarter"},
            f"Historiek_afname_elektriciteit_{FACTORY}_20260329_20260329_kwartiertotalen.csv",
        ),
    ],
)
def test_a_file_comes_out_byte_for_byte(
    operator: httpx.Client, name: str, query: dict[str, str], file_name: str
) -> None:
    answer = operator.get("/files/portal-csv", params=query)
    assert answer.status_code == 200
    assert answer.content == (DATA / name).read_bytes()
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert f'filename="{file_name}"' in answer.headers["Content-Disposition"]


def test_each_download_is_an_entry_of_the_ledger(platform: Running, operator: httpx.Client) -> None:
    before = ledger(platform, HOUSE)
    query = {"ean": HOUSE, "from": "2026-10-25", "to": "2026-10-26"}
    assert operator.get("/files/portal-csv", params={**query, "granularity": "day"}).status_code == 200
    assert operator.get("/readings", params={**query, "granularity": "quarter"}).status_code == 200
    after = ledger(platform, HOUSE)
    first, second = after[len(before) :]
    assert (first.channel, first.recipient, first.granularity) == ("operator", "kwartier", "day")
    assert (first.first_day.isoformat(), first.last_day.isoformat()) == ("2026-10-25", "2026-10-26")
    # Four registers on each of two days; 100 quarters in two directions, of which the file lacks one in each.
    assert first.value_count == 8
    assert (second.granularity, second.value_count) == ("quarter", 198)
    assert second.previous_hash == first.hash
    assert verify(after) == len(after)


@pytest.mark.parametrize(
    ("file_format", "media_type", "magic"),
    [
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK\x03\x04"),
        ("parquet", "application/vnd.apache.parquet", b"PAR1"),
    ],
)
def test_workbook_and_parquet_leave_as_the_csv_does(
    platform: Running, operator: httpx.Client, file_format: str, media_type: str, magic: bytes
) -> None:
    query = {"ean": HOUSE, "from": "2026-10-25", "to": "2026-10-25", "granularity": "quarter"}
    assert operator.get("/files/portal-csv", params=query).status_code == 200
    answer = operator.get(f"/files/portal-{file_format}", params=query)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
    name = f"Verbruikshistoriek_elektriciteit_{HOUSE}_20261025_20261025_kwartiertotalen.{file_format}"
    assert f'filename="{name}"' in answer.headers["Content-Disposition"]
    assert answer.content.startswith(magic)
    assert operator.get(f"/files/portal-{file_format}", params=query).content == answer.content
    first, second, third = ledger(platform, HOUSE)[-3:]
    assert (first.value_count, first.granularity, first.channel) == (198, "quarter", "operator")
    assert {(entry.value_count, entry.granularity, entry.channel) for entry in (second, third)} == {
        (198, "quarter", "operator")
    }


def test_a_format_that_there_is_not_is_refused(operator: httpx.Client) -> None:
    query = {"ean": HOUSE, "from": "2026-10-25", "to": "2026-10-25", "granularity": "quarter"}
    answer = operator.get("/files/portal-pdf", params=query)
    assert (answer.status_code, answer.json()["ValidationErrorMessages"]) == (
        400,
        ["file_format: Input should be 'csv', 'xlsx' or 'parquet'"],
    )


async def test_the_ledger_is_published_under_the_point(
    platform: Running, operator: httpx.Client, own_kafka: str
) -> None:
    query = {"ean": FACTORY, "from": "2026-03-29", "to": "2026-03-29", "granularity": "quarter"}
    operator.get("/readings", params=query).raise_for_status()
    newest = ledger(platform, FACTORY)[-1]

    async def is_published() -> bool:
        records = await read_all(own_kafka, "export-events")
        found = [record for record in records if from_record(record).event == newest]
        return [(record.key, record.partition) for record in found] == [
            (FACTORY.encode(), partition_of(FACTORY.encode(), 8))
        ]

    await until(is_published)


def test_nothing_to_deliver_is_404_and_in_the_ledger(platform: Running, operator: httpx.Client) -> None:
    query = {"ean": NOBODY, "from": "2026-10-25", "to": "2026-10-25", "granularity": "quarter"}
    answer = operator.get("/files/portal-csv", params=query)
    assert (answer.status_code, answer.json()) == (
        404,
        {"Type": "NotFound", "Code": "NoData", "Message": "there are no readings for this point in this period"},
    )
    [entry] = ledger(platform, NOBODY)
    assert entry.value_count == 0


def test_many_downloads_at_once_are_one_chain(platform: Running, operator: httpx.Client) -> None:
    before = len(ledger(platform, GAS_HOUSE))
    query = {"ean": GAS_HOUSE, "from": "2026-10-24", "to": "2026-10-24", "granularity": "hour"}
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: operator.get("/readings", params=query).status_code, range(16)))
    assert statuses == [200] * 16
    after = ledger(platform, GAS_HOUSE)
    assert verify(after) == before + 16


@pytest.mark.parametrize(("ean", "granularity", "words"), [(GAS_HOUSE, "quarter", "hour"), (HOUSE, "hour", "quarter")])
def test_the_wrong_slices_are_refused_and_the_right_ones_named(
    platform: Running, operator: httpx.Client, ean: str, granularity: str, words: str
) -> None:
    before = len(ledger(platform, ean))
    query = {"ean": ean, "from": "2026-10-24", "to": "2026-10-25", "granularity": granularity}
    answer = operator.get("/files/portal-csv", params=query)
    assert (answer.status_code, answer.json()["Code"]) == (400, "WrongGranularity")
    assert answer.json()["Message"].endswith(f"ask for granularity {words}")
    assert len(ledger(platform, ean)) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ean": "541448800000000018"}, "ean: the check digit of the EAN is wrong"),
        ({"from": "25-10-2026"}, "from: a day is written YYYY-MM-DD"),
        ({"to": "2026-02-30"}, "to: there is no such day in the calendar"),
        ({"to": "2026-10-24"}, "from is after to"),
        ({"from": "1999-12-31"}, "days lie between 2000-01-01 and 2100-12-31"),
        ({"from": "2023-10-25"}, "at most 1096 days at once"),
        ({"granularity": "week"}, "granularity: Input should be 'quarter', 'hour', 'day', 'month' or 'month-total'"),
        ({"direction": "up"}, "direction: Input should be 'offtake', 'injection', 'production' or 'auxiliary'"),
    ],
)
def test_a_question_without_sense_is_400(operator: httpx.Client, change: dict[str, str], message: str) -> None:
    query = {"ean": HOUSE, "from": "2026-10-25", "to": "2026-10-25", "granularity": "quarter", **change}
    answer = operator.get("/files/portal-csv", params=query)
    assert answer.status_code == 400
    assert answer.json()["ValidationErrorMessages"] == [message]
    assert "541448800000000018" not in answer.text


def test_one_direction_alone(operator: httpx.Client) -> None:
    query = {"ean": HOUSE, "from": "2026-10-25", "to": "2026-10-25", "granularity": "day", "direction": "injection"}
    answer = operator.get("/readings", params=query).raise_for_status().json()
    assert {series["channel"] for series in answer["series"]} == {
        "INJECTION_ACTIVE_DAY_DAILY",
        "INJECTION_ACTIVE_NIGHT_DAILY",
    }


def test_points_are_those_with_readings(operator: httpx.Client) -> None:
    points = {point["ean"]: point for point in operator.get("/points").raise_for_status().json()["points"]}
    assert points[GAS_HOUSE] == {
        "ean": GAS_HOUSE,
        "energy": "G",
        "meter_kind": "DIGITAL",
        "first_day": "2026-10-24",
        "last_day": "2026-10-25",
    }
    assert {HOUSE, FACTORY} < set(points)


@pytest.mark.parametrize(
    ("client_id", "scope", "status"),
    [
        (None, "", 401),
        ("kwartier", "metering/readings.write", 401),
        ("portal", "export/readings.read", 403),
        ("kwartier", "export/readings.read", 403),
    ],
)
def test_only_the_operator_downloads(platform: Running, client_id: str | None, scope: str, status: int) -> None:
    headers = {} if client_id is None else platform.headers(client_id, scope)
    query = {"ean": HOUSE, "from": "2026-10-25", "to": "2026-10-25", "granularity": "quarter"}
    before = len(ledger(platform, HOUSE))
    with platform.client("export") as client:
        answer = client.get("/files/portal-csv", params=query, headers=headers)
    assert (answer.status_code, answer.content) == (status, b"")
    assert len(ledger(platform, HOUSE)) == before


def test_nobody_but_export_gets_values_from_metering(platform: Running) -> None:
    query = {"ean": HOUSE, "from": "2026-10-25", "to": "2026-10-25"}
    with platform.client("metering") as metering:
        assert metering.get("/blocks", params=query).status_code == 401
        headers = platform.headers("kwartier", "metering/readings.write")
        assert metering.get("/blocks", params=query, headers=headers).status_code == 403


def test_without_metering_the_answer_is_503_and_nothing_is_in_the_ledger(
    platform: Running, operator: httpx.Client
) -> None:
    before = len(ledger(platform, HOUSE))
    query = {"ean": HOUSE, "from": "2026-10-25", "to": "2026-10-25", "granularity": "quarter"}
    platform.kill("metering")
    try:
        answer = operator.get("/files/portal-csv", params=query)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.json()["Code"] == "MeteringUnavailable"
        assert len(ledger(platform, HOUSE)) == before
    finally:
        platform.start_again("metering")
    assert operator.get("/files/portal-csv", params=query).status_code == 200
