"""python -m services.metering api relay: one or several roles as one process; the role project keeps the store.

watch, alone, is the live watch over what arrives.
replay-parked, alone, takes parked readings in after all; with --help it says more.
rebuild, alone, makes the store again beside the live one; with --help it says more.
"""

from __future__ import annotations

import argparse
import sys

from eventlog.parked_command import run_replay_parked
from eventlog.rebuild_command import run_rebuild
from services.metering.app import ROLES, run_service
from services.metering.parked_app import replays
from services.metering.rebuild_app import rebuildables
from services.metering.settings import MeteringSettings
from services.metering.watch_app import run_watch


def main() -> None:
    """Read the roles from the command line and run them."""
    if sys.argv[1:2] == ["rebuild"]:
        sys.exit(run_rebuild(sys.argv[2:], MeteringSettings, rebuildables))
    if sys.argv[1:2] == ["replay-parked"]:
        sys.exit(run_replay_parked(sys.argv[2:], MeteringSettings, replays))
    if sys.argv[1:] == ["watch"]:
        run_watch()
        return
    parser = argparse.ArgumentParser(prog="services.metering", description=__doc__)
    parser.add_argument("roles", nargs="+", choices=ROLES)
    run_service(parser.parse_args().roles)


if __name__ == "__main__":
    main()
