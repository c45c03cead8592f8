"""Messages about a few blocks, as hypothesis draws them."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st

from eventlog.events import ReadingsRecorded
from market.ean import Ean
from tests.examples import HOUSE, ORDINARY_DAY
from tests.readings import reading

NEIGHBOUR = Ean("541448800000000048")


@st.composite
def messages(draw: st.DrawFn) -> ReadingsRecorded:
    """A message about one of a few blocks, whole or in part; its order often collides, and its id may too."""
    count = draw(st.sampled_from([96, 96, 96, 3, 1]))
    first = draw(st.integers(0, 96 - count))
    withdraws = draw(st.integers(0, 5)) == 0
    value = st.none() if withdraws else st.none() | st.sampled_from([0, 7, 40_000])
    shape = draw(st.lists(value, min_size=1, max_size=3))
    return reading(
        [shape[place % len(shape)] for place in range(count)],
        number=draw(st.integers(1, 6)),
        sent_after=timedelta(hours=draw(st.integers(0, 2))),
        sequence=draw(st.integers(0, 1)),
        ean=draw(st.sampled_from([HOUSE, HOUSE, NEIGHBOUR])),
        meter_id=draw(st.sampled_from(["", "", "A"])),
        day=ORDINARY_DAY,
        first_slice=first,
        quality=draw(st.sampled_from([1, 5, 6])),
        withdraws=withdraws,
    )
