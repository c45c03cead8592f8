"""The drill on real servers: python -m tests.faults.drill (make faults). Exit code 1 at the first wrong row."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import shutil
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path
from typing import Final

from stack.problem import Problem
from stack.terminal import complain, progress
from tests.faults.drill.faults import BY_NAME
from tests.faults.drill.plan import Plan
from tests.faults.drill.rounds import Row, run_rounds
from tests.faults.drill.volume import enter_namespace

_RESULTS: Final = sys.stdout
_COLUMNS: Final = (
    ("round", 5),
    ("records", 8),
    ("re-sent", 7),
    ("lost", 5),
    ("doubled", 7),
    ("out of order", 12),
    ("parked/poison", 13),
    ("checkpoints", 11),
    ("caught up", 9),
    ("row", 5),
)


def main() -> None:
    """Run a drill and print its table."""
    plan = read_plan(sys.argv[1:])
    enter_namespace("tests.faults.drill")
    if plan.seed < 0:
        plan = read_plan([*sys.argv[1:], "--seed", str(random.randrange(1_000_000))])
    try:
        sys.exit(asyncio.run(drill(plan)))
    except Problem as problem:
        complain(str(problem), problem.detail)
        sys.exit(problem.exit_code)


def read_plan(arguments: list[str]) -> Plan:
    """Return what `arguments` ask for; ends with exit code 2 where they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.drill", description=__doc__)
    parser.add_argument("--seed", type=int, default=-1, help="faults in the order of an earlier drill")
    parser.add_argument("--seconds", type=float, default=600, help="least time of faults (default 600)")
    parser.add_argument("--records", type=int, default=200_000, help="least number of records (default 200,000)")
    parser.add_argument("--brokers", type=int, default=3, help="brokers of the cluster (default 3)")
    parser.add_argument("--short", action="store_true", help="five rounds of several faults, as in make test")
    parser.add_argument("--only", choices=sorted(BY_NAME), default="", help="one fault, again and again")
    parser.add_argument("--without-epoch", action="store_true", help="take the guard out, to see that the drill fails")
    asked = parser.parse_args(arguments)
    return Plan(
        seed=asked.seed,
        seconds=asked.seconds,
        record_count=asked.records,
        broker_count=asked.brokers,
        is_short=asked.short,
        is_guarded=not asked.without_epoch,
        only=asked.only,
    )


async def drill(plan: Plan) -> int:
    """Print a row per round; return the exit code."""
    show(f"seed {plan.seed}")
    show("  ".join(name.rjust(width) for name, width in _COLUMNS) + "  what was done")
    folder = Path(tempfile.mkdtemp(prefix="kwartier-drill-"))
    logging.basicConfig(filename=folder / "drill.log", format="%(asctime)s %(name)s %(message)s", level=logging.INFO)
    began, done = time.monotonic(), ""
    with progress() as report:
        async with aclosing(run_rounds(plan, folder, report)) as rows:
            async for row in rows:
                show(line(row))
                done = f"{row.number} rounds, {row.record_count} records"
                if not row.is_good:
                    for note in filter(None, (*row.findings.notes, row.caught_up.rest)):
                        show(f"  {note}")
                    show(f"wrong; the logs are in {folder}; again: make faults SEED={plan.seed}")
                    return 1
    shutil.rmtree(folder)
    show(f"every row is as it should be: {done}, {(time.monotonic() - began) / 60:.1f} min")
    return 0


def line(row: Row) -> str:
    """Return the row as a line of the table."""
    found = row.findings
    parked = f"{row.poison_count - found.misparked}/{row.poison_count}"
    cells = (
        f"{row.number}",
        f"{row.record_count}",
        f"{row.resent_count}",
        f"{found.lost}",
        f"{found.doubled}",
        f"{found.out_of_order}",
        parked,
        "= ends" if row.caught_up.is_done else "BEHIND",
        f"{row.caught_up.seconds:.1f} s",
        "ok" if row.is_good else "WRONG",
    )
    return "  ".join(cell.rjust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True)) + f"  {row.done}"


def show(text: str) -> None:
    """Print a line at once: above the moving one on a terminal, else where the output goes."""
    out = sys.stdout if _RESULTS.isatty() else _RESULTS
    out.write(f"{text}\n")
    out.flush()


if __name__ == "__main__":
    main()
