"""What the access register decides about points: which exist, and what they consist of."""

from __future__ import annotations

from datetime import date
from typing import Literal

import pytest

from eventlog.events import AccessPointRegistered, AllocationPointAdded, SubHeadPointAdded
from market.channel import Energy, MeterKind
from market.ean import Ean
from services.register.domain import (
    AddAllocationPoint,
    AddSubHeadPoint,
    NoSuchPoint,
    PointCommand,
    RegisterAccessPoint,
    RegistrationRefused,
    fold,
    stream_of,
)
from tests.examples import FACTORY, HOUSE, HOUSE_REGISTERED
from tests.register_events import (
    ANNA,
    FACTORY_SUN,
    HOUSE_ALLOCATED,
    HOUSE_INJECTS,
    NEW_FACTORY,
    NEW_HOUSE,
    NEW_YEAR,
    closed,
    known,
    moved_in,
)


def register(
    *,
    energy: Energy = Energy.ELECTRICITY,
    kind: MeterKind = MeterKind.DIGITAL,
    on: date = NEW_YEAR,
    direction: Literal["OFFTAKE", "BOTH"] = "OFFTAKE",
) -> RegisterAccessPoint:
    return RegisterAccessPoint(ean=HOUSE, energy=energy, meter_kind=kind, registered_on=on, direction=direction)


def test_an_unknown_point_is_registered_with_one_allocation_point() -> None:
    known().when(register(direction="BOTH")).then(
        AccessPointRegistered(ean=HOUSE, energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, 1)),
        AllocationPointAdded(ean=HOUSE, allocation_point_id="1", direction="BOTH", added_on=date(2026, 1, 1)),
    )


def test_the_same_registration_again_changes_nothing_also_after_other_events() -> None:
    known(*NEW_HOUSE, HOUSE_INJECTS, moved_in(ANNA, NEW_YEAR)).when(register()).then()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (register(energy=Energy.GAS), "another energy"),
        (register(kind=MeterKind.AMR), "another kind of meter"),
        (register(on=date(2026, 1, 2)), "another first day"),
        (register(direction="BOTH"), "another direction"),
    ],
)
def test_a_registered_point_stays_as_it_was_registered(command: RegisterAccessPoint, words: str) -> None:
    known(*NEW_HOUSE).when(command).refused(RegistrationRefused, words)


def test_a_point_is_not_registered_without_a_kind_of_meter() -> None:
    known().when(register(kind=MeterKind.UNKNOWN)).refused(RegistrationRefused, "must be known")


def test_a_point_has_its_own_stream() -> None:
    assert stream_of(HOUSE) == "point:541448800000000017"


def allocate(
    direction: Literal["OFFTAKE", "INJECTION", "BOTH"], *, place: str = "2", on: date = NEW_YEAR
) -> AddAllocationPoint:
    return AddAllocationPoint(ean=HOUSE, allocation_point_id=place, direction=direction, added_on=on)


def test_injection_may_have_an_allocation_point_of_its_own() -> None:
    known(*NEW_HOUSE).when(allocate("INJECTION")).then(HOUSE_INJECTS)
    known(*NEW_HOUSE, HOUSE_INJECTS).when(allocate("INJECTION")).then()


def test_charging_points_may_have_a_second_allocation_point_for_offtake_and_nothing_a_third() -> None:
    second = AllocationPointAdded(ean=HOUSE, allocation_point_id="2", direction="OFFTAKE", added_on=NEW_YEAR)
    known(*NEW_HOUSE).when(allocate("OFFTAKE")).then(second)
    known(*NEW_HOUSE, second).when(allocate("OFFTAKE", place="3")).refused(RegistrationRefused, "at most two")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (allocate("INJECTION", place="3"), "injection of the point is attributed already"),
        (allocate("BOTH", place="3"), "injection of the point is attributed already"),
        (allocate("OFFTAKE"), "it is another"),
        (allocate("OFFTAKE", place="3", on=date(2025, 12, 31)), "does not exist yet"),
    ],
)
def test_an_allocation_point_that_does_not_fit_is_refused(command: AddAllocationPoint, words: str) -> None:
    known(*NEW_HOUSE, HOUSE_INJECTS).when(command).refused(RegistrationRefused, words)


def sub_head_point(
    *,
    head: Ean = FACTORY,
    sub_ean: Ean = FACTORY_SUN,
    kind: Literal["OFFTAKE", "PRODUCTION", "AUXILIARY"] = "PRODUCTION",
    production_type: str = "SOLAR",
    on: date = NEW_YEAR,
) -> AddSubHeadPoint:
    return AddSubHeadPoint(
        ean=head,
        sub_ean=sub_ean,
        kind=kind,
        installation_id="PV-0001",
        production_type=production_type,
        added_on=on,
    )


FACTORY_SUN_ADDED = SubHeadPointAdded(
    ean=FACTORY,
    sub_ean=FACTORY_SUN,
    kind="PRODUCTION",
    sequence_number=1,
    installation_id="PV-0001",
    production_type="SOLAR",
    added_on=date(2026, 1, 1),
)


def test_an_amr_point_gets_sub_head_points_that_are_counted() -> None:
    known(*NEW_FACTORY).when(sub_head_point()).then(FACTORY_SUN_ADDED)
    known(*NEW_FACTORY, FACTORY_SUN_ADDED).when(sub_head_point()).then()
    known(*NEW_FACTORY, FACTORY_SUN_ADDED).when(
        sub_head_point(sub_ean=Ean("541448800000000062"), kind="AUXILIARY", production_type="")
    ).then(
        SubHeadPointAdded(
            ean=FACTORY,
            sub_ean=Ean("541448800000000062"),
            kind="AUXILIARY",
            sequence_number=2,
            installation_id="PV-0001",
            production_type="",
            added_on=date(2026, 1, 1),
        )
    )


def test_a_digital_point_has_no_sub_head_points() -> None:
    known(*NEW_HOUSE).when(sub_head_point(head=HOUSE)).refused(RegistrationRefused, "only an AMR point")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (sub_head_point(kind="OFFTAKE", production_type=""), "it is another"),
        (sub_head_point(sub_ean=FACTORY), "an EAN of its own"),
        (sub_head_point(sub_ean=Ean("541448800000000062"), production_type=""), "says what produces"),
        (sub_head_point(sub_ean=Ean("541448800000000062"), kind="OFFTAKE"), "says what produces"),
        (sub_head_point(sub_ean=Ean("541448800000000062"), on=date(2025, 12, 31)), "does not exist yet"),
    ],
)
def test_a_sub_head_point_that_does_not_fit_is_refused(command: AddSubHeadPoint, words: str) -> None:
    known(*NEW_FACTORY, FACTORY_SUN_ADDED).when(command).refused(RegistrationRefused, words)


def test_nothing_is_added_to_a_closed_point() -> None:
    known(*NEW_HOUSE, closed(date(2026, 6, 30))).when(allocate("INJECTION")).refused(RegistrationRefused, "is closed")


@pytest.mark.parametrize("command", [allocate("INJECTION"), sub_head_point(head=HOUSE)])
def test_an_unknown_point_has_no_parts(command: PointCommand) -> None:
    known().when(command).refused(NoSuchPoint, "register it first")


def test_what_is_registered_is_what_the_events_say() -> None:
    state = fold([*NEW_HOUSE, HOUSE_INJECTS])
    assert state.registration == HOUSE_REGISTERED
    assert state.allocation_points == (HOUSE_ALLOCATED, HOUSE_INJECTS)
