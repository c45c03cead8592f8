"""Texts, numbers, days and times in three languages."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from market.channel import CHANNELS, MeterKind
from services.portal.mandates import SERVICE_TYPES
from services.portal.rendering import PLACES
from services.portal.wording import Language, choose_language, wording

DUTCH, ENGLISH, FRENCH = wording(Language.NL), wording(Language.EN), wording(Language.FR)


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("other", [ENGLISH, FRENCH], ids=["en", "fr"])
def test_every_text_is_there_in_every_language_with_the_same_places(other: object) -> None:
    assert isinstance(other, type(DUTCH))
    assert set(other.texts) == set(DUTCH.texts)
    assert {key for key in DUTCH.texts if places(DUTCH.texts[key]) != places(other.texts[key])} == set()
    assert set(other.shape) == set(DUTCH.shape)


def test_no_text_stayed_in_dutch() -> None:
    untranslated = {
        key
        for key, text in DUTCH.texts.items()
        if len(text.split()) > 2 and (text == ENGLISH.texts[key] or text == FRENCH.texts[key])
    }
    assert untranslated == {"chart_text"}


def test_every_channel_and_meter_has_its_words() -> None:
    for channel in CHANNELS:
        for key in (
            f"direction_{channel.direction.name}",
            f"quantity_{channel.quantity.name}",
            f"series_{channel.quantity.name}",
            f"slices_{channel.resolution.name}",
            f"per_{channel.resolution.name}",
            f"table_caption_{channel.resolution.name}",
            f"chart_missing_{channel.resolution.name}",
        ):
            assert key in DUTCH.texts
    assert all(f"meter_{kind.name}" in DUTCH.texts for kind in MeterKind)


def test_every_service_state_and_role_has_its_words() -> None:
    states = ("active", "renew", "ending")
    reasons = ("WITHDRAWN", "EXPIRED", "CUSTOMER_SWITCH", "POINT_CLOSED", "CONTRACT_ENDED")
    wanted = {f"service_{kind}" for kind in SERVICE_TYPES} | {f"service_detail_{kind}" for kind in SERVICE_TYPES}
    wanted |= {f"state_{state}" for state in states} | {f"state_over_{reason}" for reason in reasons}
    wanted |= {f"badge_{state}" for state in (*states, "over")}
    wanted |= {"error_role_net_user", "error_role_holder"}
    wanted |= {name for places_of_role in PLACES.values() for _, name in places_of_role}
    assert wanted - set(DUTCH.texts) == set()


def test_numbers_have_a_comma_in_dutch_and_french_and_a_point_in_english() -> None:
    value = Decimal("1234567.1")
    assert DUTCH.number(value) == "1\u202f234\u202f567,100"
    assert FRENCH.number(value) == "1\u202f234\u202f567,100"
    assert ENGLISH.number(value) == "1,234,567.100"


def test_days_are_written_as_people_write_them() -> None:
    day = date(2021, 10, 1)
    assert DUTCH.long_day(day) == "vrijdag 1 oktober 2021"
    assert ENGLISH.long_day(day) == "Friday 1 October 2021"
    assert FRENCH.long_day(day) == "vendredi 1er octobre 2021"
    assert DUTCH.short_day(day) == "vr 1 okt"


def test_the_hour_that_comes_twice_says_which_of_the_two_it_is() -> None:
    first, second = datetime(2021, 10, 31, 0, 15, tzinfo=UTC), datetime(2021, 10, 31, 1, 15, tzinfo=UTC)
    assert (DUTCH.clock(first), DUTCH.season(first)) == ("02:15", "zomertijd")
    assert (DUTCH.clock(second), DUTCH.season(second)) == ("02:15", "wintertijd")


@pytest.mark.parametrize(
    "instant",
    [
        datetime(2021, 10, 30, 23, 45, tzinfo=UTC),
        datetime(2021, 10, 31, 2, 0, tzinfo=UTC),
        datetime(2021, 3, 28, 0, 45, tzinfo=UTC),
        datetime(2021, 3, 28, 1, 0, tzinfo=UTC),
        datetime(2021, 7, 1, 0, 30, tzinfo=UTC),
    ],
)
def test_an_hour_that_comes_once_says_nothing_about_the_season(instant: datetime) -> None:
    assert DUTCH.season(instant) == ""


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "", Language.NL),
        (None, "de-DE,de;q=0.9", Language.NL),
        (None, "fr-BE,fr;q=0.9,nl;q=0.8", Language.FR),
        (None, "de, en;q=0.3, fr;q=0.5", Language.FR),
        (None, "en;q=0, fr;q=x", Language.NL),
        ("en", "fr-BE", Language.EN),
        ("xx", "fr-BE", Language.FR),
    ],
)
def test_the_switch_wins_from_the_browser_and_dutch_is_there_for_the_rest(
    chosen: str | None, accepted: str, language: Language
) -> None:
    assert choose_language(chosen, accepted) is language
