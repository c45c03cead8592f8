"""People, points and a holder's client on the running platform, for the tests of permissions in a browser.

Days are counted back from today. `HOME` was somebody else's until six days ago, at 25 Wh a quarter; since five days ago
it is Anouk's, at 50 Wh a quarter.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from market.channel import Energy, Resolution
from market.local_time import BRUSSELS, day_start, slice_count
from stack.demo.persons import sign_in
from tests.browser_room import Platform

HOME, GAS_HOME, SHARED, LEFT, SOMEBODYS = (
    "541448800000000505",
    "541448800000000512",
    "541448800000000529",
    "541448800000000536",
    "541448800000000543",
)
ANOUK, BRAM, EARLIER = "demo-person-anouk", "demo-person-bram", "test-person-earlier"
EARLIER_WH, ANOUK_WH = 25, 50
DAYS_OF_EARLIER, DAYS_OF_ANOUK = range(9, 5, -1), range(5, 0, -1)
_DEADLINE_SECONDS: Final = 60.0
_PEOPLE: Final = ((ANOUK, "Anouk Voorbeeld"), (BRAM, "Bram Verzonnen"), (EARLIER, "Hanne Denkbeeld"))


def days_ago(count: int) -> date:
    """The local day so many days before today."""
    return datetime.now(BRUSSELS).date() - timedelta(days=count)


@dataclass(frozen=True, slots=True)
class World:
    """The platform with these people in it; `live` is the holder of the credentials file."""

    platform: Platform
    live: dict[str, Any] = field(repr=False)

    def link(
        self, reference: str, *, points: int = 3, returns: Sequence[str] = (), kind: str = "VH_kwartier_uur"
    ) -> str:
        """The id of a link that the holder's client asked for; `returns` are the two return addresses."""
        success, failed = returns or (None, None)
        question = {
            "dataAccessContractNumber": self.live["data_access_contract_number"],
            "referenceNumber": reference,
            "flow": "B2C",
            "dataServices": [{"dataServiceType": kind, "dataPeriodFrom": None, "dataPeriodTo": None}],
            "numberOfEans": points,
            "returnUrlSuccess": success,
            "returnUrlFailed": failed,
        }
        address = f"{self.live['base_url']}/api/shortUrlIdentifier"
        answer = httpx.post(address, json=question, headers=self.client_headers(), trust_env=False)
        return str(answer.raise_for_status().json()["data"]["shortUrlIdentifier"])

    def consent(
        self, reference: str, eans: Sequence[str], *, name: str = "anouk", kind: str = "VH_kwartier_uur"
    ) -> None:
        """Let that person agree to a new link of the holder, over HTTP, with the token of a sign-in of theirs."""
        address = f"{self.platform.address('mandate')}/sessions/{self.link(reference, kind=kind)}/consent"
        headers = {"Authorization": f"Bearer {sign_in(self.platform.oidc, name)}"}
        httpx.post(address, json={"eans": list(eans)}, headers=headers, trust_env=False).raise_for_status()

    def wait_until_readable(self, ean: str) -> None:
        """Wait until the holder's client gets readings of the point."""
        headers, deadline = self.client_headers(), time.monotonic() + _DEADLINE_SECONDS
        with httpx.Client(trust_env=False, timeout=30) as client:
            while self.energy(client, ean, headers).status_code != httpx.codes.OK:
                assert time.monotonic() < deadline, "not readable within the deadline"
                time.sleep(0.05)

    def energy(self, client: httpx.Client, ean: str, headers: dict[str, str]) -> httpx.Response:
        """What the holder's client is told about the last twelve days of a point."""
        query = {"ean": ean, "periodType": "readTime", "from": days_ago(12).isoformat(), "to": days_ago(0).isoformat()}
        return client.get(f"{self.live['base_url']}/api/mandate/energy", params=query, headers=headers)

    def client_headers(self) -> dict[str, str]:
        """What the holder's client sends along."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.live["client_id"],
            "client_secret": self.live["client_secret"],
            "scope": self.live["scope"],
        }
        answer = httpx.post(self.live["token_url"], data=form, trust_env=False).raise_for_status()
        return {
            "Authorization": f"Bearer {answer.json()['access_token']}",
            "Ocp-Apim-Subscription-Key": self.live["subscription_key"],
        }

    def return_root(self, root: str) -> None:
        """Let the holder's links lead back below `root`."""
        contract = f"{self.platform.address('mandate')}/contracts/{self.live['data_access_contract_number']}"
        headers = self.platform.operator("mandate/contracts.write")
        answer = httpx.post(f"{contract}/return-roots", json={"root": root}, headers=headers, trust_env=False)
        answer.raise_for_status()


def populate(platform: Platform, folder: Path) -> World:
    """Bring them in, through the front doors."""
    headers = platform.operator("register/access-points.write")
    address = f"{platform.address('register')}/bulk"
    answer = httpx.post(address, json={"commands": _commands()}, headers=headers, trust_env=False, timeout=60)
    refused = [
        each for each in answer.raise_for_status().json()["results"] if each["status"] >= httpx.codes.BAD_REQUEST
    ]
    assert refused == []
    file = folder / "home.ndjson"
    file.write_text("\n".join(map(json.dumps, _readings())) + "\n")
    platform.kwartier("import", str(file))
    platform.kwartier("wait")
    return World(platform, json.loads((platform.state / "credentials.json").read_text())["live"])


def _commands() -> list[dict[str, Any]]:
    net_users = [
        {"command": "net-user", "person_ref": ref, "name": name, "email": "x@example.org", "household": True}
        for ref, name in _PEOPLE
    ]
    points = [_point(ean, "G" if ean == GAS_HOME else "E") for ean in (HOME, GAS_HOME, SHARED, LEFT, SOMEBODYS)]
    second = {"allocation_point_id": "2", "direction": "OFFTAKE", "added_on": days_ago(400).isoformat()}
    moves = [
        (HOME, EARLIER, 400, {}),
        (HOME, ANOUK, DAYS_OF_ANOUK[0], {}),
        (GAS_HOME, ANOUK, 300, {}),
        (LEFT, ANOUK, 300, {}),
        (LEFT, EARLIER, 30, {}),
        (SHARED, ANOUK, 300, {"allocation_point_id": "1"}),
        (SHARED, BRAM, 300, {"allocation_point_id": "2"}),
        (SOMEBODYS, BRAM, 300, {}),
    ]
    return [
        *net_users,
        *(command for pair in points for command in pair),
        {"command": "allocation-point", "ean": SHARED, **second},
        *(
            {"command": "move-in", "ean": ean, "person_ref": ref, "on": days_ago(days).isoformat(), **more}
            for ean, ref, days, more in moves
        ),
    ]


def _point(ean: str, energy: str) -> list[dict[str, Any]]:
    since = days_ago(400)
    registered = {"energy": energy, "meter_kind": "DIGITAL", "registered_on": since.isoformat(), "direction": "OFFTAKE"}
    installed = {"meter_id": _meter(ean), "meter_kind": "DIGITAL"}
    installed["installed_at"] = day_start(Energy(energy), since).isoformat()
    return [{"command": "access-point", "ean": ean, **registered}, {"command": "meter", "ean": ean, **installed}]


def _readings() -> list[dict[str, Any]]:
    of_home = [(HOME, days, EARLIER_WH) for days in DAYS_OF_EARLIER] + [
        (HOME, days, ANOUK_WH) for days in DAYS_OF_ANOUK
    ]
    return [_day(*each) for each in [*of_home, (SOMEBODYS, 2, EARLIER_WH)]]


def _day(ean: str, days: int, wh: int) -> dict[str, Any]:
    day = days_ago(days)
    count = slice_count(Energy.ELECTRICITY, Resolution.QUARTER_HOURLY, day)
    return {
        "source_at": datetime.now(UTC).isoformat(),
        "ean": ean,
        "meter_id": _meter(ean),
        "meter_kind": "DIGITAL",
        "channel": "OFFTAKE_ACTIVE_QUARTER_HOURLY",
        "day": day.isoformat(),
        "values": [wh] * count,
        "quality": "MEASURED",
    }


def _meter(ean: str) -> str:
    return f"1SAG{ean[-10:]}"
