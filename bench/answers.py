"""Answers: the days of one point as Arrow over HTTP from metering's `GET /blocks`, with many blocks stored.

The service runs as in production: one process, tokens checked, requests measured and logged. A clock runs in the client
from the first byte of a question to the last one of its answer, on a connection that stays open; the points asked for
have been asked for before (warm). The plain peer answers from a row per value with the framework's JSON, checks no
token, and has the asked points alone in its table, in its favour. Both are asked in turn in each round.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import psycopg
from parts.asking import Server, body_of, requests_per_second, seconds_of
from parts.dataset import ESTIMATES, SLICES, World
from parts.issuer import running_issuer
from parts.loading import fill_store
from parts.machine import describe
from parts.metering import START_SECONDS, running_metering
from parts.servers import Servers, started_servers
from pyarrow import ipc

from services.metering.stored_values import MISSING
from stack import child
from stack.part import answers
from stack.ports import free_ports
from stack.readiness import wait_until_ready

BENCH = Path(__file__).parent
YEAR = 2025
# All but the two days on which the clock changes: the data set has days of 24 hours.
DAYS = tuple(
    day
    for day in (date(YEAR, 1, 1) + timedelta(days=place) for place in range(365))
    if day not in (date(YEAR, 3, 30), date(YEAR, 10, 26))
)
SPANS = {
    "day": (date(YEAR, 6, 18), date(YEAR, 6, 18)),
    "month": (date(YEAR, 6, 1), date(YEAR, 6, 30)),
    "half_year": (date(YEAR, 1, 1), date(YEAR, 6, 30)),
    "year": (date(YEAR, 1, 1), date(YEAR, 12, 31)),
}
POINTS = 50
CLIENTS = 8
SEED = 1
PLAIN_SHARE = 20


@dataclass
class Measured:
    """Of each span, in each round: seconds (p50, p99) at one client and requests a second at several."""

    p50: dict[str, list[float]] = field(default_factory=dict)
    p99: dict[str, list[float]] = field(default_factory=dict)
    rate: dict[str, list[float]] = field(default_factory=dict)

    def add(self, server: Server, span: str, paths: Sequence[str]) -> None:
        """Ask `paths` at one client and then at several."""
        taken = sorted(seconds_of(server, paths))
        self.p50.setdefault(span, []).append(median(taken))
        self.p99.setdefault(span, []).append(taken[min(len(taken) - 1, len(taken) * 99 // 100)])
        self.rate.setdefault(span, []).append(requests_per_second(server, paths, CLIENTS))


@contextmanager
def served(servers: Servers, url: str, folder: Path) -> Iterator[Server]:
    """Run metering's role `api` on the store of `url`."""
    with (
        running_issuer() as issuer,
        running_metering(servers, "api", url, folder, {"TRUSTED_ISSUERS": issuer.trusted()}) as metering,
    ):
        yield Server(metering.port, {"Authorization": f"Bearer {issuer.token()}"})


@contextmanager
def served_plainly(url: str, folder: Path) -> Iterator[Server]:
    """Run the plain peer on its table in the schema of `url`."""
    (port,) = free_ports(1)
    program = [sys.executable, "-m", "peers.plain_answers", str(port), url]
    process = child.start("plain", program, log=folder / "plain.log", cwd=BENCH)
    try:
        wait_until_ready(process, lambda: answers(f"http://127.0.0.1:{port}/docs"), timeout_seconds=START_SECONDS)
        yield Server(port, {})
    finally:
        process.stop()


def copy_plainly(server: Server, url: str, eans: Sequence[str]) -> None:
    """Give the peer the same values of `eans`, a row each."""
    from peers.plain_answers import metadata
    from sqlalchemy import create_engine

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    metadata.create_all(engine)
    engine.dispose()
    with psycopg.connect(url) as connection:
        for ean in eans:
            rows = ipc.open_stream(body_of(server, path_of(ean, "year"))).read_all().to_pylist()
            with connection.cursor().copy("copy plain_reading from stdin") as copy:
                for row in rows:
                    for place, value in enumerate(memoryview(row["values"]).cast("i")):
                        known = None if value == MISSING else value
                        key = (int(ean), row["channel"], row["day"], place)
                        copy.write_row((*key, known, row["quality"][place], ESTIMATES.source_at))
        connection.execute("analyze plain_reading")


def path_of(ean: str, span: str) -> str:
    """Return what to ask for the days of `span` of a point."""
    first_day, last_day = SPANS[span]
    return f"/blocks?ean={ean}&from={first_day}&to={last_day}"


def measure(servers: Servers, options: argparse.Namespace) -> tuple[Measured, Measured]:
    """Fill the store, then ask ours and the peer in turn."""
    chance = random.Random(SEED)
    world = World(options.blocks, DAYS)
    ours, plain = Measured(), Measured()
    with ExitStack() as stack:
        url = stack.enter_context(servers.schema("metering"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kwartier-bench-")))
        seconds = fill_store(url, world)
        print(f"stored {options.blocks:,} blocks of {world.point_count:,} points in {seconds:.0f} s", flush=True)
        count = min(POINTS, world.point_count)
        eans = [str(world.ean(number)) for number in chance.sample(range(world.point_count), count)]
        server = stack.enter_context(served(servers, url, folder))
        copy_plainly(server, url, eans[: options.plain_points])
        peer = stack.enter_context(served_plainly(url, folder))
        for span in SPANS:
            seconds_of(server, [path_of(ean, span) for ean in eans])
            seconds_of(peer, [path_of(ean, span) for ean in eans[:2]])
        for number in range(options.rounds):
            for span in SPANS:
                asked = options.questions if span in ("day", "month") else max(options.questions // 4, CLIENTS)
                ours.add(server, span, [path_of(chance.choice(eans), span) for _ in range(asked)])
                few = eans[: options.plain_points]
                asked = max(asked // PLAIN_SHARE, CLIENTS)
                plain.add(peer, span, [path_of(chance.choice(few), span) for _ in range(asked)])
            print(f"round {number + 1}: month {ours.p50['month'][-1] * 1e3:.2f} ms", flush=True)
    return ours, plain


def report(ours: Measured, plain: Measured, options: argparse.Namespace, machine: str) -> None:
    """Print the table."""
    print(f"\nAnswers over HTTP. {machine}")
    print(
        f"{options.rounds} rounds; {options.blocks:,} blocks of {SLICES} values (seed {ESTIMATES.seed}); "
        f"{options.questions:,} questions a round about {POINTS} points at most"
    )
    print(f"{'ms':<24}{'p50':>8}  {'spread':<16}{'p99':>8}{f'requests/s, {CLIENTS} clients':>26}{'ours to it':>12}")
    for name, measured in (("ours", ours), ("plain", plain)):
        for span in SPANS:
            p50 = [each * 1e3 for each in measured.p50[span]]
            bounds = f"{min(p50):.2f} to {max(p50):.2f}"
            factor = f"{ratio(ours, plain, span):.0f}" if measured is plain else ""
            line = f"{f'{name}, {span}'.replace('_', ' '):<24}{median(p50):>8.2f}  {bounds:<16}"
            print(f"{line}{median(measured.p99[span]) * 1e3:>8.2f}{median(measured.rate[span]):>26,.0f}{factor:>12}")


def ratio(ours: Measured, plain: Measured, span: str) -> float:
    """Return how many times faster ours answers at one client: the median of the rounds' own ratios."""
    return median(theirs / mine for theirs, mine in zip(plain.p50[span], ours.p50[span], strict=True))


def figures(ours: Measured, plain: Measured) -> dict[str, float]:
    """Return the flat figures, in base units; `ratio_plain` is that of a month."""
    known = {"ratio_plain": ratio(ours, plain, "month")}
    for span in SPANS:
        known[f"{span}_p50_seconds"] = median(ours.p50[span])
        known[f"{span}_p99_seconds"] = median(ours.p99[span])
        known[f"{span}_requests_per_second"] = median(ours.rate[span])
        known[f"ratio_plain_{span}"] = ratio(ours, plain, span)
    return known


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer blocks and questions")
    parser.add_argument("--json", action="store_true", help="the figures as the last line, one JSON object")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, help="blocks in the store")
    parser.add_argument("--questions", type=int, help="questions about a month in each round")
    parser.add_argument("--plain-points", type=int, default=5, help="points in the plain peer's table")
    options = parser.parse_args()
    usual = (20_000, 200) if options.short else (1_000_000, 2_000)
    for name, count in zip(("blocks", "questions"), usual, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, count)
    return options


def main() -> None:
    options = parse_options()
    with started_servers() as servers:
        versions = describe("fastapi", "uvicorn", "psycopg", "pyarrow", "numpy", "sqlalchemy")
        machine = f"{versions}, PostgreSQL {servers.version()}"
        ours, plain = measure(servers, options)
    report(ours, plain, options, machine)
    if options.json:
        print(json.dumps(figures(ours, plain)))


if __name__ == "__main__":
    main()
