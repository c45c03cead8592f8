"""What a newcomer types: the commands of README and holder guide as printed, and files in and out of the platform."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
KWARTIER = Path(sys.executable).parent / "kwartier"

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROUND_TRIPS = [
    ("portal_nl_digital_quarter_october.csv", "quarter", "nl"),
    ("portal_nl_digital_quarter_march.csv", "quarter", "nl"),
    ("portal_en_digital_quarter_october.csv", "quarter", "en"),
    ("portal_nl_gas_hour_october.csv", "hour", "nl"),
    ("portal_nl_gas_hour_march.csv", "hour", "nl"),
    ("portal_en_gas_hour_october.csv", "hour", "en"),
    ("portal_nl_amr_quarter_october.csv", "quarter", "nl"),
    ("portal_nl_amr_day_march.csv", "day", "nl"),
]


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform with the demo world; `state` is its folder."""

    state: Path

    def kwartier(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [KWARTIER, *arguments, "--state", self.state],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    def type(self, text: str, folder: Path) -> str:
        """Type a printed block into a shell in `folder`, on this platform, and return what it prints."""
        typed = re.sub(r"\.venv/bin/kwartier (\w+)", rf"{KWARTIER} \1 --state {self.state}", text)
        typed = typed.replace("tests/data/", f"{DATA}/")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", typed],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in {"KAFKA_BOOTSTRAP", "DATABASE_URL"}}


def printed_blocks(page: str) -> list[str]:
    """The blocks of commands on a page, as printed."""
    return re.findall(r"^```\n(.*?)^```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def block_with(page: str, word: str) -> str:
    (found,) = [block for block in printed_blocks(page) if word in block]
    return found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("readme") / "state")
    started = platform.kwartier("up", "--detach")
    assert started.returncode == 0, started.stderr
    yield platform
    assert platform.kwartier("down").returncode == 0


def test_the_first_commands_work_as_printed(platform: Platform, tmp_path: Path) -> None:
    shown = platform.type(block_with("README.md", "kwartier import"), tmp_path)
    assert "portal_nl_2021_electricity_quarter.csv: 40 accepted, 0 unchanged, 0 refused" in shown
    assert "portal_nl_2022_gas_hour.csv: 6 accepted, 0 unchanged, 0 refused" in shown
    (file,) = tmp_path.iterdir()
    assert file.name == "Verbruikshistoriek_elektriciteit_541448812345678905_20211012_20211031_kwartiertotalen.csv"
    rows = file.read_text(encoding="utf-8-sig").splitlines()
    source = (DATA / "real" / "portal_nl_2021_electricity_quarter.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) == len(source) == 3849
    cells = [row.split(";") for row in rows[1:]]
    assert [(*each[:4], *each[7:11]) for each in cells] == [
        (*each[:4], *each[7:11]) for each in (row.split(";") for row in source[1:])
    ]


def test_a_reading_is_published_as_printed(platform: Platform, tmp_path: Path) -> None:
    answer = json.loads(platform.type(block_with("README.md", "/readings"), tmp_path))
    assert (answer["accepted"], answer["refused"], len(answer["receipts"])) == (1, 0, 1)


@pytest.mark.parametrize("service", ["register", "mandate", "metering", "export"])
def test_a_service_tells_its_api_and_no_page_loads_from_another_host(platform: Platform, service: str) -> None:
    address = json.loads((platform.state / "endpoints.json").read_text())[service]
    document = httpx.get(f"{address}/openapi.json", trust_env=False)
    assert (document.status_code, document.json()["info"]["title"]) == (200, f"Kwartier {service}")
    for page in ("/docs", "/redoc"):
        assert httpx.get(f"{address}{page}", trust_env=False).status_code == 404


def test_a_holders_first_hour_works_as_printed(platform: Platform, tmp_path: Path) -> None:
    setting, token, *calls = printed_blocks("docs/guide-holder.md")
    mandates, october, session = [json.loads(platform.type(setting + token + call, tmp_path)) for call in calls]
    assert {each["status"] for each in mandates["data"]["mandates"]} >= {"Approved"}
    (meter,) = october["data"]["headpoint"]["physicalMeters"]
    assert len(meter["quarterHourlyEnergy"]) == 100
    (day,) = meter["dailyEnergy"]
    assert (day["start"], day["end"]) == ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")
    assert session["data"]["status"] == "success"


@pytest.mark.parametrize(("name", "granularity", "language"), ROUND_TRIPS)
def test_a_file_comes_out_as_it_went_in(
    platform: Platform, tmp_path: Path, name: str, granularity: str, language: str
) -> None:
    content = (DATA / name).read_bytes()
    first = content.decode("utf-8-sig").splitlines()[1].split(";")
    ean, (day, month, year) = first[4][2:20], re.split("[-/]", first[0])
    last = f"{year}-{month}-{int(day) + days_in(content) - 1:02d}"
    assert platform.kwartier("import", str(DATA / name)).returncode == 0
    assert platform.kwartier("wait").returncode == 0
    out = tmp_path / "out.csv"
    period = ("--from", f"{year}-{month}-{day}", "--to", last, "--granularity", granularity, "--lang", language)
    done = platform.kwartier("download", "--ean", ean, *period, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == content


def days_in(content: bytes) -> int:
    """How many printed start days the file has (gas: its last calendar day belongs to the download too)."""
    return len({line.split(";")[0] for line in content.decode("utf-8-sig").splitlines()[1:]})


def test_a_second_import_is_unchanged_and_publishes_nothing(platform: Platform) -> None:
    file = str(DATA / "portal_nl_digital_quarter_weekday.csv")
    assert platform.kwartier("import", file).returncode == 0
    assert platform.kwartier("wait").returncode == 0
    before = checkpoints(platform)
    again = platform.kwartier("import", file)
    assert again.stdout.endswith(": 0 accepted, 2 unchanged, 0 refused\n")
    assert platform.kwartier("wait").returncode == 0
    assert checkpoints(platform) == before


def checkpoints(platform: Platform) -> dict[str, int]:
    """The store's next offset by partition; once `wait` is over, these are the ends of the topic."""
    store = json.loads((platform.state / "endpoints.json").read_text())["metrics"]["metering-project"]
    found = httpx.get(store.replace("/metrics", "/projections"), trust_env=False).json()["projections"]
    (block,) = (each for each in found if each["name"] == "block")
    return dict(block["checkpoints"])


def test_a_file_with_faults_names_them_and_keeps_the_rest(platform: Platform) -> None:
    done = platform.kwartier("import", str(DATA / "portal_nl_with_faults.csv"))
    assert done.returncode == 1
    assert done.stdout.endswith(": 1 accepted, 0 unchanged, 6 refused\n")
    told = [line.split("portal_nl_with_faults.csv:")[1] for line in done.stderr.splitlines()]
    assert told == [
        "11: the row has 3 columns, the header has 12",
        "12: the check digit of the EAN is wrong",
        "13: the unit 'kVArh' does not fit the register 'Afname Nacht'",
        "14: byte 0xe9 in column 130 is not UTF-8; save the file as UTF-8, not as Latin-1",
        "15: the volume is not a number with a decimal comma and three decimals",
        "194: line 193 has the same slice: nothing of that register and day is taken",
    ]


def test_quarters_of_gas_are_a_wrong_use_that_says_hour(platform: Platform) -> None:
    period = ("--from", "2022-01-10", "--to", "2022-01-12", "--granularity", "quarter")
    done = platform.kwartier("download", "--ean", "541448812345678912", *period)
    assert (done.returncode, "hour" in done.stderr) == (2, True)
