"""Topic to queryable: how many blocks a second the quarter-hour store takes from Kafka into PostgreSQL.

One process, with everything on: checks, merge rules, history, the day's algebra, the outbox. Beside it, in the same
run, its peers. All clocks run from the first record in hand to the last one committed; imports, group joining and a
first small run lie outside.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from parts.dataset import ESTIMATES, SHARES, SLICES, Message, make_topic, messages, publish
from parts.machine import describe
from parts.ours import SCENARIOS, Outcome, Plan, measure_ours, table_bytes
from parts.pace import DEADLINE_SECONDS, Pace
from parts.servers import Servers, started_servers
from parts.spread import spread

from services.metering.projector import MAX_RUN_RECORDS

PEER = Path(__file__).parent / "peers" / "faust_rows.py"
NAMES = {
    "new": "ours, new blocks",
    "mixed": "ours, a tenth revises",
    "redelivered": "ours, all redelivered",
    "resent": "ours, all sent again",
    "revised": "ours, all revised",
}


@dataclass
class Measured:
    """What each round gave, and bytes of table and index per value of the peer."""

    ours: list[Outcome] = field(default_factory=list)
    faust: list[Pace] = field(default_factory=list)
    faust_bytes_per_value: list[float] = field(default_factory=list)

    def paces(self, scenario: str) -> list[Pace]:
        return [each.paces[scenario] for each in self.ours]


async def measure_faust(servers: Servers, name: str, sent: list[Message]) -> tuple[Pace, float]:
    """Return the pace and the bytes per value of the peer."""
    await make_topic(servers.bootstrap, name)
    await publish(servers.bootstrap, name, sent)
    with servers.schema(name.replace("-", "_")) as url:
        before = servers.postgres_cpu_seconds()
        program = [sys.executable, str(PEER), servers.bootstrap, name, url, str(len(sent))]
        done = await asyncio.to_thread(
            subprocess.run, program, capture_output=True, text=True, check=True, timeout=DEADLINE_SECONDS
        )
        clock, own_cpu = map(float, done.stdout.split()[-2:])
        postgres = servers.postgres_cpu_seconds() - before
        pace = Pace(len(sent) / clock, own_cpu / len(sent), postgres / len(sent))
        return pace, table_bytes(url, "reading") / (len(sent) * SLICES)


async def measure(servers: Servers, options: argparse.Namespace) -> Measured:
    """Run all rounds, ours and the peer in turn."""
    plan = Plan(options.blocks, options.revised, options.run_records)
    await measure_ours(servers, "warm", Plan(4_000, 1_000, options.run_records))
    measured = Measured()
    peer_messages = messages(options.peer_blocks, ESTIMATES) if options.peer_blocks else []
    for number in range(options.rounds):
        measured.ours.append(await measure_ours(servers, f"ours-{number}", plan))
        paces = [measured.ours[-1].paces[each].blocks_per_second for each in SCENARIOS]
        print(f"round {number + 1}: {', '.join(f'{each:,.0f}' for each in paces)} blocks/s", flush=True)
        if peer_messages:
            faust, size = await measure_faust(servers, f"faust-{number}", peer_messages)
            measured.faust.append(faust)
            measured.faust_bytes_per_value.append(size)
    return measured


def report(measured: Measured, options: argparse.Namespace, machine: str) -> None:
    """Print the table."""
    print(f"\nTopic to queryable. {machine}")
    print(
        f"{options.rounds} rounds; {options.blocks:,} blocks, {options.revised:,} in the other scenarios "
        f"(redelivered: all), {options.peer_blocks:,} for the peer; seed {ESTIMATES.seed}; {SHARES}"
    )
    print(f"{'':<24}{'blocks/s':>12}   {'spread':>19}{'CPU µs/block: consumer':>24}{'PostgreSQL':>12}")
    rows = [(NAMES[each], measured.paces(each)) for each in SCENARIOS]
    rows += [("Faust, a row per value", measured.faust)] if measured.faust else []
    for name, paces in rows:
        own, postgres = (
            median(getattr(each, part) for each in paces) * 1e6 for part in ("consumer_seconds", "postgres_seconds")
        )
        print(f"{name:<24}{spread([each.blocks_per_second for each in paces])}{own:>24,.1f}{postgres:>12,.1f}")
    known = figures(measured)
    print(f"bytes/value (table and index): {known['bytes_per_value']:.2f}; peak of memory, load included: ", end="")
    print(f"{known['peak_rss_bytes'] / 2**20:,.0f} MiB")
    if measured.faust:
        print(
            f"ours to Faust: {known['ratio_faust']:.0f} by the clock, {known['ratio_faust_cpu']:.0f} by processor time"
        )


def figures(measured: Measured) -> dict[str, float]:
    """Return the flat figures, in base units. The ratio by the clock is the median of the rounds' own ratios."""
    known: dict[str, float] = {}
    for scenario in SCENARIOS:
        paces, prefix = measured.paces(scenario), "" if scenario == "new" else f"{scenario}_"
        known[f"{prefix}blocks_per_second"] = median(each.blocks_per_second for each in paces)
        known[f"{prefix}cpu_seconds_per_block"] = median(each.cpu_seconds_per_block for each in paces)
    known["values_per_second"] = known["blocks_per_second"] * SLICES
    known["bytes_per_value"] = median(each.bytes_per_value for each in measured.ours)
    known["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if measured.faust:
        pairs = zip(measured.paces("new"), measured.faust, strict=True)
        faust_cpu = median(each.cpu_seconds_per_block for each in measured.faust)
        known |= {
            "faust_blocks_per_second": median(each.blocks_per_second for each in measured.faust),
            "faust_cpu_seconds_per_block": faust_cpu,
            "faust_bytes_per_value": median(measured.faust_bytes_per_value),
            "ratio_faust": median(ours.blocks_per_second / peer.blocks_per_second for ours, peer in pairs),
            "ratio_faust_cpu": faust_cpu / known["cpu_seconds_per_block"],
        }
    return known


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer blocks")
    parser.add_argument("--json", action="store_true", help="the figures as the last line, one JSON object")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, help="blocks in the topic; memory does not grow with them")
    parser.add_argument("--revised", type=int, help="blocks in each later scenario, three quarters of --blocks at most")
    parser.add_argument("--peer-blocks", type=int, help="blocks for the peer; 0 leaves it out")
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
        machine = f"{versions}, Kafka 4.3.1, PostgreSQL {servers.version()}"
        measured = asyncio.run(measure(servers, options))
    report(measured, options, machine)
    if options.json:
        print(json.dumps({name: round(figure, 9) for name, figure in figures(measured).items()}))


if __name__ == "__main__":
    main()
