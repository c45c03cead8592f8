"""The role `rebuild` of a service: a process that makes a projection again beside the live one, and ends.

Exit codes: 0 done, and alike where it was compared; 1 different, or it could not be done; 2 wrong use.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from eventlog.database import is_outage
from eventlog.halt import ProjectionStopped
from eventlog.logs import setup_logging
from eventlog.rebuild import RebuildStopped
from eventlog.rebuilding import Show
from eventlog.registered import use_schema_registry
from eventlog.replaying import carry_out
from eventlog.settings import Settings, read_settings
from eventlog.versions import REBUILD, NoRoom, Rebuildable, is_version
from eventlog.wish import Wish

_SHOW_SECONDS: Final = 1.0
_log: Final = logging.getLogger(__name__)
OwnSettings = TypeVar("OwnSettings", bound=Settings)


def run_rebuild(
    arguments: Sequence[str],
    kind: type[OwnSettings],
    projections: Callable[[OwnSettings], Mapping[str, Rebuildable]],
) -> int:
    """Do what `arguments` say with one of `projections`; say so on stdout, progress as logs on stderr."""
    parser = _parser()
    options = parser.parse_args(arguments)
    settings = read_settings(kind)
    setup_logging(settings.service)
    use_schema_registry(settings.schema_registry, publishes="")
    known = projections(settings)
    if options.projection not in known:
        parser.error(f"{options.projection} cannot be rebuilt here: give one of {', '.join(sorted(known))}")
    wish = Wish(
        version=options.drop or options.version,
        drops=bool(options.drop),
        follows=options.follow,
        switches=options.switch,
        accepts_differences=options.accept_differences,
    )
    try:
        url = settings.database_url.get_secret_value()
        outcome = carry_out(wish, known[options.projection], url, settings.kafka, show=_log_each_second())
    except (NoRoom, RebuildStopped, ProjectionStopped) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except Exception as error:
        if not is_outage(error):
            raise
        sys.stderr.write(f"the database does not answer ({type(error).__name__}): type it again when it does\n")
        return 1
    said = [json.dumps(outcome.as_json())] if options.json else outcome.lines()
    sys.stdout.write("".join(f"{line}\n" for line in said))
    return outcome.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rebuild", description=__doc__)
    parser.add_argument("projection", metavar="PROJECTION")
    add_wishes(parser)
    return parser


def add_wishes(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is to be done with which version."""
    parser.add_argument(
        "--version",
        type=_version,
        default=REBUILD,
        help="a version that is kept and goes on where it stands; without, one begins clean and is gone afterwards",
    )
    parser.add_argument("--follow", action="store_true", help="keep the version up to date until stopped")
    parser.add_argument("--switch", action="store_true", help="put the version in the place of the live one")
    parser.add_argument(
        "--accept-differences",
        action="store_true",
        help="switch although they differ, as a new version of the code may",
    )
    parser.add_argument("--drop", type=_version, metavar="VERSION", help="remove a version and its rows")
    parser.add_argument("--json", action="store_true", help="the outcome as one JSON object")


def _version(name: str) -> str:
    if not is_version(name):
        raise argparse.ArgumentTypeError("a version has 1 to 16 small letters and digits")
    return name


def _log_each_second() -> Show:
    began: dict[str, tuple[float, int]] = {}
    shown_at = 0.0

    def show(step: str, done: int, total: int) -> None:
        nonlocal shown_at
        now = time.monotonic()
        since, first = began.setdefault(step, (now, done))
        if now - shown_at < _SHOW_SECONDS and done < total:
            return
        shown_at = now
        line = step
        if total:
            rate = (done - first) / (now - since) if now > since else 0.0
            left = f", {(total - done) / rate:,.0f} s left" if rate else ""
            line = f"{step}: {done:,} of {total:,} records, {rate:,.0f}/s{left}"
        _log.info("%s", line, extra={"facts": {"step": step, "done": done, "total": total}})

    return show
