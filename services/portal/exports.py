"""The portal's only source of readings: export, asked with the token of the person who is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from services.portal.neighbours import Neighbour, ServiceAway
from services.portal.periods import Period
from services.portal.readings import Point, Readings, Unreadable, read_points, read_readings

SERVICE: Final = "export"
_NO_DATA: Final = 404


class NoData(RuntimeError):
    """Export has nothing for this point and period."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to download, byte for byte as export made it."""

    body: bytes
    content_type: str
    disposition: str


class Export:
    """Export over HTTP."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._export = Neighbour(client, SERVICE, url)

    async def points(self, token: str) -> list[Point]:
        """The points whose readings the person may see, and that have some.

        Raises:
            ServiceAway, TokenRefused, NotAllowed: as they say.
        """
        try:
            return read_points((await self._get("/points", token, {})).content)
        except NoData:
            return []
        except Unreadable as error:
            raise ServiceAway(SERVICE, str(error)) from error

    async def readings(self, token: str, ean: str, period: Period, granularity: str) -> Readings | None:
        """The series of a point over a period; None where there is nothing. Export writes it in its ledger.

        Raises:
            ServiceAway, TokenRefused, NotAllowed: as they say.
        """
        query = {**_span(ean, period), "granularity": granularity}
        try:
            return read_readings((await self._get("/readings", token, query)).content)
        except NoData:
            return None
        except Unreadable as error:
            raise ServiceAway(SERVICE, str(error)) from error

    async def csv(self, token: str, ean: str, period: Period, granularity: str, language: str) -> File:
        """The portal's CSV of a point over a period.

        Raises:
            ServiceAway, TokenRefused, NotAllowed, NoData: as they say.
        """
        query = {**_span(ean, period), "granularity": granularity, "lang": language}
        answer = await self._get("/files/portal-csv", token, query)
        return File(
            body=answer.content,
            content_type=answer.headers.get("content-type", "text/csv"),
            disposition=answer.headers.get("content-disposition", "attachment"),
        )

    async def _get(self, path: str, token: str, query: Mapping[str, str]) -> httpx.Response:
        answer = await self._export.ask("GET", path, token, expected=(200, _NO_DATA), params=query)
        if answer.status_code == _NO_DATA:
            raise NoData("export has nothing")
        return answer


def _span(ean: str, period: Period) -> dict[str, str]:
    return {"ean": ean, "from": period.first_on.isoformat(), "to": period.last_on.isoformat()}
