"""What a customer may consent to: within the session, and only where nobody else would have to agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from market.channel import Energy, MeterKind
from market.ean import Ean
from services.mandate.domain.consent import Consent, ConsentRefused, NotNetUser, PointUse, grants
from services.mandate.domain.decision import GrantMandate
from services.mandate.domain.session import DataServiceType
from services.mandate.domain.switch import Switch
from tests.examples import FACTORY, GAS_HOUSE, HOUSE
from tests.mandate_examples import LATER, NET_USER, OTHER_NET_USER, SESSION_OPENED, use

IDS: dict[tuple[Ean, DataServiceType], UUID] = {
    (HOUSE, "VH_kwartier_uur"): UUID(int=1),
    (HOUSE, "IG"): UUID(int=2),
    (GAS_HOUSE, "VH_kwartier_uur"): UUID(int=3),
    (GAS_HOUSE, "IG"): UUID(int=4),
    (FACTORY, "IG"): UUID(int=5),
}
CONSENT = Consent(eans=(HOUSE,), types=("IG",), kbo="", now=LATER)


def given_uses(
    consent: Consent, *uses: PointUse, switches: tuple[Switch, ...] = (), enterprise: str = ""
) -> list[GrantMandate]:
    session = replace(SESSION_OPENED, enterprise_number=enterprise)
    return grants(consent, session, uses, {HOUSE: switches}, IDS)


def departure(first_day: date, net_user_id: UUID = NET_USER) -> Switch:
    return Switch(ean=HOUSE, kind="DEPARTURE", net_user_id=net_user_id, first_day=first_day)


def test_each_point_and_service_gets_a_mandate() -> None:
    wish = replace(CONSENT, eans=(HOUSE, GAS_HOUSE), types=("VH_kwartier_uur", "IG"))
    found = given_uses(wish, use(), use(GAS_HOUSE, energy=Energy.GAS, first_on=date(2026, 5, 1)))
    assert [(each.mandate_id.int, each.ean, each.service.type, each.occupied_from) for each in found] == [
        (1, HOUSE, "VH_kwartier_uur", date(2026, 3, 1)),
        (2, HOUSE, "IG", date(2026, 3, 1)),
        (3, GAS_HOUSE, "VH_kwartier_uur", date(2026, 5, 1)),
        (4, GAS_HOUSE, "IG", date(2026, 5, 1)),
    ]
    assert found[0].service.first_day == date(2026, 1, 1)
    assert {each.net_user_id for each in found} == {NET_USER}


@pytest.mark.parametrize(
    "theirs",
    [
        [],
        [use(GAS_HOUSE)],
        [use(is_whole=False)],
        [use(first_on=date(2026, 11, 21))],
        [use(last_on=date(2026, 11, 19))],
    ],
    ids=["nobody", "elsewhere", "one allocation point of two", "tomorrow", "until yesterday"],
)
def test_who_is_not_the_net_user_now_and_everywhere_grants_nothing(theirs: list[PointUse]) -> None:
    with pytest.raises(NotNetUser, match=r"two-step route\) is not there yet, so nothing was granted"):
        given_uses(CONSENT, *theirs)


def test_one_point_of_another_refuses_the_whole_consent() -> None:
    with pytest.raises(NotNetUser):
        given_uses(replace(CONSENT, eans=(HOUSE, FACTORY)), use())


def test_a_gas_day_lasts_until_six_in_the_morning() -> None:
    """05:30 local on the 21st is the gas day of the 20th."""
    early = LATER.replace(day=21, hour=4, minute=30)
    wish = replace(CONSENT, eans=(GAS_HOUSE,), now=early)
    assert len(given_uses(wish, use(GAS_HOUSE, energy=Energy.GAS, last_on=date(2026, 11, 20)))) == 1
    with pytest.raises(NotNetUser):
        given_uses(replace(CONSENT, now=early), use(last_on=date(2026, 11, 20)))


def test_a_classic_meter_is_not_for_consent() -> None:
    with pytest.raises(ConsentRefused, match="digital or AMR"):
        given_uses(CONSENT, use(meter_kind=MeterKind.CLASSIC))
    assert len(given_uses(CONSENT, use(meter_kind=MeterKind.AMR))) == 1


def test_a_known_move_ahead_goes_with_the_grant() -> None:
    (grant,) = given_uses(CONSENT, use(last_on=date(2026, 12, 31)))
    assert grant.switches == (departure(date(2027, 1, 1)),)


def test_a_move_that_the_register_said_after_its_answer_goes_with_the_grant_too() -> None:
    (grant,) = given_uses(CONSENT, use(), switches=(departure(date(2026, 12, 1)),))
    assert grant.switches == (departure(date(2026, 12, 1)),)


def test_who_is_gone_by_later_news_grants_nothing() -> None:
    with pytest.raises(NotNetUser):
        given_uses(CONSENT, use(), switches=(departure(date(2026, 11, 20)),))


def test_moves_of_before_do_not_matter() -> None:
    before = (departure(date(2026, 3, 1)), departure(date(2026, 11, 1), OTHER_NET_USER))
    (grant,) = given_uses(CONSENT, use(), switches=before)
    assert grant.switches == ()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (replace(CONSENT, eans=(HOUSE, GAS_HOUSE, FACTORY)), "at most 2 points"),
        (replace(CONSENT, eans=(HOUSE, HOUSE)), "each once"),
        (replace(CONSENT, eans=()), "at least one point"),
        (replace(CONSENT, types=("VH_dag",)), "did not ask"),
        (replace(CONSENT, types=()), "at least one data service"),
        (replace(CONSENT, types=("IG", "IG")), "each once"),
    ],
)
def test_a_consent_stays_within_its_session(wish: Consent, words: str) -> None:
    with pytest.raises(ConsentRefused, match=words):
        given_uses(wish, use(), use(GAS_HOUSE), use(FACTORY))


def test_a_link_for_an_enterprise_is_for_that_enterprise() -> None:
    assert given_uses(replace(CONSENT, kbo="0123456749"), use(), enterprise="0123456749")
    for kbo in ("", "0200000043"):
        with pytest.raises(ConsentRefused, match="another enterprise"):
            given_uses(replace(CONSENT, kbo=kbo), use(), enterprise="0123456749")
