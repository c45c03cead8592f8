"""A projection that may not go on: at which record, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from eventlog.reason import Reason


@dataclass(frozen=True, slots=True, order=True)
class Coordinates:
    """Where a record lies; written TOPIC/PARTITION/OFFSET."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what `text` names.

        Raises:
            ValueError: it is not TOPIC/PARTITION/OFFSET.
        """
        topic, *numbers = text.split("/")
        if not topic or len(numbers) != 2 or not all(each.isascii() and each.isdecimal() for each in numbers):
            raise ValueError("give TOPIC/PARTITION/OFFSET")
        return cls(topic, int(numbers[0]), int(numbers[1]))


@dataclass(frozen=True, slots=True)
class Halt:
    """The record that a projection may not pass over, and why."""

    projection: str
    place: Coordinates
    reason: Reason

    def __str__(self) -> str:
        return f"{self.projection} halts at {self.place}: {self.reason}"


class ProjectionStopped(RuntimeError):
    """The projection may not go on in this partition: a human has to look at the record at `place`."""

    def __init__(self, projection: str, place: Coordinates, reason: Reason) -> None:
        self.halt = Halt(projection, place, reason)
        self.place = place
        super().__init__(str(self.halt))
