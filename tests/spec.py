"""given / when / then for deciders: a test is one sentence over events and commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import pytest

from eventlog.events import Event

StateT = TypeVar("StateT")
CommandT = TypeVar("CommandT")


@dataclass(frozen=True)
class Given(Generic[CommandT, StateT]):
    """What has happened so far, to a decider."""

    decide: Callable[[CommandT, StateT], list[Event]]
    fold: Callable[[Iterable[Event]], StateT]
    past: Sequence[Event]

    def when(self, command: CommandT) -> When[CommandT, StateT]:
        """Wish for `command`."""
        return When(self, command)


@dataclass(frozen=True)
class When(Generic[CommandT, StateT]):
    """A command on its way to the decider; `then` or `refused` judges the outcome."""

    given: Given[CommandT, StateT]
    command: CommandT

    def _decide(self) -> list[Event]:
        return self.given.decide(self.command, self.given.fold(self.given.past))

    def then(self, *events: Event) -> None:
        """Exactly `events` follow; none where none are named."""
        assert self._decide() == list(events)

    def refused(self, error: type[Exception], words: str) -> None:
        """The command is refused with `error`, and the reason holds `words`."""
        with pytest.raises(error) as refusal:
            self._decide()
        assert words in str(refusal.value)


def given(
    decide: Callable[[CommandT, StateT], list[Event]],
    fold: Callable[[Iterable[Event]], StateT],
    past: Sequence[Event] = (),
) -> Given[CommandT, StateT]:
    """Start a sentence: the events of one stream that came before."""
    return Given(decide, fold, past)
