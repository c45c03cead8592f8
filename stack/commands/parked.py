"""`kwartier parked`: records that a projection could not use. Listed, looked at, replayed, given up."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from eventlog.parked import Letter, MayNotDiscard, Wanted, discard, find_letters
from eventlog.parked_command import add_wanted, place, read_wanted
from eventlog.reason import Rule
from stack.condition import ProjectionCondition, observe_projections
from stack.parked import SERVICES, has_letters, read_record, schema_of, service_of
from stack.parked_replay import replay_in
from stack.parked_view import show_lines, show_record
from stack.problem import Problem
from stack.running import kafka_access, read_endpoints
from stack.state import State

_SHOWN: Final = 1_000
_WHAT_TO_DO: Final = "nothing may pass it over: docs/operations.md, A projection halts"


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "parked",
        help="records that a projection could not use: list, show, replay, discard",
        description="Records that a projection could not use, with the rule that they break. What decides about "
        "permissions parks nothing: it halts, and list says at which record.",
    )
    verbs = own.add_subparsers(metavar="WHAT", required=True)
    _add_list(verbs)
    _add_show(verbs)
    _add_replay(verbs)
    _add_discard(verbs)
    return own


def _verb(verbs: Any, name: str, function: Any, words: str, more: str = "") -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=words, description=f"{words[0].upper()}{words[1:]}. {more}"
    )
    parser.add_argument("--state", type=_state, default=argparse.SUPPRESS, metavar="DIR", help="as for all commands")
    parser.set_defaults(verb=function)
    return parser


def _state(text: str) -> State:
    return State(Path(text).absolute())


def _add_list(verbs: Any) -> None:
    own = _verb(verbs, "list", _list, "list what is parked, and where a projection halts")
    own.add_argument("--projection", default="", help=f"of one of {', '.join(sorted(SERVICES))}")
    own.add_argument("--rule", default="", choices=["", *Rule], metavar="RULE", help="what breaks one rule")
    own.add_argument("--json", action="store_true", help="as JSON")


def _add_show(verbs: Any) -> None:
    more = "It may hold personal data: by default bytes are shown as hex, and headers by their names. "
    own = _verb(verbs, "show", _show, "show one record, parked or on its topic", more)
    own.add_argument("projection", metavar="PROJECTION")
    own.add_argument("at", type=place, metavar="TOPIC/PARTITION/OFFSET")
    own.add_argument("--decode", action="store_true", help="key, headers and content in words, as far as they go")
    own.add_argument("--raw", type=Path, metavar="FILE", help="write the bytes of the value there, and only tell")
    own.add_argument("--json", action="store_true", help="as JSON")


def _add_replay(verbs: Any) -> None:
    more = "Once the cause is gone. Exit code 1 where some of what was meant is parked still. "
    own = _verb(verbs, "replay", _replay, "take parked records in after all", more)
    add_wanted(own)
    own.add_argument("--all", action="store_true", help="all that is parked")
    own.add_argument("--json", action="store_true", help="the outcome as JSON")


def _add_discard(verbs: Any) -> None:
    more = "It is kept, with the reason, and what it says never takes effect. Of a stream only the first one can go. "
    own = _verb(verbs, "discard", _discard, "give up one parked record", more)
    own.add_argument("projection", metavar="PROJECTION")
    own.add_argument("at", type=place, metavar="TOPIC/PARTITION/OFFSET")
    own.add_argument("--reason", required=True, metavar="TEXT", help="why, for whoever looks later; no personal data")


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked; return 0 where it is done."""
    return int(arguments.verb(arguments))


def _list(arguments: argparse.Namespace) -> int:
    endpoints = read_endpoints(arguments.state)
    services = {service_of(arguments.projection)} if arguments.projection else set(SERVICES.values())
    wanted = Wanted(projection=arguments.projection, rule=arguments.rule)
    found: list[Letter] = []
    for service in sorted(services):
        with schema_of(arguments.state, endpoints, service) as engine, engine.begin() as tx:
            found += find_letters(tx, wanted) if has_letters(tx) else []
    halts = [
        each for each in observe_projections(endpoints)[0] if each.halts and arguments.projection in {"", each.name}
    ]
    if arguments.json:
        print(json.dumps({"parked": [_as_json(each) for each in found], "halts": _halts(halts)}, indent=2))
    else:
        _print_list(found, halts)
    return 0


def _print_list(found: list[Letter], halts: list[ProjectionCondition]) -> None:
    for each in found[:_SHOWN]:
        print(f"{each.projection}  {each.place}  {each.rule or 'unnamed'}  {each.parked_at:%FT%TZ}  {each.reason}")
    if len(found) > _SHOWN:
        print(f"and {len(found) - _SHOWN} more: all of them with --json, or give --projection and --rule")
    print(f"{len(found)} parked")
    for halt in _halts(halts):
        print(f"{halt['projection']} HALTS at {halt['at']}  {halt['rule']}  {halt['reason']}; {_WHAT_TO_DO}")


def _halts(found: list[ProjectionCondition]) -> list[dict[str, str]]:
    return [{"projection": each.name, **halt} for each in found for halt in each.halts]


def _as_json(letter: Letter) -> dict[str, str]:
    return {
        "projection": letter.projection,
        "at": str(letter.place),
        "rule": letter.rule,
        "reason": letter.reason,
        "parked_at": letter.parked_at.isoformat(),
    }


def _show(arguments: argparse.Namespace) -> int:
    endpoints = read_endpoints(arguments.state)
    letter = _find(arguments, endpoints, is_parked=False)
    record = letter or read_record(kafka_access(endpoints), arguments.at)
    if arguments.raw is not None:
        try:
            arguments.raw.write_bytes(record.value or b"")
        except OSError as error:
            raise Problem(
                f"{arguments.raw} cannot be written ({error.strerror}): give another file", exit_code=2
            ) from None
    shown = show_record(record, letter, decodes=arguments.decode)
    print(json.dumps(shown, indent=2) if arguments.json else show_lines(shown, is_short=arguments.raw is not None))
    return 0


def _find(arguments: argparse.Namespace, endpoints: dict[str, Any], *, is_parked: bool) -> Letter | None:
    wanted = Wanted(projection=arguments.projection, place=arguments.at, is_parked=is_parked)
    service = service_of(arguments.projection)
    with schema_of(arguments.state, endpoints, service) as engine, engine.begin() as tx:
        return next(iter(find_letters(tx, wanted)), None)


def _replay(arguments: argparse.Namespace) -> int:
    wanted = read_wanted(arguments)
    if not arguments.all and wanted == Wanted():
        raise Problem("say which: --at, --projection, --stream, --rule or --all", exit_code=2)
    return replay_in(arguments.state, wanted, is_json=arguments.json)


def _discard(arguments: argparse.Namespace) -> int:
    endpoints = read_endpoints(arguments.state)
    letter = _find(arguments, endpoints, is_parked=True)
    if letter is None:
        raise Problem(f"{arguments.at} is not parked by {arguments.projection}: look at kwartier parked list")
    with schema_of(arguments.state, endpoints, service_of(arguments.projection)) as engine:
        try:
            with engine.begin() as tx:
                discard(tx, letter, arguments.reason)
        except MayNotDiscard as error:
            raise Problem(str(error)) from None
    print(f"{arguments.at} is given up")
    return 0
