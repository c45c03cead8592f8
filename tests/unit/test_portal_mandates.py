"""Links and mandates as mandate answers them, and how they are put together for people."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from market.channel import Energy
from services.portal.groups import holder_groups, own_groups
from services.portal.mandates import (
    DataService,
    Mandate,
    UnreadableMandate,
    gives_days_alone,
    read_link,
    read_mandates,
    three_years_on,
)
from services.portal.own_points import OwnPoint, UnreadableRegister, not_allowed_yet, read_own_points

HOME, GAS_HOME, OTHER = "541448800000000017", "541448800000000024", "541448800000000031"
NOON = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
LINK = {
    "session_id": "aaaaaaaaaaaaaaaaaaaaaa",
    "state": "open",
    "contract_number": "1234567890",
    "holder_kbo": "0999975176",
    "holder_name": "Energiecoach Voorbeeld BV",
    "reference_number": "REF-1",
    "flow": "B2C",
    "services": [{"type": "VH_dag", "from": "2026-01-01", "to": None}],
    "number_of_eans": 2,
    "return_url_success": "https://holder.example/done",
    "return_url_failed": "https://holder.example/failed",
    "enterprise_number": "",
    "valid_to": "2026-12-04T11:00:00Z",
}
GRANTED = {
    "ean": HOME,
    "mandate_id": "11111111-1111-4111-8111-111111111111",
    "contract_number": "1234567890",
    "holder_kbo": "0999975176",
    "holder_name": "Energiecoach Voorbeeld BV",
    "reference_number": "REF-1",
    "data_service_type": "VH_kwartier_uur",
    "data_period_from": None,
    "data_period_to": "2027-12-31",
    "status": "Approved",
    "renewal_status": None,
    "is_active": True,
    "granted_at": "2026-11-20T23:30:00Z",
    "expires_at": "2029-11-21T23:00:00Z",
    "withdrawn_at": None,
    "ends_on": None,
    "end_reason": None,
}


def mandate(**more: Any) -> Mandate:
    (found,) = read_mandates(json.dumps({"mandates": [{**GRANTED, **more}], "has_more": False}).encode())
    return found


def own(ean: str, first_on: date, last_on: date | None = None, **more: Any) -> OwnPoint:
    return OwnPoint(
        **{"energy": Energy.ELECTRICITY, "meter_kind": "DIGITAL", "is_whole": True, **more},
        ean=ean,
        first_on=first_on,
        last_on=last_on,
    )


def test_a_link_is_read_as_it_was_asked() -> None:
    link = read_link(json.dumps(LINK).encode())
    assert link.services == (DataService(type="VH_dag", first_on=date(2026, 1, 1), last_on=None),)
    assert (link.kbo, link.reference, link.point_limit) == ("0999975176", "REF-1", 2)
    assert link.holder_name == "Energiecoach Voorbeeld BV"
    assert link.return_success == "https://holder.example/done"
    assert link.last_day == date(2026, 12, 4)


def test_a_link_that_ends_at_midnight_is_good_on_the_day_before() -> None:
    link = read_link(json.dumps({**LINK, "valid_to": "2026-12-03T23:00:00Z"}).encode())
    assert link.last_day == date(2026, 12, 3)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        json.dumps({**LINK, "services": [{"type": "VH_all", "from": None, "to": None}]}).encode(),
        json.dumps({**LINK, "valid_to": "soon"}).encode(),
    ],
)
def test_a_link_in_a_foreign_shape_is_not_guessed_at(body: bytes) -> None:
    with pytest.raises(UnreadableMandate):
        read_link(body)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"mandates": [{}]}'])
def test_mandates_in_a_foreign_shape_are_not_guessed_at(body: bytes) -> None:
    with pytest.raises(UnreadableMandate):
        read_mandates(body)


def test_a_mandate_runs_from_the_local_day_it_was_given_to_the_day_before_its_midnight() -> None:
    found = mandate()
    assert (found.since, found.until) == (date(2026, 11, 21), date(2029, 11, 21))
    assert found.mandate_id == UUID("11111111-1111-4111-8111-111111111111")
    assert found.service.last_on == date(2027, 12, 31)


@pytest.mark.parametrize(
    ("more", "state", "until"),
    [
        ({}, "active", date(2029, 11, 21)),
        ({"renewal_status": "ToBeRenewed"}, "renew", date(2029, 11, 21)),
        ({"ends_on": "2026-12-01", "end_reason": "CUSTOMER_SWITCH"}, "ending", date(2026, 11, 30)),
        (
            {"is_active": False, "withdrawn_at": "2026-11-24T23:30:00Z", "end_reason": "WITHDRAWN"},
            "over_WITHDRAWN",
            date(2029, 11, 21),
        ),
        (
            {"is_active": False, "ends_on": "2026-11-25", "end_reason": "POINT_CLOSED"},
            "over_POINT_CLOSED",
            date(2026, 11, 24),
        ),
        ({"is_active": False}, "over_EXPIRED", date(2029, 11, 21)),
    ],
)
def test_a_mandate_says_how_it_stands(more: dict[str, Any], state: str, until: date) -> None:
    found = mandate(**more)
    assert (found.state, found.until) == (state, until)


@pytest.mark.parametrize(
    ("more", "day"),
    [
        # half past midnight in Brussels, and before an end that had been told
        ({"withdrawn_at": "2026-11-24T23:30:00Z", "ends_on": "2026-12-01"}, date(2026, 11, 25)),
        ({"ends_on": "2026-12-01"}, date(2026, 12, 1)),
        ({}, date(2029, 11, 21)),
    ],
)
def test_a_mandate_says_on_which_day_it_was_over(more: dict[str, Any], day: date) -> None:
    assert mandate(**more).over_on == day


@pytest.mark.parametrize(
    ("kind", "opens_slices"),
    [("VH_kwartier_uur", True), ("VH_onbepaald", True), ("VH_dag", False), ("IG", False)],
)
def test_day_totals_and_data_of_the_installation_open_no_quarters(kind: str, opens_slices: bool) -> None:
    assert mandate(data_service_type=kind).opens_slices is opens_slices


def test_only_what_is_active_can_give_more_than_days() -> None:
    days, quarters = mandate(data_service_type="VH_dag"), mandate()
    assert gives_days_alone([days, mandate(is_active=False)])
    assert not gives_days_alone([days, quarters])
    assert not gives_days_alone([mandate(data_service_type="VH_dag", is_active=False)])
    assert not gives_days_alone([])


def test_three_years_on_is_the_same_day_or_the_last_of_february() -> None:
    assert three_years_on(date(2026, 11, 20)) == date(2029, 11, 20)
    assert three_years_on(date(2028, 2, 29)) == date(2031, 2, 28)


def test_own_points_are_read_with_their_days() -> None:
    entry = {"ean": HOME, "energy": "E", "meter_kind": "DIGITAL", "is_whole": True, "first_on": "2026-01-01"}
    body = json.dumps({"net_user_ids": [], "points": [{**entry, "last_on": None}]}).encode()
    assert read_own_points(body) == [own(HOME, date(2026, 1, 1))]
    with pytest.raises(UnreadableRegister):
        read_own_points(b'{"points": [{}]}')


def test_only_who_is_there_now_alone_with_a_meter_that_can_be_read_may_allow_it() -> None:
    now = own(HOME, date(2026, 11, 20), date(2026, 11, 20))
    shared, classic = (
        own(OTHER, date(2026, 1, 1), **more) for more in ({"is_whole": False}, {"meter_kind": "CLASSIC"})
    )
    before, later = own(HOME, date(2026, 1, 1), date(2026, 11, 19)), own(HOME, date(2026, 11, 21))
    assert [each.can_be_allowed(NOON) for each in (now, shared, classic, before, later)] == [True, *[False] * 4]
    assert not_allowed_yet([now, shared, classic, before, later], NOON) == [shared, classic]


def test_a_gas_day_begins_at_six() -> None:
    five = datetime(2026, 11, 20, 4, 59, tzinfo=UTC)
    gas = own(GAS_HOME, date(2026, 11, 20), energy=Energy.GAS)
    assert not gas.is_now(five)
    assert gas.is_now(datetime(2026, 11, 20, 5, 0, tzinfo=UTC))


def test_a_net_users_points_are_grouped_with_who_reads_them_and_those_of_now_come_first() -> None:
    old = own(HOME, date(2025, 1, 1), date(2025, 12, 31))
    points = [own(OTHER, date(2026, 1, 1)), old, own(GAS_HOME, date(2026, 1, 1))]
    active, over = mandate(ean=GAS_HOME), mandate(ean=GAS_HOME, is_active=False, end_reason="WITHDRAWN")
    groups = own_groups(points, [over, active], {OTHER}, NOON)
    assert [(each.ean, each.is_now, each.has_readings) for each in groups] == [
        (GAS_HOME, True, False),
        (OTHER, True, True),
        (HOME, False, False),
    ]
    assert (groups[0].active, groups[0].over) == ((active,), (over,))
    assert groups[2].stays == (old,)


def test_a_mandate_on_a_point_that_the_register_no_longer_names_still_shows() -> None:
    (group,) = own_groups([], [mandate()], set(), NOON)
    assert (group.ean, group.stays, group.is_now, len(group.active)) == (HOME, (), False, 1)


def test_a_holder_sees_first_what_ends_first() -> None:
    late = mandate(renewal_status="ToBeRenewed", expires_at="2027-02-01T23:00:00Z")
    soon = mandate(renewal_status="ToBeRenewed", expires_at="2027-01-01T23:00:00Z", ean=OTHER)
    ending = mandate(ends_on="2026-12-01", end_reason="CUSTOMER_SWITCH", renewal_status="ToBeRenewed")
    over = mandate(is_active=False)
    groups = holder_groups([over, late, ending, soon])
    assert (groups.renew, groups.active, groups.over) == ((soon, late), (ending,), (over,))
