"""Who lives in the demo world, and what they allow whom."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

from market.kbo import parse_kbo
from stack.demo.folk import ANOUK, BRAM, CHLOE, FACTORY, HOLDERS, Stay, consents, sign_ins, stays
from stack.demo.plan import make_plan
from stack.demo.tour import tour

PLAN = make_plan(date(2026, 11, 23))


def by_point() -> dict[str, list[Stay]]:
    found: dict[str, list[Stay]] = {}
    for stay in stays(PLAN):
        found.setdefault(stay.ean, []).append(stay)
    return found


def test_every_head_point_has_a_net_user_and_never_two_at_once() -> None:
    found = by_point()
    assert set(found) == {point.ean for point in PLAN.points}
    for many in found.values():
        for earlier, later in pairwise(many):
            assert earlier.last_on is not None
            assert earlier.last_on + timedelta(days=1) == later.first_on
        assert many[-1].last_on is None


def test_nobody_uses_a_point_before_it_exists() -> None:
    registered_on = {point.ean: point.registered_on for point in PLAN.points}
    assert all(stay.first_on >= registered_on[stay.ean] for stay in stays(PLAN))


def test_net_users_are_told_apart_and_enterprises_have_valid_numbers() -> None:
    people = {stay.net_user.key: stay.net_user for stay in stays(PLAN)}
    assert len({stay.net_user for stay in stays(PLAN)}) == len(people)
    assert all(bool(each.person_ref) != bool(each.kbo) for each in people.values())
    numbers = [each.kbo for each in people.values() if each.kbo] + [holder.kbo for holder in HOLDERS]
    assert len(numbers) == len(set(numbers))
    assert all(parse_kbo(number).startswith("0999") for number in numbers)


def test_a_home_with_gas_has_one_net_user_for_both() -> None:
    found = by_point()
    electricity, gas = PLAN.points[8].ean, PLAN.points[35 + 8].ean
    assert [stay.net_user for stay in found[electricity]] == [stay.net_user for stay in found[gas]]


def test_three_people_and_an_enterprise_sign_in_and_one_person_for_each_holder() -> None:
    found = sign_ins()
    assert list(found) == ["anouk", "bram", "chloe", "voorbeeldfabriek", "energiecoach", "stroomspiegel"]
    assert found["anouk"] == {
        "name": "Anouk Voorbeeld",
        "roles": ["net_user"],
        "person_ref": "demo-person-anouk",
    }
    assert found["voorbeeldfabriek"]["kbo"] == "0999970129"
    assert found["stroomspiegel"] == {"name": "Stroomspiegel Demo NV", "roles": ["holder"], "kbo": "0999975275"}


def test_everyone_consents_for_points_they_use_or_used() -> None:
    own = {(stay.ean, stay.net_user) for stay in stays(PLAN)}
    assert all((ean, each.net_user) in own for each in consents(PLAN) for ean in each.eans)


def test_the_tour_names_the_holders_the_link_and_a_day_of_25_hours() -> None:
    addresses = {"portal": "http://127.0.0.1:8400", "export": "http://127.0.0.1:8404"}
    api = "http://127.0.0.1:8404/esco-live/v3"
    kinds = "20 without sun, 15 with sun, 16 gas, 6 large"
    question = "--ean 541448800000920018 --from 2026-10-25 --to 2026-10-25 --granularity quarter"
    lines = tour(PLAN, addresses, link="abc", option=" --state DIR")
    assert lines == [
        f"the demo world: 57 points ({kinds}), readings from 2025-10-20 to 2026-11-23",
        f"  data access holders: Energiecoach Voorbeeld BV and Stroomspiegel Demo NV; their API is at {api}",
        "three things to try:",
        "  http://127.0.0.1:8400    sign in as anouk: her points, who may read them, and how to take that back",
        "  http://127.0.0.1:8400/verbruik/dienstverlener?id=abc    sign in as chloe: a holder asks for her consent",
        f"  .venv/bin/kwartier download {question} --state DIR    a day of 25 hours",
    ]


def test_consents_end_in_every_way_that_needs_no_waiting() -> None:
    found = consents(PLAN)
    assert Counter(each.holder for each in found) == {0: 5, 1: 3}
    assert [each.reference_number for each in found if each.is_withdrawn] == ["DEMO-7"]
    assert [each.reference_number for each in found if each.period_from] == ["DEMO-4"]
    moved = {stay.ean for stay in stays(PLAN) if stay.ends_after_consent}
    assert [each.reference_number for each in found if set(each.eans) & moved] == ["DEMO-8"]
    assert {each.net_user for each in found} == {ANOUK, BRAM, CHLOE, FACTORY}
