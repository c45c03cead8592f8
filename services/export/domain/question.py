"""What is asked of export, and what is found. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from market.channel import Direction, Energy, MeterKind
from market.ean import Ean
from services.export.domain.series import Granularity, Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which values are asked for; days are local (gas: gas days), both inside. `direction` None is all of them."""

    ean: Ean
    first_day: date
    last_day: date
    granularity: Granularity
    direction: Direction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The series that answer a question; `question` with whole months where it asks for months."""

    question: Question
    energy: Energy
    meter_kind: MeterKind
    series: list[Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point that has readings, between two local (gas) days, both inside."""

    ean: str
    energy: Energy
    meter_kind: str
    first_day: date
    last_day: date
