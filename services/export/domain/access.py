"""What may leave: the one place that says so. Pure.

Every answer, file and page about readings is cut by `allowed` (or `own`, for the net user himself), with what the
events of mandate and register say at that moment and with the clock, whether or not mandate's ending events arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from market.channel import Energy
from market.local_time import BRUSSELS, day_start
from services.export.domain.intervals import BEGINNING, END, Interval, Intervals, intersection, union
from services.export.domain.permissions import Mandate, PointFacts

KEPT_YEARS: Final = 3
_FIRST_DAY: Final = date(1900, 1, 1)  # a calendar before it is nobody's, and its instants cannot all be written
_ONE_DAY: Final = timedelta(days=1)


class Detail(StrEnum):
    """How fine the values are: day totals, or the slices of the meter (gas: hours, electricity: quarter-hours)."""

    DAILY = "daily"
    SLICES = "hourly_quarterhourly"


OPENED_BY: Final[Mapping[str, frozenset[Detail]]] = {
    "VH_onbepaald": frozenset(Detail),
    "VH_kwartier_uur": frozenset(Detail),
    "VH_dag": frozenset({Detail.DAILY}),
    "IG": frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a holder asks of one point: values measured in [start, end), None for no bound of its own; `details` None
    for all that is allowed; `reference_number` None for any mandate."""

    holder_kbo: str
    start: datetime | None = None
    end: datetime | None = None
    details: frozenset[Detail] | None = None
    reference_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What may leave: a value leaves if its slice lies wholly in one of the intervals of its detail.

    `mandate_ids` are the mandates in force that were looked at; without one, nobody asked by right.
    """

    intervals: Mapping[Detail, Intervals]
    mandate_ids: tuple[UUID, ...] = ()

    @property
    def is_nothing(self) -> bool:
        return not any(self.intervals.values())


def allowed(facts: PointFacts, asked: Asked, now: datetime) -> Allowed:
    """Return what `asked` may have of the point at the instant `now`."""
    mandates = [each for each in facts.mandates if _is_in_force(each, facts, asked, now)]
    wanted = frozenset(Detail) if asked.details is None else asked.details
    intervals = {
        detail: union(
            interval
            for mandate in mandates
            if detail in OPENED_BY[mandate.data_service_type]
            for interval in _data_of(mandate, facts, asked, now)
        )
        for detail in Detail
        if detail in wanted
    }
    return Allowed(intervals=intervals, mandate_ids=tuple(sorted(each.mandate_id for each in mandates)))


def own(facts: PointFacts, net_user_ids: frozenset[UUID], now: datetime) -> Intervals:
    """Return when somebody known as any of `net_user_ids` used the whole point, as far back as readings are kept."""
    stays = union(interval for each in net_user_ids for interval in occupied(facts, each))
    return intersection(stays, [_kept(facts.energy, now)])


def occupied(facts: PointFacts, net_user_id: UUID) -> Intervals:
    """Return when `net_user_id` was the net user on every allocation point that there was."""
    if not facts.allocation_points:
        return ()
    first = min(each.added_on for each in facts.allocation_points)
    constraints = [[(_start(facts.energy, first), END)]]
    for point in facts.allocation_points:
        stays = [
            _days(facts.energy, stay.first_on, stay.last_on)
            for stay in facts.occupancies
            if (stay.allocation_point_id, stay.net_user_id) == (point.allocation_point_id, net_user_id)
        ]
        constraints.append([(BEGINNING, _start(facts.energy, point.added_on)), *stays])
    return intersection(*(union(each) for each in constraints))


def _is_in_force(mandate: Mandate, facts: PointFacts, asked: Asked, now: datetime) -> bool:
    """Whether the mandate is the asker's, about this point, and gives access at `now` to anything measured."""
    if mandate.holder_kbo != asked.holder_kbo or mandate.ean != facts.ean:
        return False
    if asked.reference_number is not None and mandate.reference_number != asked.reference_number:
        return False
    is_now = not mandate.is_over and mandate.granted_at <= now < min(
        mandate.expires_at, _ends_at(mandate, facts.energy)
    )
    return is_now and bool(OPENED_BY.get(mandate.data_service_type)) and _has_contract(mandate, facts, now)


def _has_contract(mandate: Mandate, facts: PointFacts, now: datetime) -> bool:
    today = now.astimezone(BRUSSELS).date()
    return any(
        each.contract_number == mandate.contract_number
        and each.holder_kbo == mandate.holder_kbo
        and each.is_in_force(today)
        for each in facts.contracts
    )


def _data_of(mandate: Mandate, facts: PointFacts, asked: Asked, now: datetime) -> Intervals:
    """Return when what the mandate opens was measured, of what is asked."""
    energy = facts.energy
    return intersection(
        [(asked.start or BEGINNING, asked.end or END)],
        [_days(energy, mandate.data_period_from, mandate.data_period_to)],
        [(_start(energy, mandate.occupied_from), _ends_at(mandate, energy))],
        occupied(facts, mandate.net_user_id),
        [_kept(energy, now)],
    )


def _ends_at(mandate: Mandate, energy: Energy) -> datetime:
    return END if mandate.ends_on is None else _start(energy, mandate.ends_on)


def _days(energy: Energy, first: date | None, last: date | None) -> Interval:
    start = BEGINNING if first is None else _start(energy, first)
    return start, END if last is None or last == date.max else _start(energy, last + _ONE_DAY)


def _start(energy: Energy, day: date) -> datetime:
    return day_start(energy, day) if day >= _FIRST_DAY else BEGINNING


def _kept(energy: Energy, now: datetime) -> Interval:
    """From three years before the local day of `now`: older readings are clipped."""
    today = now.astimezone(BRUSSELS).date()
    try:
        oldest = today.replace(year=today.year - KEPT_YEARS)
    except ValueError:  # 29 February
        oldest = today.replace(year=today.year - KEPT_YEARS, day=28)
    return day_start(energy, oldest), END
