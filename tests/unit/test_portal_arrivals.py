"""What the page of arrivals makes of the watch's picture: bars, ages, shares; and a picture that is none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.portal.arrivals import (
    Arrivals,
    Day,
    Source,
    UnreadableArrivals,
    age,
    bars,
    energy_text,
    hour_count,
    is_silent,
    read_arrivals,
    share,
)
from services.portal.live_api import as_message
from services.portal.wording import Language, wording

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
EN, NL = wording(Language.EN), wording(Language.NL)
DAY = Day(date(2026, 11, 23), "ELECTRICITY", 100, 99, 1, 0, 3)
SEEN = Arrivals(NOW, date(2026, 11, 24), True, [0] * 57 + [40, 1, 20], [Source("a", NOW, 61)], [DAY], {})


def test_a_picture_is_read() -> None:
    sent = {
        "as_of": "2026-11-24T09:00:00Z",
        "today": "2026-11-24",
        "is_current": True,
        "minutes": [0] * 57 + [40, 1, 20],
        "sources": [{"name": "a", "last_at": "2026-11-24T09:00:00Z", "block_count": 61}],
        "days": [
            {
                "day": "2026-11-23",
                "energy": "ELECTRICITY",
                "block_count": 100,
                "completed_count": 99,
                "open_count": 1,
                "late_count": 0,
                "revised_count": 3,
            }
        ],
        "oldest_gaps": {"GAS": "2026-11-20"},
    }
    assert read_arrivals(json.dumps(sent).encode()) == replace(SEEN, oldest_gaps={"GAS": date(2026, 11, 20)})


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"as_of": 1}', b'{"as_of": "now"}'])
def test_what_is_no_picture_says_so(content: bytes) -> None:
    with pytest.raises(UnreadableArrivals):
        read_arrivals(content)


def test_the_highest_minute_is_the_whole_strip_and_one_block_is_still_seen() -> None:
    strip = bars(SEEN, EN)
    assert [bar.height for bar in strip[-4:]] == [0, 40, 1, 20]
    assert strip[-3].spoken == "40 blocks, 2 minutes ago"
    assert hour_count(SEEN) == 61
    assert {bar.height for bar in bars(replace(SEEN, minutes=[0] * 60), EN)} == {0}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (119, "just now"),
        (120, "2 minutes ago"),
        (7_199, "119 minutes ago"),
        (7_200, "2 hours ago"),
        (172_800, "2 days ago"),
    ],
)
def test_an_age_is_said_in_the_unit_that_says_enough(seconds: int, text: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), SEEN, EN) == text


def test_a_source_is_silent_after_a_day() -> None:
    assert not is_silent(Source("a", NOW - timedelta(hours=24), 0), SEEN)
    assert is_silent(Source("a", NOW - timedelta(hours=24, seconds=1), 0), SEEN)


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert share(replace(DAY, block_count=1_000, completed_count=999), NL) == "99 %"
    assert share(replace(DAY, completed_count=100), EN) == "100%"
    assert share(replace(DAY, block_count=0, completed_count=0), EN) == ""


def test_an_energy_has_its_name_in_each_language() -> None:
    assert (energy_text("GAS", NL), energy_text("ELECTRICITY", EN), energy_text("HEAT", EN)) == (
        "Gas",
        "Electricity",
        "HEAT",
    )


def test_html_is_one_event_whatever_lines_it_has() -> None:
    assert as_message("<p>\n  a\n</p>\n") == b"data: <p>\ndata:   a\ndata: </p>\n\n"
