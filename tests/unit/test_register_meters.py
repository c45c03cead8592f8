"""Meters of a point: one at a time, half-open periods, swapped at any instant of a day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from eventlog.events import MeterInstalled, MeterRemoved
from market.channel import MeterKind
from market.ean import Ean
from services.register.domain import InstallMeter, PointCommand, RegistrationRefused, SwapMeter
from tests.examples import GAS_HOUSE, HOUSE, HOUSE_METER
from tests.register_events import METER_INSTALLED, METER_INSTALLED_AT, NEW_GAS_HOUSE, NEW_HOUSE, closed, known

NEXT_METER = "1SAG0000000002"
INSIDE_A_DAY = datetime(2026, 11, 19, 9, 20, tzinfo=UTC)
SWAPPED = (
    MeterRemoved(ean=HOUSE, meter_id=HOUSE_METER, removed_at=INSIDE_A_DAY),
    MeterInstalled(ean=HOUSE, meter_id=NEXT_METER, meter_kind="DIGITAL", sequence_number=2, installed_at=INSIDE_A_DAY),
)


def install(
    meter_id: str = HOUSE_METER,
    at: datetime = METER_INSTALLED_AT,
    *,
    ean: Ean = HOUSE,
    kind: MeterKind = MeterKind.DIGITAL,
) -> InstallMeter:
    return InstallMeter(ean=ean, meter_id=meter_id, meter_kind=kind, installed_at=at)


def swap(
    meter_id: str = NEXT_METER, at: datetime = INSIDE_A_DAY, *, removed: str = "", kind: MeterKind = MeterKind.DIGITAL
) -> SwapMeter:
    return SwapMeter(ean=HOUSE, meter_id=meter_id, meter_kind=kind, swapped_at=at, removed_meter_id=removed)


def test_a_point_gets_its_first_meter_once() -> None:
    known(*NEW_HOUSE).when(install()).then(METER_INSTALLED)
    known(*NEW_HOUSE, METER_INSTALLED).when(install()).then()


def test_a_meter_may_measure_from_the_first_instant_of_the_point_and_not_before() -> None:
    """1 January begins in Brussels at 23:00 UTC of the day before, its gas day at 05:00 UTC."""
    first = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)
    known(*NEW_HOUSE).when(install(at=first)).then(
        MeterInstalled(ean=HOUSE, meter_id=HOUSE_METER, meter_kind="DIGITAL", sequence_number=1, installed_at=first)
    )
    before = datetime(2025, 12, 31, 22, 59, 59, tzinfo=UTC)
    known(*NEW_HOUSE).when(install(at=before)).refused(RegistrationRefused, "does not exist yet")
    before_the_gas_day = datetime(2026, 1, 1, 4, 59, tzinfo=UTC)
    known(*NEW_GAS_HOUSE).when(install(at=before_the_gas_day, ean=GAS_HOUSE)).refused(
        RegistrationRefused, "does not exist yet"
    )


def test_a_swap_inside_a_day_is_a_removal_and_an_installation_at_the_same_instant() -> None:
    known(*NEW_HOUSE, METER_INSTALLED).when(swap()).then(*SWAPPED)
    known(*NEW_HOUSE, METER_INSTALLED).when(swap(removed=HOUSE_METER)).then(*SWAPPED)


def test_the_same_swap_again_changes_nothing_nor_does_the_installation_before_it() -> None:
    after = known(*NEW_HOUSE, METER_INSTALLED, *SWAPPED)
    after.when(swap()).then()
    after.when(swap(removed=HOUSE_METER)).then()
    after.when(install()).then()


def test_a_swap_may_bring_another_kind_of_meter() -> None:
    known(*NEW_HOUSE, METER_INSTALLED).when(swap(kind=MeterKind.AMR)).then(
        SWAPPED[0],
        MeterInstalled(ean=HOUSE, meter_id=NEXT_METER, meter_kind="AMR", sequence_number=2, installed_at=INSIDE_A_DAY),
    )


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (install(NEXT_METER, INSIDE_A_DAY), "swap it"),
        (install(NEXT_METER, kind=MeterKind.UNKNOWN), "must be known"),
        (swap(removed="1SAG0000000009"), "another meter than the one to be removed"),
        (swap(at=METER_INSTALLED_AT), "was installed at that instant or after it"),
        (swap(HOUSE_METER), "has measured here before"),
    ],
)
def test_a_meter_that_does_not_fit_is_refused(command: PointCommand, words: str) -> None:
    known(*NEW_HOUSE, METER_INSTALLED).when(command).refused(RegistrationRefused, words)


def test_there_is_nothing_to_swap_where_no_meter_measures() -> None:
    known(*NEW_HOUSE).when(swap()).refused(RegistrationRefused, "install one")


def test_after_a_time_without_a_meter_the_next_is_installed_not_before_its_end() -> None:
    without = known(*NEW_HOUSE, METER_INSTALLED, SWAPPED[0])
    without.when(install(NEXT_METER, datetime(2026, 11, 19, 9, 19, tzinfo=UTC))).refused(
        RegistrationRefused, "measured here at that instant"
    )
    without.when(install(NEXT_METER, INSIDE_A_DAY)).then(SWAPPED[1])


def test_meters_of_a_closed_point_stay_as_they_were() -> None:
    known(*NEW_HOUSE, METER_INSTALLED, closed(date(2026, 12, 31))).when(swap()).refused(
        RegistrationRefused, "is closed"
    )
