"""A body is taken in up to the limits and not a byte further."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.metering.body import BodyTooLarge, Memory, MemorySpent, check_lines, read_body


class Chunks:
    """A body in pieces that counts how many were asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.read_count = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.read_count += 1
            yield piece


async def read(chunks: Chunks, *, declared: int | None = None, max_bytes: int = 10, memory: int = 100) -> bytes:
    with Memory(memory).lease() as lease:
        return await read_body(aiter(chunks), declared_length=declared, max_bytes=max_bytes, lease=lease)


async def test_a_body_up_to_the_limit_is_taken() -> None:
    assert await read(Chunks(b"12345", b"67890")) == b"1234567890"


async def test_a_body_beyond_the_limit_is_refused_at_the_piece_that_passes_it() -> None:
    chunks = Chunks(b"12345", b"678901", b"2")
    with pytest.raises(BodyTooLarge, match="larger than the 10 bytes"):
        await read(chunks)
    assert chunks.read_count == 2


async def test_a_body_that_declares_too_much_is_refused_unread() -> None:
    chunks = Chunks(b"1")
    with pytest.raises(BodyTooLarge):
        await read(chunks, declared=11)
    assert chunks.read_count == 0


async def test_bodies_in_hand_share_the_memory_and_give_it_back() -> None:
    memory = Memory(10)
    with memory.lease() as first, memory.lease() as second:
        first.take(8)
        with pytest.raises(MemorySpent):
            second.take(3)
        second.take(2)
    with memory.lease() as third:
        third.take(10)


@pytest.mark.parametrize("body", [b"a\nb", b"a\nb\n", b"a\n", b"", b"123\n456"])
def test_a_body_of_as_many_lines_as_allowed_passes(body: bytes) -> None:
    check_lines(body, max_count=2, max_length=3)


def test_one_line_too_many_or_too_long_is_refused_with_the_limit() -> None:
    with pytest.raises(BodyTooLarge, match="more than the 2 lines"):
        check_lines(b"a\nb\nc", max_count=2, max_length=3)
    with pytest.raises(BodyTooLarge, match="line 2 is longer than the 3 bytes"):
        check_lines(b"a\n1234\n", max_count=2, max_length=3)
