"""The end of a point: who uses it and what measures there ends with it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from eventlog.events import AccessPointClosed, Event, MeterInstalled, MeterRemoved
from market.ean import Ean
from services.register.domain import CloseAccessPoint, RegistrationRefused, fold
from services.register.domain.closing import check_replacement
from tests.examples import GAS_HOUSE, GAS_METER, HOUSE, HOUSE_METER
from tests.register_events import (
    ANNA,
    BERT,
    FREE_EAN,
    METER_INSTALLED,
    NEW_FACTORY,
    NEW_GAS_HOUSE,
    NEW_HOUSE,
    NEW_YEAR,
    closed,
    known,
    moved_in,
    moved_out,
)

OCTOBER_25 = date(2026, 10, 25)


def close(last_on: date = OCTOBER_25, *, ean: Ean = HOUSE, replaced_by: Ean | None = None) -> CloseAccessPoint:
    return CloseAccessPoint(ean=ean, last_on=last_on, replaced_by=replaced_by or "")


def test_occupancies_and_meters_end_with_the_point() -> None:
    """25 October ends in Brussels at 23:00 UTC: the clock has gone back."""
    known(*NEW_HOUSE, METER_INSTALLED, moved_in(ANNA, NEW_YEAR)).when(close()).then(
        moved_out(ANNA, OCTOBER_25),
        MeterRemoved(ean=HOUSE, meter_id=HOUSE_METER, removed_at=datetime(2026, 10, 25, 23, 0, tzinfo=UTC)),
        AccessPointClosed(ean=HOUSE, last_on=OCTOBER_25, replaced_by=""),
    )


def test_a_gas_point_ends_with_its_gas_day() -> None:
    installed = MeterInstalled(
        ean=GAS_HOUSE,
        meter_id=GAS_METER,
        meter_kind="DIGITAL",
        sequence_number=1,
        installed_at=datetime(2026, 1, 1, 5, 0, tzinfo=UTC),
    )
    known(*NEW_GAS_HOUSE, installed).when(close(ean=GAS_HOUSE)).then(
        MeterRemoved(ean=GAS_HOUSE, meter_id=GAS_METER, removed_at=datetime(2026, 10, 26, 5, 0, tzinfo=UTC)),
        AccessPointClosed(ean=GAS_HOUSE, last_on=OCTOBER_25, replaced_by=""),
    )


def test_an_earlier_end_of_an_occupancy_stays_and_a_later_one_becomes_earlier() -> None:
    earlier = (moved_in(ANNA, NEW_YEAR), moved_out(ANNA, date(2026, 3, 1)))
    known(*NEW_HOUSE, *earlier).when(close()).then(closed(OCTOBER_25))
    later = (moved_in(ANNA, NEW_YEAR), moved_out(ANNA, date(2026, 12, 31)))
    known(*NEW_HOUSE, *later).when(close()).then(moved_out(ANNA, OCTOBER_25), closed(OCTOBER_25))


def test_a_doubled_point_says_which_one_to_use_instead() -> None:
    known(*NEW_HOUSE).when(close(replaced_by=FREE_EAN)).then(
        AccessPointClosed(ean=HOUSE, last_on=OCTOBER_25, replaced_by="541448800000000055")
    )


def test_the_same_closure_again_changes_nothing_and_another_is_refused() -> None:
    known(*NEW_HOUSE, closed(OCTOBER_25)).when(close()).then()
    known(*NEW_HOUSE, closed(OCTOBER_25)).when(close(date(2026, 10, 26))).refused(
        RegistrationRefused, "closed already, otherwise"
    )


@pytest.mark.parametrize(
    ("past", "command", "words"),
    [
        ([], close(date(2025, 12, 31)), "does not exist yet"),
        ([], close(replaced_by=HOUSE), "does not replace itself"),
        ([moved_in(BERT, date(2026, 10, 26))], close(), "moves in after that day"),
    ],
)
def test_a_closure_that_does_not_fit_is_refused(past: list[Event], command: CloseAccessPoint, words: str) -> None:
    known(*NEW_HOUSE, *past).when(command).refused(RegistrationRefused, words)


def test_a_point_is_not_closed_before_its_newest_meter() -> None:
    later = MeterInstalled(
        ean=HOUSE,
        meter_id=HOUSE_METER,
        meter_kind="DIGITAL",
        sequence_number=1,
        installed_at=datetime(2026, 10, 25, 23, 0, tzinfo=UTC),
    )
    known(*NEW_HOUSE, later).when(close()).refused(RegistrationRefused, "a meter is installed after that day")


@pytest.mark.parametrize(
    ("replacement", "words"),
    [
        ([], "does not know the point"),
        ([*NEW_FACTORY, closed(OCTOBER_25)], "closed itself"),
        ([*NEW_GAS_HOUSE], "of the other energy"),
    ],
)
def test_only_a_registered_open_point_of_the_same_energy_replaces(replacement: list[Event], words: str) -> None:
    with pytest.raises(RegistrationRefused, match=words):
        check_replacement(fold(NEW_HOUSE), fold(replacement))
    check_replacement(fold(NEW_HOUSE), fold(NEW_FACTORY))
