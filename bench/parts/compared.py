"""Ours beside its peers: the rows of the table, and the ratios as run and on equal footing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from parts.dataset import SLICES
from parts.pace import Pace
from parts.peers import BY_NAME, INSTALL, PEERS, SERIAL, PeerOutcome


@dataclass
class Compared:
    """What each round gave of each peer, by name, and which peers were left out because they are not installed."""

    outcomes: dict[str, list[PeerOutcome]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def add(self, name: str, outcome: PeerOutcome) -> None:
        """Keep what a round gave."""
        self.outcomes.setdefault(name, []).append(outcome)

    def paces(self, name: str) -> list[Pace]:
        """Return the paces of a peer, by round."""
        return [each.pace for each in self.outcomes.get(name, [])]

    def names(self) -> list[str]:
        """Return the measured peers, in the order of the table."""
        return [each.name for each in PEERS if each.name in self.outcomes]

    def ratios(self, name: str, ours: Sequence[Pace]) -> list[float]:
        """Return how many times as many blocks a second `ours` took as the peer, by round."""
        pairs = zip(ours, self.paces(name), strict=True)
        return [mine.blocks_per_second / theirs.blocks_per_second for mine, theirs in pairs]

    def report(self, ours: Sequence[Pace]) -> None:
        """Print the ratios, and who is missing."""
        serial = self.paces(SERIAL.name)
        if self.names():
            print(
                f"{'ours to':<38}{'as run':>8}  {'spread':<18}{'neither overlapped':>20}  {'spread':<18}{'B/value':>9}"
            )
        for name in self.names():
            size = median(each.bytes_per_value for each in self.outcomes[name])
            as_run, equal = _told(self.ratios(name, ours)), _told(self.ratios(name, serial))
            print(f"{BY_NAME[name].title:<38}{as_run[0]:>8}  {as_run[1]:<18}{equal[0]:>20}  {equal[1]:<18}{size:>9.2f}")
        for name in self.missing:
            print(f"{BY_NAME[name].title}: not measured here: {INSTALL}")
        print("Ours, Faust's and PostgreSQL wait for fsync at each commit; no fsync is the peer's own default.")
        print("Bytes of table and index; ClickHouse's once its parts are merged, which is not in its time.")

    def figures(self, ours: Sequence[Pace]) -> dict[str, float]:
        """Return the flat figures, in base units; ratios are medians of the rounds' own."""
        known: dict[str, float] = {}
        serial = self.paces(SERIAL.name)
        for name in self.outcomes:
            pace, prefix = median(each.blocks_per_second for each in self.paces(name)), f"{name}_"
            known[f"{prefix}blocks_per_second"] = pace
            known[f"{prefix}values_per_second"] = pace * SLICES
            known[f"{prefix}cpu_seconds_per_block"] = median(each.cpu_seconds_per_block for each in self.paces(name))
            known[f"{prefix}bytes_per_value"] = median(each.bytes_per_value for each in self.outcomes[name])
        for name in self.names():
            for prefix, paces in ((f"ratio_{name}", ours), (f"ratio_{name}_serial", serial)):
                ratios = self.ratios(name, paces)
                known |= {prefix: median(ratios), f"{prefix}_least": min(ratios), f"{prefix}_greatest": max(ratios)}
        return known


def _told(ratios: Sequence[float]) -> tuple[str, str]:
    return f"{median(ratios):.1f}", f"{min(ratios):.1f} to {max(ratios):.1f}"
