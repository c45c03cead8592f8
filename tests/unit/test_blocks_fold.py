"""Which value wins: the algebra of messages about one block, by hand and by permutation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.metering.fold import NEVER, UNSPOKEN, Messages, Slices, apply, empty_slices
from services.metering.stored_values import MISSING

SLICES = 4
MEASURED, ESTIMATED, VALIDATED = 5, 2, 6
PROVISIONAL, DEFINITIVE = 1, 2


@dataclass(frozen=True)
class Message:
    """A message about a day of four slices; None is missing."""

    values: Sequence[int | None]
    at: int
    sequence: int = 0
    content: int = 0
    quality: int = MEASURED
    factor: int = 0
    withdraws: Sequence[int] = field(default=())
    """The slices that it withdraws."""


def fold(*messages: Message) -> Slices:
    """Let the messages arrive in this order, at 1000, 2000, ..."""
    values = np.array([[MISSING if v is None else v for v in m.values] for m in messages], dtype=np.int32)
    is_present = values != MISSING
    named = np.array([[place in m.withdraws for place in range(SLICES)] for m in messages])
    table = Messages(
        values=values,
        quality=np.where(is_present, [[m.quality] for m in messages], 0).astype(np.uint8),
        gas_factor=np.where(is_present, [[m.factor] for m in messages], 0).astype(np.uint8),
        speaks=is_present | named,
        source_at=np.array([m.at for m in messages], dtype=np.int64),
        source_sequence=np.array([m.sequence for m in messages], dtype=np.int64),
        content_hash=np.array([m.content for m in messages], dtype=np.int64),
        recorded_at=np.arange(1, len(messages) + 1, dtype=np.int64) * 1000,
    )
    slices = empty_slices(1, SLICES)
    for place in range(len(messages)):
        apply(slices, np.array([0]), table, np.array([place]))
    return slices


def values_of(slices: Slices) -> list[int | None]:
    return [None if value == MISSING else value for value in slices.values[0].tolist()]


def test_the_later_source_instant_wins_whatever_came_in_first() -> None:
    old, new = Message([1, 1, 1, 1], at=10), Message([2, 2, 2, 2], at=20)
    assert values_of(fold(old, new)) == [2, 2, 2, 2]
    assert values_of(fold(new, old)) == [2, 2, 2, 2]


def test_the_sequence_decides_between_equal_instants_and_the_content_between_equal_sequences() -> None:
    low, high = Message([1] * 4, at=10, sequence=1, content=9), Message([2] * 4, at=10, sequence=2, content=1)
    assert values_of(fold(high, low)) == [2, 2, 2, 2]
    low, high = Message([1] * 4, at=10, content=-5), Message([2] * 4, at=10, content=5)
    assert values_of(fold(high, low)) == [2, 2, 2, 2]


def test_parts_add_up_slice_by_slice() -> None:
    first, second = Message([1, 2, None, None], at=10), Message([None, None, 3, 4], at=20)
    assert values_of(fold(first, second)) == [1, 2, 3, 4]


def test_a_missing_value_erases_nothing() -> None:
    assert values_of(fold(Message([1, 2, 3, 4], at=10), Message([None, 9, None, None], at=20))) == [1, 9, 3, 4]


def test_a_withdrawal_makes_its_slices_missing() -> None:
    withdrawal = Message([None] * 4, at=20, withdraws=(1, 2))
    slices = fold(Message([1, 2, 3, 4], at=10), withdrawal)
    assert values_of(slices) == [1, None, None, 4]
    assert slices.quality[0].tolist() == [5, 0, 0, 5]
    assert slices.recorded_at[0].tolist() == [1000, 2000, 2000, 1000]


def test_older_values_do_not_come_back_after_a_withdrawal_but_a_later_value_does() -> None:
    withdrawal = Message([None] * 4, at=20, withdraws=(0,))
    assert values_of(fold(withdrawal, Message([1] * 4, at=10))) == [None, 1, 1, 1]
    assert values_of(fold(withdrawal, Message([3] * 4, at=30))) == [3, 3, 3, 3]
    assert values_of(fold(Message([3] * 4, at=30), withdrawal)) == [3, 3, 3, 3]


def test_a_validated_value_replaces_an_estimate_and_quality_never_outranks_order() -> None:
    estimate = Message([7] * 4, at=10, quality=ESTIMATED)
    validated = Message([8, 7, 8, 8], at=20, quality=VALIDATED)
    assert fold(estimate, validated).quality[0].tolist() == [VALIDATED] * 4
    later_estimate = Message([7] * 4, at=30, quality=ESTIMATED)
    assert values_of(fold(validated, later_estimate)) == [7, 7, 7, 7]


def test_only_what_changed_moves_its_instant() -> None:
    slices = fold(Message([1, 2, 3, None], at=10), Message([1, 9, 3, None], at=20))
    assert slices.recorded_at[0].tolist() == [1000, 2000, 1000, NEVER]
    assert slices.source_at[0].tolist() == [20, 20, 20, UNSPOKEN]


def test_a_definitive_factor_is_a_change_although_the_value_stays() -> None:
    slices = fold(
        Message([4, 4, 4, 4], at=10, factor=PROVISIONAL),
        Message([4, 4, None, None], at=20, factor=DEFINITIVE),
    )
    assert slices.gas_factor[0].tolist() == [DEFINITIVE, DEFINITIVE, PROVISIONAL, PROVISIONAL]
    assert slices.recorded_at[0].tolist() == [2000, 2000, 1000, 1000]


def test_an_outranked_message_changes_nothing_at_all() -> None:
    slices = fold(Message([2] * 4, at=20), Message([1] * 4, at=10))
    assert slices.recorded_at[0].tolist() == [1000] * 4
    assert slices.source_at[0].tolist() == [20] * 4


def test_blocks_of_one_call_do_not_touch_each_other() -> None:
    slices = empty_slices(3, 1)
    messages = Messages(
        values=np.array([[5], [6]], dtype=np.int32),
        quality=np.full((2, 1), 5, dtype=np.uint8),
        gas_factor=np.zeros((2, 1), dtype=np.uint8),
        speaks=np.ones((2, 1), dtype=np.bool_),
        source_at=np.array([1, 1]),
        source_sequence=np.array([0, 0]),
        content_hash=np.array([0, 0]),
        recorded_at=np.array([7, 8]),
    )
    assert apply(slices, np.array([2, 0]), messages, np.array([0, 1])).tolist() == [1, 1]
    assert slices.values[:, 0].tolist() == [6, MISSING, 5]


MESSAGE = st.builds(
    Message,
    values=st.lists(st.none() | st.integers(0, 2), min_size=SLICES, max_size=SLICES),
    at=st.integers(1, 3),
    sequence=st.integers(0, 1),
    content=st.integers(0, 1),  # so that whole orders collide, as hashes never should
    quality=st.sampled_from([MEASURED, ESTIMATED, VALIDATED]),
    factor=st.integers(0, 2),
) | st.builds(
    Message,
    values=st.just([None] * SLICES),
    at=st.integers(1, 3),
    withdraws=st.sets(st.integers(0, SLICES - 1), min_size=1).map(tuple),
)


@given(st.data(), st.lists(MESSAGE, min_size=1, max_size=6))
def test_any_order_of_arrival_gives_the_same_values_qualities_and_factors(
    data: st.DataObject, messages: list[Message]
) -> None:
    here, there = fold(*messages), fold(*data.draw(st.permutations(messages)))
    for name in ("values", "quality", "gas_factor", "source_at", "source_sequence", "content_hash"):
        assert getattr(here, name).tolist() == getattr(there, name).tolist(), name


@given(st.lists(MESSAGE, min_size=1, max_size=6))
def test_each_slice_is_what_the_greatest_of_the_messages_that_speak_of_it_says(messages: list[Message]) -> None:
    slices = fold(*messages)
    for place in range(SLICES):
        speaking = [m for m in messages if m.values[place] is not None or place in m.withdraws]
        ranks = {(m.at, m.sequence, m.content) for m in speaking}
        best = [m for m in speaking if (m.at, m.sequence, m.content) == max(ranks)]
        allowed = {m.values[place] for m in best} or {None}
        assert values_of(slices)[place] in allowed
