"""The portal's only source of readings: export, asked with the token of the person who is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from services.portal.periods import Period
from services.portal.readings import Point, Readings, Unreadable, read_points, read_readings

_AWAY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class ExportAway(RuntimeError):
    """Export does not answer, or says to come back later."""


class TokenRefused(RuntimeError):
    """Export does not know the person's token (any more): sign in again."""


class NotAllowed(RuntimeError):
    """Export knows the person, and does not let them see this."""


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
        self._client = client
        self._url = url.rstrip("/")

    async def points(self, token: str) -> list[Point]:
        """All points that have readings.

        Raises:
            ExportAway, TokenRefused, NotAllowed: as they say.
        """
        try:
            return read_points((await self._get("/points", token, {})).content)
        except NoData:
            return []
        except Unreadable as error:
            raise ExportAway(str(error)) from error

    async def readings(self, token: str, ean: str, period: Period, granularity: str) -> Readings | None:
        """The series of a point over a period; None where there is nothing. Export writes it in its ledger.

        Raises:
            ExportAway, TokenRefused, NotAllowed: as they say.
        """
        query = {**_span(ean, period), "granularity": granularity}
        try:
            return read_readings((await self._get("/readings", token, query)).content)
        except NoData:
            return None
        except Unreadable as error:
            raise ExportAway(str(error)) from error

    async def csv(self, token: str, ean: str, period: Period, granularity: str, language: str) -> File:
        """The portal's CSV of a point over a period.

        Raises:
            ExportAway, TokenRefused, NotAllowed, NoData: as they say.
        """
        query = {**_span(ean, period), "granularity": granularity, "lang": language}
        answer = await self._get("/files/portal-csv", token, query)
        return File(
            body=answer.content,
            content_type=answer.headers.get("content-type", "text/csv"),
            disposition=answer.headers.get("content-disposition", "attachment"),
        )

    async def _get(self, path: str, token: str, query: Mapping[str, str]) -> httpx.Response:
        try:
            answer = await self._client.get(
                f"{self._url}{path}", params=query, headers={"Authorization": f"Bearer {token}"}
            )
        except httpx.HTTPError as error:
            raise ExportAway("export does not answer") from error
        match answer.status_code:
            case 200:
                return answer
            case 401:
                raise TokenRefused("export does not take the token")
            case 403:
                raise NotAllowed("export does not allow it")
            case 404:
                raise NoData("export has nothing")
            case status if status in _AWAY:
                raise ExportAway(f"export answered {status}")
            case status:
                raise RuntimeError(f"export answered {status} to {path}")


def _span(ean: str, period: Period) -> dict[str, str]:
    return {"ean": ean, "from": period.first_on.isoformat(), "to": period.last_on.isoformat()}
