"""What mandate decides about the mandates of a point: grant, withdraw, end, signal, expire."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from eventlog.events import (
    AccessPointClosed,
    Event,
    MandateEnded,
    MandateExpired,
    MandateGranted,
    MandateToBeRenewed,
    MandateWithdrawn,
    NetUserMovedIn,
    NetUserMovedOut,
)
from services.mandate.domain.decision import (
    EndForContract,
    EndForSwitch,
    GrantMandate,
    NoSuchMandate,
    PassTime,
    WithdrawMandate,
    decide,
)
from services.mandate.domain.mandate import evolve, fold, stream_of
from services.mandate.domain.session import RequestedService
from services.mandate.domain.switch import EndReason, Switch, switch_of
from tests.examples import CONTRACT_SIGNED, HOUSE, HOUSE_REGISTERED, NOON
from tests.mandate_examples import (
    GRANTED,
    LATER,
    MANDATE_ID,
    NET_USER,
    OTHER_MANDATE_ID,
    OTHER_NET_USER,
    SESSION_OPENED,
)
from tests.spec import given

TOMORROW = LATER + timedelta(days=1)
RENEWAL = datetime(2029, 8, 20, 22, 0, tzinfo=UTC)
EXPIRY = datetime(2029, 11, 20, 23, 0, tzinfo=UTC)
WITHDRAWN = MandateWithdrawn(ean=HOUSE, mandate_id=MANDATE_ID, withdrawn_at=TOMORROW)
RENEWABLE = MandateToBeRenewed(ean=HOUSE, mandate_id=MANDATE_ID, signalled_at=RENEWAL)
EXPIRED = MandateExpired(ean=HOUSE, mandate_id=MANDATE_ID, expired_at=EXPIRY)
GRANT = GrantMandate(
    ean=HOUSE,
    mandate_id=MANDATE_ID,
    session=SESSION_OPENED,
    service=RequestedService(type="VH_kwartier_uur", first_day=date(2026, 1, 1)),
    net_user_id=NET_USER,
    occupied_from=date(2026, 3, 1),
    switches=(),
    now=LATER,
)


def ended(ends_on: date, reason: EndReason = "CUSTOMER_SWITCH", *, ended_at: datetime = TOMORROW) -> MandateEnded:
    return MandateEnded(ean=HOUSE, mandate_id=MANDATE_ID, reason=reason, ends_on=ends_on, ended_at=ended_at)


def withdraw(*net_user_ids: UUID, mandate_id: UUID = MANDATE_ID) -> WithdrawMandate:
    return WithdrawMandate(mandate_id=mandate_id, net_user_ids=frozenset(net_user_ids), now=TOMORROW)


def after(event: Event, *, now: datetime = TOMORROW) -> EndForSwitch:
    switch = switch_of(event)
    assert switch is not None
    return EndForSwitch(switch=switch, now=now)


def moved_out(last_on: date, net_user_id: UUID = NET_USER, place: str = "1") -> NetUserMovedOut:
    return NetUserMovedOut(ean=HOUSE, allocation_point_id=place, net_user_id=net_user_id, last_on=last_on)


def moved_in(on: date, net_user_id: UUID = OTHER_NET_USER) -> NetUserMovedIn:
    return NetUserMovedIn(ean=HOUSE, allocation_point_id="1", net_user_id=net_user_id, moved_in_on=on)


def closed(last_on: date) -> AccessPointClosed:
    return AccessPointClosed(ean=HOUSE, last_on=last_on, replaced_by="")


def test_a_mandate_is_granted_for_three_years() -> None:
    given(decide, fold).when(GRANT).then(GRANTED)
    assert stream_of(HOUSE) == "point:541448800000000017"


def test_a_move_known_already_ends_the_mandate_from_the_start() -> None:
    move = Switch(ean=HOUSE, kind="DEPARTURE", net_user_id=NET_USER, first_day=date(2027, 1, 1))
    closure = Switch(ean=HOUSE, kind="CLOSURE", net_user_id=None, first_day=date(2026, 12, 1))
    given(decide, fold).when(replace(GRANT, switches=(move, closure))).then(
        GRANTED, ended(date(2026, 12, 1), "POINT_CLOSED", ended_at=LATER)
    )


def test_the_net_user_withdraws() -> None:
    given(decide, fold, [GRANTED]).when(withdraw(NET_USER)).then(WITHDRAWN)


def test_a_mandate_of_another_is_the_same_as_none() -> None:
    for wish in (withdraw(OTHER_NET_USER), withdraw(), withdraw(NET_USER, mandate_id=OTHER_MANDATE_ID)):
        given(decide, fold, [GRANTED]).when(wish).refused(NoSuchMandate, "there is no such mandate of yours")


@pytest.mark.parametrize("over", [WITHDRAWN, EXPIRED, ended(date(2026, 11, 21))])
def test_what_is_over_is_not_withdrawn_again(over: Event) -> None:
    given(decide, fold, [GRANTED, over]).when(withdraw(NET_USER)).then()


def test_what_ends_on_a_day_ahead_can_still_be_withdrawn() -> None:
    given(decide, fold, [GRANTED, ended(date(2026, 12, 1))]).when(withdraw(NET_USER)).then(WITHDRAWN)


@pytest.mark.parametrize(
    ("last_on", "ends_on"),
    [
        (date(2026, 11, 20), date(2026, 11, 21)),
        (date(2027, 1, 31), date(2027, 2, 1)),  # announced ahead
        (date(2026, 10, 31), date(2026, 11, 1)),  # known too late: it ends from its day
    ],
)
def test_a_move_out_ends_the_mandate_from_the_day_after(last_on: date, ends_on: date) -> None:
    given(decide, fold, [GRANTED]).when(after(moved_out(last_on))).then(ended(ends_on))


def test_a_move_in_of_another_ends_the_mandate_from_that_day() -> None:
    given(decide, fold, [GRANTED]).when(after(moved_in(date(2026, 12, 1)))).then(ended(date(2026, 12, 1)))


@pytest.mark.parametrize(
    "event",
    [
        moved_out(date(2026, 2, 28)),  # an earlier time of the same net user
        moved_out(date(2026, 12, 31), OTHER_NET_USER),
        moved_in(date(2025, 1, 1)),  # somebody before
        moved_in(date(2026, 3, 1), NET_USER),
        moved_in(date(2026, 12, 1), NET_USER),
    ],
)
def test_other_moves_end_nothing(event: Event) -> None:
    given(decide, fold, [GRANTED]).when(after(event)).then()


def test_a_closure_ends_the_mandate_and_says_so_also_after_the_move_out_that_goes_with_it() -> None:
    day = date(2026, 12, 1)
    closure = closed(date(2026, 11, 30))
    given(decide, fold, [GRANTED]).when(after(closure)).then(ended(day, "POINT_CLOSED"))
    given(decide, fold, [GRANTED, ended(day)]).when(after(closure)).then(ended(day, "POINT_CLOSED"))
    given(decide, fold, [GRANTED, ended(day, "POINT_CLOSED")]).when(after(moved_out(date(2026, 11, 30)))).then()


def test_an_end_is_never_later() -> None:
    past = [GRANTED, ended(date(2026, 12, 1))]
    given(decide, fold, past).when(after(moved_out(date(2026, 11, 30), place="2"))).then()
    given(decide, fold, past).when(after(moved_out(date(2026, 12, 31)))).then()
    given(decide, fold, past).when(after(moved_out(date(2026, 11, 24)))).then(ended(date(2026, 11, 25)))


@pytest.mark.parametrize("over", [WITHDRAWN, EXPIRED])
def test_what_is_over_does_not_end_again(over: Event) -> None:
    given(decide, fold, [GRANTED, over]).when(after(moved_out(date(2026, 11, 20)))).then()


def test_what_would_end_after_the_expiry_just_expires() -> None:
    given(decide, fold, [GRANTED]).when(after(moved_out(date(2029, 11, 20)))).then()
    given(decide, fold, [GRANTED]).when(after(moved_out(date(2029, 11, 19)))).then(ended(date(2029, 11, 20)))


def test_the_end_of_a_contract_ends_its_mandates_only() -> None:
    other = replace(GRANTED, mandate_id=OTHER_MANDATE_ID, contract_number="1000000002")
    wish = EndForContract(contract_number="1000000001", ended_on=date(2026, 12, 1), now=TOMORROW)
    given(decide, fold, [GRANTED, other]).when(wish).then(ended(date(2026, 12, 1), "CONTRACT_ENDED"))


def test_events_of_the_register_that_are_no_switch_are_none() -> None:
    assert switch_of(HOUSE_REGISTERED) is None
    assert switch_of(CONTRACT_SIGNED) is None


@pytest.mark.parametrize(
    ("now", "events"),
    [
        (RENEWAL - timedelta(microseconds=1), []),
        (RENEWAL, [RENEWABLE]),
        (EXPIRY - timedelta(microseconds=1), [replace(RENEWABLE, signalled_at=EXPIRY - timedelta(microseconds=1))]),
        (EXPIRY, [EXPIRED]),
    ],
)
def test_the_calendar_signals_and_expires(now: datetime, events: list[Event]) -> None:
    given(decide, fold, [GRANTED]).when(PassTime(now=now)).then(*events)


def test_the_calendar_speaks_once() -> None:
    given(decide, fold, [GRANTED, RENEWABLE]).when(PassTime(now=RENEWAL + timedelta(days=1))).then()
    given(decide, fold, [GRANTED, RENEWABLE]).when(PassTime(now=EXPIRY)).then(EXPIRED)
    given(decide, fold, [GRANTED, RENEWABLE, EXPIRED]).when(PassTime(now=EXPIRY)).then()


def test_nobody_is_asked_to_renew_what_ends_anyway() -> None:
    for over in (WITHDRAWN, ended(date(2026, 12, 1)), ended(date(2029, 11, 1))):
        given(decide, fold, [GRANTED, over]).when(PassTime(now=RENEWAL)).then()


COMMANDS = st.one_of(
    st.dates(date(2026, 1, 1), date(2030, 1, 1)).map(lambda day: after(moved_out(day))),
    st.dates(date(2026, 1, 1), date(2030, 1, 1)).map(lambda day: after(closed(day))),
    st.dates(date(2026, 1, 1), date(2030, 1, 1)).map(
        lambda day: EndForContract(contract_number="1000000001", ended_on=day, now=TOMORROW)
    ),
    st.datetimes(datetime(2026, 12, 1), datetime(2030, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
        lambda now: PassTime(now=now)
    ),
    st.just(withdraw(NET_USER)),
)


@for_all(st.lists(COMMANDS, max_size=8))
def test_whatever_happens_an_end_is_never_later_and_what_is_over_stays_over(commands: list[EndForSwitch]) -> None:
    state, ends, last = fold([GRANTED]), list[tuple[date, str]](), list[type[Event]]()
    for command in commands:
        for event in decide(command, state):
            assert not last, "nothing follows a withdrawal or an expiry"
            state = evolve(state, event)
            if isinstance(event, MandateEnded):
                assert all(event.ends_on <= day for day, _ in ends)
                assert (event.ends_on, event.reason) not in ends
                ends.append((event.ends_on, event.reason))
            if isinstance(event, (MandateWithdrawn, MandateExpired)):
                last.append(type(event))
    assert isinstance(state.by_id[MANDATE_ID].granted, MandateGranted)
    assert GRANTED.granted_at > NOON
