"""Topic to queryable: how many blocks a second the quarter-hour store takes from Kafka into PostgreSQL.

One process, with everything on: checks, merge rules, history, the day's algebra, the outbox. Beside it, in the same
run, its peers, each in a process of its own. All clocks run from the first record in hand until the last one can be
queried; imports, group joining and a first small run lie outside. In every clock: fetching from Kafka, decoding, making
rows, writing. Ours overlaps these and so is "as run"; the peers do one after the other, and so does ours once more for
the ratio on equal footing. The slower a peer, the fewer blocks it gets: its tables are smaller, in its favour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from parts.compared import Compared
from parts.dataset import ESTIMATES, SHARES, SLICES, World, make_topic, publish
from parts.machine import describe
from parts.ours import SCENARIOS, Outcome, Plan, measure_ours
from parts.pace import Pace
from parts.peers import BY_NAME, SERIAL, Peer, measure_peer, peer_versions
from parts.servers import Servers, started_servers
from parts.spread import spread

from services.metering.projector import MAX_RUN_RECORDS

NAMES = {
    "new": "ours, new blocks",
    "mixed": "ours, a tenth revises",
    "redelivered": "ours, all redelivered",
    "resent": "ours, all sent again",
    "revised": "ours, all revised",
}


@dataclass
class Measured:
    """What each round gave."""

    ours: list[Outcome] = field(default_factory=list)
    compared: Compared = field(default_factory=Compared)

    def paces(self, scenario: str) -> list[Pace]:
        return [each.paces[scenario] for each in self.ours]


async def measure(servers: Servers, options: argparse.Namespace) -> Measured:
    """Run all rounds, ours and the peers in turn."""
    plan = Plan(options.blocks, options.revised, options.run_records)
    await measure_ours(servers, "warm", Plan(4_000, 1_000, options.run_records))
    asked = [BY_NAME[name] for name in options.peers] if options.peer_blocks else []
    measured = Measured(compared=Compared(missing=tuple(each.name for each in asked if not each.is_here)))
    peers = [each for each in asked if each.is_here]
    peers = [SERIAL, *peers] if peers else []
    await _publish(servers, peers, options.peer_blocks)
    for number in range(options.rounds):
        measured.ours.append(await measure_ours(servers, f"ours-{number}", plan))
        paces = [measured.ours[-1].paces[each].blocks_per_second for each in SCENARIOS]
        print(f"round {number + 1}: {', '.join(f'{each:,.0f}' for each in paces)} blocks/s", flush=True)
        for peer in peers:
            found = await measure_peer(servers, peer, _topic(peer), peer.share * options.peer_blocks)
            measured.compared.add(peer.name, found)
            print(f"  {peer.title}: {found.pace.blocks_per_second:,.0f} blocks/s", flush=True)
    return measured


def _topic(peer: Peer) -> str:
    return f"peers-{peer.share}"


async def _publish(servers: Servers, peers: Sequence[Peer], block_count: int) -> None:
    """Fill the topics that the peers read in each round, one for each number of blocks."""
    for topic, share in {_topic(each): each.share for each in peers}.items():
        await make_topic(servers.bootstrap, topic)
        await publish(servers.bootstrap, topic, World(share * block_count).messages(ESTIMATES))


def report(measured: Measured, options: argparse.Namespace, machine: str) -> None:
    """Print the table."""
    print(f"\nTopic to queryable. {machine}")
    print(
        f"{options.rounds} rounds; {options.blocks:,} blocks, {options.revised:,} in the other scenarios "
        f"(redelivered: all), {options.peer_blocks:,} for the slowest peer; seed {ESTIMATES.seed}; {SHARES}"
    )
    print(f"{'':<38}{'blocks/s':>12}   {'spread':>19}{'CPU µs/block: consumer':>24}{'PostgreSQL':>12}")
    rows = [(NAMES[each], measured.paces(each)) for each in SCENARIOS]
    compared = measured.compared
    rows += [
        (each.title, compared.paces(each.name))
        for each in (SERIAL, *BY_NAME.values())
        if each.name in compared.outcomes
    ]
    for name, paces in rows:
        own, postgres = (
            median(getattr(each, part) for each in paces) * 1e6 for part in ("consumer_seconds", "postgres_seconds")
        )
        print(f"{name:<38}{spread([each.blocks_per_second for each in paces])}{own:>24,.1f}{postgres:>12,.1f}")
    known = figures(measured)
    print(f"bytes/value (table and index): {known['bytes_per_value']:.2f}; peak of memory, load included: ", end="")
    print(f"{known['peak_rss_bytes'] / 2**20:,.0f} MiB")
    if compared.outcomes or compared.missing:
        compared.report(measured.paces("new"))


def figures(measured: Measured) -> dict[str, float]:
    """Return the flat figures, in base units. Ratios are medians of the rounds' own ratios."""
    known: dict[str, float] = {}
    for scenario in SCENARIOS:
        paces, prefix = measured.paces(scenario), "" if scenario == "new" else f"{scenario}_"
        known[f"{prefix}blocks_per_second"] = median(each.blocks_per_second for each in paces)
        known[f"{prefix}cpu_seconds_per_block"] = median(each.cpu_seconds_per_block for each in paces)
    known["values_per_second"] = known["blocks_per_second"] * SLICES
    known["bytes_per_value"] = median(each.bytes_per_value for each in measured.ours)
    known["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    known |= measured.compared.figures(measured.paces("new"))
    return known


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer blocks")
    parser.add_argument("--json", action="store_true", help="the figures as the last line, one JSON object")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, help="blocks in the topic; memory does not grow with them")
    parser.add_argument("--revised", type=int, help="blocks in each later scenario, three quarters of --blocks at most")
    parser.add_argument("--peer-blocks", type=int, help="blocks for the slowest peer; 0: no peers")
    parser.add_argument("--peers", nargs="*", choices=list(BY_NAME), default=list(BY_NAME), help="which; all of them")
    parser.add_argument("--run-records", type=int, default=MAX_RUN_RECORDS, help="greatest run that is applied at once")
    options = parser.parse_args()
    usual = (40_000, 20_000, 1_000) if options.short else (1_000_000, 200_000, 5_000)
    for name, count in zip(("blocks", "revised", "peer_blocks"), usual, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, count)
    if options.revised > options.blocks * 3 // 4:
        parser.error("--revised: three quarters of --blocks at most")
    return options


def main() -> None:
    options = parse_options()
    with started_servers() as servers:
        versions = describe("aiokafka", "polars", "pyarrow", "adbc-driver-postgresql", "numpy", "faust-streaming")
        machine = f"{versions}, Kafka 4.3.1, PostgreSQL {servers.version()}{peer_versions(options.peers)}"
        measured = asyncio.run(measure(servers, options))
    report(measured, options, machine)
    if options.json:
        print(json.dumps({name: round(figure, 9) for name, figure in figures(measured).items()}))


if __name__ == "__main__":
    main()
