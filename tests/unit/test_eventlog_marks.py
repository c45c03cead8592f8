"""A mark says up to where a topic holds everything, and a reader knows whether it has come that far."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eventlog.codec import Undecodable
from eventlog.marks import Mark, decode_mark, encode_mark

MARK = Mark(
    source="mandate",
    as_of=datetime(2026, 11, 20, 12, 0, 0, 250_000, tzinfo=UTC),
    topic="mandate-events",
    offsets={0: 7, 1: 0},
)


def test_a_mark_on_the_topic_is_plain_json() -> None:
    assert encode_mark(MARK) == (
        b'{"source": "mandate", "as_of": "2026-11-20T12:00:00.250000Z", "topic": "mandate-events", '
        b'"offsets": {"0": 7, "1": 0}}'
    )
    assert decode_mark(encode_mark(MARK)) == MARK


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b"{}", b'{"source": "x", "as_of": "soon"}', b"null"])
def test_anything_else_is_no_mark(value: bytes) -> None:
    with pytest.raises(Undecodable, match="not a mark"):
        decode_mark(value)


@pytest.mark.parametrize(
    ("checkpoints", "is_covered"),
    [({0: 7, 1: 0}, True), ({0: 9, 1: 3}, True), ({0: 7}, True), ({0: 6, 1: 5}, False), ({}, False)],
)
def test_a_reader_covers_a_mark_when_it_has_applied_all_below_it(checkpoints: dict[int, int], is_covered: bool) -> None:
    assert MARK.is_covered_by(checkpoints) is is_covered
