"""From the query of a request to a question that makes sense."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Literal

from fastapi import Query
from pydantic import AfterValidator, BeforeValidator

from eventlog.problems import Problem
from market.channel import Direction
from market.day import parse_day
from market.ean import Ean, parse_ean
from services.export.domain.question import Question
from services.export.domain.series import Granularity
from services.export.settings import ExportSettings

FirstDay = Annotated[date, BeforeValidator(parse_day), Query(alias="from")]
LastDay = Annotated[date, BeforeValidator(parse_day), Query(alias="to")]
PointNumber = Annotated[str, AfterValidator(parse_ean)]
DirectionName = Literal["offtake", "injection", "production", "auxiliary"]


def asked_by_query(settings: ExportSettings) -> Callable[..., Question]:
    """Return a FastAPI dependency that reads `ean`, `from`, `to`, `granularity` and `direction`."""

    def question(
        ean: PointNumber,
        granularity: Granularity,
        first_day: FirstDay,
        last_day: LastDay,
        direction: DirectionName | None = None,
    ) -> Question:
        _check_period(first_day, last_day, settings)
        return Question(
            ean=Ean(ean),
            first_day=first_day,
            last_day=last_day,
            granularity=granularity,
            direction=None if direction is None else Direction[direction.upper()],
        )

    return question


def _check_period(first_day: date, last_day: date, settings: ExportSettings) -> None:
    if first_day > last_day:
        raise Problem(400, "InvalidPeriod", "from is after to")
    if first_day < settings.oldest_day or last_day > settings.newest_day:
        raise Problem(400, "InvalidPeriod", f"days lie between {settings.oldest_day} and {settings.newest_day}")
    if (last_day - first_day).days >= settings.max_days:
        raise Problem(400, "PeriodTooLong", f"at most {settings.max_days} days at once")
