"""How far a state's demo world is: made once, and gone on with where it was cut off."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from stack.demo.plan import SEED
from stack.state import State, read_json, write_json

LINK: Final = "link"
"""The note that holds the identifier of a consent link which nobody used yet."""


@dataclass(slots=True)
class Marker:
    """What of the world of `seed` and `last_day` is in already; kept in the state's folder after each step.

    `receipts`: partition -> the last offset at which a reading of this world was published. `notes`: what a step needs
    in order to be done once only, such as the id of a session.
    """

    path: Path
    seed: int
    last_day: date
    steps: list[str] = field(default_factory=list)
    receipts: dict[int, int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def has(self, step: str) -> bool:
        return step in self.steps

    def keep(self, step: str) -> None:
        """Note that `step` is done."""
        if not self.has(step):
            self.steps.append(step)
        self._write()

    def note(self, name: str, text: str) -> None:
        """Keep `text` under `name`."""
        self.notes[name] = text
        self._write()

    def _write(self) -> None:
        kept = {"seed": self.seed, "last_day": self.last_day.isoformat(), "steps": self.steps}
        write_json(self.path, {**kept, "receipts": self.receipts, "notes": self.notes}, mode=0o644)


def path_of(state: State) -> Path:
    """Return where the state's marker lies."""
    return state.folder / "demo.json"


def read_marker(state: State) -> Marker | None:
    """Return how far the state's demo world is, None where it was never begun."""
    kept = read_json(path_of(state))
    if kept is None:
        return None
    return Marker(
        path=path_of(state),
        seed=kept["seed"],
        last_day=date.fromisoformat(kept["last_day"]),
        steps=kept["steps"],
        receipts={int(partition): offset for partition, offset in kept["receipts"].items()},
        notes=kept["notes"],
    )


def begin(state: State, today: date) -> Marker:
    """Return the state's marker; the first time, that of a world up to the day before `today`, which stays so."""
    found = read_marker(state)
    if found is None:
        found = Marker(path_of(state), SEED, today - timedelta(days=1))
        found.keep("begun")
    return found
