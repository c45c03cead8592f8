"""What the access register decides."""

from __future__ import annotations

from datetime import date

from eventlog.events import AccessPointRegistered
from market.channel import Energy, MeterKind
from services.register.domain import RegisterAccessPoint, RegistrationRefused, decide, fold, stream_of
from tests.examples import HOUSE, HOUSE_REGISTERED
from tests.spec import given


def register(
    *, energy: Energy = Energy.ELECTRICITY, kind: MeterKind = MeterKind.DIGITAL, on: date = date(2026, 1, 1)
) -> RegisterAccessPoint:
    return RegisterAccessPoint(ean=HOUSE, energy=energy, meter_kind=kind, registered_on=on)


def test_an_unknown_point_is_registered() -> None:
    given(decide, fold).when(register()).then(
        AccessPointRegistered(ean=HOUSE, energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, 1))
    )


def test_the_same_registration_again_changes_nothing() -> None:
    given(decide, fold, [HOUSE_REGISTERED]).when(register()).then()


def test_a_registered_point_keeps_its_energy() -> None:
    given(decide, fold, [HOUSE_REGISTERED]).when(register(energy=Energy.GAS)).refused(
        RegistrationRefused, "another energy"
    )


def test_a_registered_point_keeps_its_kind_of_meter() -> None:
    given(decide, fold, [HOUSE_REGISTERED]).when(register(kind=MeterKind.AMR)).refused(
        RegistrationRefused, "another kind of meter"
    )


def test_a_registered_point_keeps_its_first_day() -> None:
    given(decide, fold, [HOUSE_REGISTERED]).when(register(on=date(2026, 1, 2))).refused(
        RegistrationRefused, "another first day"
    )


def test_a_point_is_not_registered_without_a_kind_of_meter() -> None:
    given(decide, fold).when(register(kind=MeterKind.UNKNOWN)).refused(RegistrationRefused, "must be known")


def test_a_point_has_its_own_stream() -> None:
    assert stream_of(HOUSE) == "point:541448800000000017"
