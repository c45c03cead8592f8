"""What a fault is, and what all of them need."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from eventlog.database import is_outage
from tests.faults.drill.processes import Process
from tests.faults.drill.world import World, until_true

SPRING_SECONDS: Final = 60.0
TAKEN_OVER_SECONDS: Final = 60.0
SEEN_SECONDS: Final = 2.0


class NothingHappened(Exception):
    """A fault did not do what it is there for: the round proves nothing."""


Strike = Callable[[World, random.Random], Coroutine[Any, Any, str]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`targets` are what it breaks: two faults of a round have nothing in common there."""

    name: str
    targets: frozenset[str]
    strike: Strike


@contextmanager
def one_of(world: World, chance: random.Random) -> Iterator[Process]:
    """Lend a member that no other fault of the round is at."""
    member = chance.choice([each for each in world.members if each.name not in world.befallen])
    world.befallen.add(member.name)
    try:
        yield member
    finally:
        world.befallen.discard(member.name)


async def demand(question: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Wait until the answer is yes; a database that is away has none.

    Raises:
        NothingHappened: not within `seconds`; the message is `otherwise`.
    """

    def asked() -> bool:
        try:
            return question()
        except Exception as error:
            if not is_outage(error):
                raise
            return False

    if not await until_true(asked, seconds):
        raise NothingHappened(otherwise)
