"""What `kwartier up` says about the demo world: what is in it, and three things to try."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from market.channel import Energy, MeterKind, Resolution
from market.local_time import slice_count
from stack.demo.marker import read_marker
from stack.demo.plan import DAY_COUNT, DemoPoint, Plan, make_plan
from stack.state import DEFAULT, State, read_json


def say_world(state: State) -> None:
    """Print what the state's demo world holds and what to do with it; nothing where there is none."""
    marker = read_marker(state)
    if marker is None:
        return
    plan = make_plan(marker.last_day, seed=marker.seed)
    portal = read_json(state.endpoints)["portal"]
    print("\n".join(tour(plan, portal=portal, option=_option(state))), flush=True)


def say_empty(state: State) -> None:
    """Print what to do with a platform without a demo world."""
    portal, option = read_json(state.endpoints)["portal"], _option(state)
    print("three things to try:")
    print(f"  .venv/bin/kwartier import FILE{option}    a portal file, an Avro container or NDJSON")
    print(f"  .venv/bin/kwartier status{option}         what runs, and how far it is")
    print(f"  open {portal} in a browser and look at a point's day", flush=True)


def tour(plan: Plan, *, portal: str, option: str) -> list[str]:
    """Return the lines; `option` is what must be added to a command for this state."""
    kinds = Counter(_kind(point) for point in plan.points)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    sunny = next(point for point in plan.points if point.sun_kwp and not point.sub)
    october = last_long_day(plan)
    download = f".venv/bin/kwartier download --ean {sunny.ean} --from {october} --to {october}"
    return [
        f"the demo world: {len(plan.points)} points ({counts}), readings from {plan.first_day} to {plan.last_day}",
        "three things to try:",
        f"  open {portal}, sign in as operator and look at point {sunny.ean}",
        f"  {download} --granularity quarter{option}    a day of 25 hours",
        f"  .venv/bin/kwartier status{option}    what runs, and how far it is",
    ]


def last_long_day(plan: Plan) -> date:
    """Return the last day of 25 hours in the plan; 400 days always hold one."""
    days = (plan.last_day - timedelta(days=number) for number in range(DAY_COUNT))
    return next(day for day in days if slice_count(Energy.ELECTRICITY, Resolution.HOURLY, day) == 25)


def _kind(point: DemoPoint) -> str:
    if point.meter_kind is MeterKind.AMR:
        return "large"
    if point.energy is Energy.GAS:
        return "gas"
    return "with sun" if point.sun_kwp else "without sun"


def _option(state: State) -> str:
    return "" if state.folder == DEFAULT.absolute() else f" --state {state.folder}"
