"""Export's way to metering's values; nobody else has one."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Final

import httpx
from pydantic import TypeAdapter, ValidationError

from eventlog.problems import Problem
from eventlog.trust import ServiceToken
from market.ean import Ean
from services.export.arrow_blocks import UnknownBlocks, read_blocks
from services.export.domain.question import Point
from services.export.domain.series import Block
from services.export.energy.columns import Block as PackedBlock
from services.export.energy.columns import DamagedBlocks
from services.export.energy.columns import read_blocks as read_packed_blocks

_SCOPE: Final = "blocks.read"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Points:
    points: list[Point]


_POINTS: Final = TypeAdapter(_Points)


class MeteringUnavailable(Problem):
    """Metering cannot be asked now: 503 to whoever asks us."""

    def __init__(self) -> None:
        super().__init__(
            503, "MeteringUnavailable", "the readings cannot be reached now; try again", headers={"Retry-After": "2"}
        )


class AnswerTooLarge(Problem):
    """Metering has more for this question than we may hold in memory: 400."""

    def __init__(self) -> None:
        super().__init__(400, "TooMuchData", "too many readings for one answer; ask for a shorter period")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringClient:
    """Asks metering as the service export; `http` has the timeouts and lives as long as the process."""

    base_url: str
    token: ServiceToken
    http: httpx.AsyncClient
    max_bytes: int

    async def blocks(self, ean: Ean, first_day: date, last_day: date) -> list[Block]:
        """Return the current blocks of a point; days (gas: gas days) inclusive.

        Raises:
            MeteringUnavailable: it does not answer, or not as agreed.
            AnswerTooLarge: the answer is longer than the setting allows.
        """
        query = {"ean": ean, "from": first_day.isoformat(), "to": last_day.isoformat()}
        body = await self._get("/blocks", query)
        try:
            return await asyncio.to_thread(read_blocks, body)
        except UnknownBlocks as error:
            _log.exception("metering answered what cannot be read")
            raise MeteringUnavailable from error

    async def energy_blocks(
        self, ean: Ean, first_day: date, last_day: date, *, changed_after: datetime | None = None
    ) -> list[PackedBlock]:
        """Return the same, packed. With `changed_after` only of days on which something was recorded after that
        instant, and only once everything that was appended until now is among them.

        Raises:
            MeteringUnavailable, AnswerTooLarge: as `blocks`; also where the store is behind.
        """
        query = {"ean": ean, "from": first_day.isoformat(), "to": last_day.isoformat()}
        if changed_after is not None:
            query["changed_after"] = changed_after.astimezone(UTC).isoformat()
        body = await self._get("/blocks", query)
        try:
            return await asyncio.to_thread(read_packed_blocks, body)
        except DamagedBlocks as error:
            _log.exception("metering answered what cannot be read")
            raise MeteringUnavailable from error

    async def points(self) -> list[Point]:
        """Return every point that has readings.

        Raises:
            MeteringUnavailable: it does not answer, or not as agreed.
            AnswerTooLarge: the answer is longer than the setting allows.
        """
        body = await self._get("/points", {})
        try:
            return _POINTS.validate_json(body).points
        except ValidationError as error:
            _log.error("metering answered what cannot be read: %d errors", error.error_count())
            raise MeteringUnavailable from error

    async def _get(self, path: str, query: dict[str, str]) -> bytes:
        try:
            bearer = await self.token.bearer("metering", _SCOPE)
            headers = {"Authorization": f"Bearer {bearer}"}
            async with self.http.stream("GET", f"{self.base_url}{path}", params=query, headers=headers) as answer:
                if answer.status_code != HTTPStatus.OK:
                    _log.error("metering answered %d to %s", answer.status_code, path)
                    raise MeteringUnavailable
                return await self._read(answer)
        except httpx.HTTPError as error:
            _log.warning("metering or the token issuer cannot be reached: %s", type(error).__name__)
            raise MeteringUnavailable from error

    async def _read(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > self.max_bytes:
                raise AnswerTooLarge
        return bytes(body)
