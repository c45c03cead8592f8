"""The body of a request, taken in piece by piece and never beyond what is allowed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Self


class BodyTooLarge(Exception):
    """A limit is passed; the message says which, in words for the sender."""


class MemorySpent(Exception):
    """The bodies in hand take all the memory there is for them; try again soon."""


class Memory:
    """How many bytes of bodies may be in hand at once, over all requests of this process."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._left = limit_bytes

    @property
    def taken(self) -> int:
        """How many bytes are reserved now."""
        return self._limit - self._left

    def lease(self) -> Lease:
        """Return a lease for one request, empty so far; its end gives back what it took."""
        return Lease(self)

    def take(self, byte_count: int) -> None:
        """Reserve `byte_count` more.

        Raises:
            MemorySpent: there is not that much; nothing is reserved.
        """
        if byte_count > self._left:
            raise MemorySpent
        self._left -= byte_count

    def give_back(self, byte_count: int) -> None:
        """Release what `take` reserved."""
        self._left += byte_count


class Lease:
    """What one request has reserved; a context manager."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.give_back(self._taken)
        self._taken = 0

    def take(self, byte_count: int) -> None:
        """Reserve `byte_count` more.

        Raises:
            MemorySpent: there is not that much.
        """
        self._memory.take(byte_count)
        self._taken += byte_count


async def read_body(
    chunks: AsyncIterator[bytes], *, declared_length: int | None, max_bytes: int, lease: Lease
) -> bytes:
    """Return the whole body. A `declared_length` (Content-Length) beyond the limit is refused before anything is read.

    Raises:
        BodyTooLarge: more than `max_bytes`.
        MemorySpent: too much is in hand at once.
    """
    too_large = BodyTooLarge(f"the body is larger than the {max_bytes} bytes taken at once; split it")
    if declared_length is not None and declared_length > max_bytes:
        raise too_large
    body = bytearray()
    async for chunk in chunks:
        if len(body) + len(chunk) > max_bytes:
            raise too_large
        lease.take(len(chunk))
        body += chunk
    return bytes(body)


def check_lines(body: bytes, *, max_count: int, max_length: int) -> None:
    """Pass a body of lines.

    Raises:
        BodyTooLarge: it has more than `max_count` lines, or one of more than `max_length` bytes.
    """
    if body.count(b"\n") + 1 > max_count + body.endswith(b"\n"):
        raise BodyTooLarge(f"the body has more than the {max_count} lines taken at once; split it")
    start, number = 0, 1
    while start <= len(body):
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        if end - start > max_length:
            raise BodyTooLarge(f"line {number} is longer than the {max_length} bytes a line may have")
        start, number = end + 1, number + 1
