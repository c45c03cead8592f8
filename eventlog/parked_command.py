"""The role `replay-parked` of a service: a process that takes parked records in after all, and says what came of it.

Exit codes: 0 nothing that was meant is left, 1 something is, 2 wrong use.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any, Final, TypeVar

from sqlalchemy import Engine

from eventlog.database import create_engine, is_outage
from eventlog.halt import Coordinates
from eventlog.logs import setup_logging
from eventlog.parked import Letter, Wanted, find_letters
from eventlog.reason import Rule
from eventlog.registered import use_schema_registry
from eventlog.replay import NotReplayed, Replayed
from eventlog.settings import Settings, read_settings

_AT_ONCE: Final = 1_000
_log: Final = logging.getLogger(__name__)
OwnSettings = TypeVar("OwnSettings", bound=Settings)
Replays = Mapping[str, Callable[[Sequence[Letter]], Replayed]]
"""By the name of a projection: what takes parked records of it in after all."""


def run_replay_parked(
    arguments: Sequence[str],
    kind: type[OwnSettings],
    replays: Callable[[OwnSettings, Engine], AbstractContextManager[Replays]],
) -> int:
    """Replay what `arguments` say; the outcome goes to stdout as JSON, progress to stderr as logs."""
    parser = argparse.ArgumentParser(prog="replay-parked", description=__doc__)
    add_wanted(parser)
    wanted = read_wanted(parser.parse_args(arguments))
    settings = read_settings(kind)
    setup_logging(settings.service)
    use_schema_registry(settings.schema_registry, publishes="")
    engine = create_engine(settings.database_url.get_secret_value(), application_name=f"{settings.service}-parked")
    try:
        with replays(settings, engine) as known:
            outcome = replay(engine, wanted, known)
    except NotReplayed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except Exception as error:
        if not is_outage(error):
            raise
        sys.stderr.write(f"the database does not answer ({type(error).__name__}): type it again when it does\n")
        return 1
    finally:
        engine.dispose()
    sys.stdout.write(f"{json.dumps(outcome)}\n")
    return 1 if outcome["left"] else 0


def add_wanted(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which parked records are meant; all must fit."""
    parser.add_argument("--projection", default="", help="those of one projection")
    parser.add_argument("--at", type=place, metavar="TOPIC/PARTITION/OFFSET", help="one record")
    parser.add_argument("--stream", default="", help="those of one stream, as its ce_subject names it")
    parser.add_argument("--rule", default="", choices=["", *Rule], metavar="RULE", help="those that break one rule")


def read_wanted(options: argparse.Namespace) -> Wanted:
    """Return what the options of `add_wanted` say."""
    return Wanted(projection=options.projection, place=options.at, stream_id=options.stream, rule=options.rule)


def place(text: str) -> Coordinates:
    """Return coordinates, for argparse."""
    try:
        return Coordinates.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def replay(engine: Engine, wanted: Wanted, replays: Replays) -> dict[str, Any]:
    """Replay what is `wanted` and return the outcome: how many were applied or known already, and which are left."""
    with engine.begin() as tx:
        meant = find_letters(tx, wanted)
    total, done, outcome = len(meant), 0, Replayed()
    for some in _portions(meant, replays):
        outcome += replays[some[0].projection](some)
        done += len(some)
        _log.info("%d of %d records", done, total, extra={"facts": {"done": done, "total": total}})
    meant_places = {(each.projection, each.place) for each in meant}
    with engine.begin() as tx:
        parked = find_letters(tx, Wanted(projection=wanted.projection))
    left = [each for each in parked if (each.projection, each.place) in meant_places]
    return {
        "replayed": outcome.applied_count,
        "known": outcome.redelivered_count,
        "left": [
            {"projection": each.projection, "at": str(each.place), "rule": each.rule, "reason": each.reason}
            for each in left
        ],
    }


def _portions(letters: Sequence[Letter], replays: Replays) -> Iterator[Sequence[Letter]]:
    """Return records of one projection at a time, some hundreds of them; those of other services' projections never."""
    for projection, own in groupby(letters, key=lambda each: each.projection):
        together = list(own) if projection in replays else []
        for first in range(0, len(together), _AT_ONCE):
            yield together[first : first + _AT_ONCE]
