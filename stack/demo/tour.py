"""What `kwartier up` says about the demo world: what is in it, and three things to try."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta

from market.channel import Energy, MeterKind, Resolution
from market.local_time import slice_count
from stack.demo.folk import ANOUK, CHLOE, HOLDERS
from stack.demo.marker import LINK, read_marker
from stack.demo.plan import DAY_COUNT, SUNNY, DemoPoint, Plan, demo_ean, make_plan
from stack.state import DEFAULT, State, read_json


def say_world(state: State) -> None:
    """Print what the state's demo world holds and what to do with it; nothing where there is none."""
    marker = read_marker(state)
    if marker is None:
        return
    plan = make_plan(marker.last_day, seed=marker.seed)
    endpoints = read_json(state.endpoints)
    addresses = {name: endpoints[name] for name in ("portal", "export")}
    link = marker.notes.get(LINK, "")
    print("\n".join(tour(plan, addresses, link=link, option=_option(state))), flush=True)


def say_empty(state: State) -> None:
    """Print what to do with a platform without a demo world."""
    portal, option = read_json(state.endpoints)["portal"], _option(state)
    print("three things to try:")
    print(f"  .venv/bin/kwartier import FILE{option}    a portal file, an Avro container or NDJSON")
    print(f"  .venv/bin/kwartier status{option}         what runs, and how far it is")
    print(f"  open {portal} in a browser and look at a point's day", flush=True)


def tour(plan: Plan, addresses: Mapping[str, str], *, link: str, option: str) -> list[str]:
    """Return the lines. `link` is the identifier of an unused consent link; `option` is what a command needs to find
    this state.
    """
    kinds = Counter(_kind(point) for point in plan.points)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    home, day, portal = demo_ean(SUNNY, 1), last_long_day(plan), addresses["portal"]
    command = f".venv/bin/kwartier download --ean {home} --from {day} --to {day} --granularity quarter{option}"
    holders = " and ".join(holder.name for holder in HOLDERS)
    return [
        f"the demo world: {len(plan.points)} points ({counts}), readings from {plan.first_day} to {plan.last_day}",
        f"  data access holders: {holders}; their API is at {addresses['export']}/esco-live/v3",
        "three things to try:",
        f"  {portal}    sign in as {ANOUK.sign_in}: her points, who may read them, and how to take that back",
        f"  {portal}/verbruik/dienstverlener?id={link}    sign in as {CHLOE.sign_in}: a holder asks for her consent",
        f"  {command}    a day of 25 hours",
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
    return "" if state.folder == DEFAULT.absolute() else f" --state {shlex.quote(str(state.folder))}"
