"""Which port serves what, and whether it is free."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from stack.problem import Problem

HOST = "127.0.0.1"
DEFAULT_BASE = 8400
OFFSETS = {
    "portal": 0,
    "register": 1,
    "mandate": 2,
    "metering": 3,
    "export": 4,
    "metering-project": 5,
    "identity": 6,
    "oidc": 7,
    "kafka": 8,
    "kafka-controller": 9,
    "postgres": 10,
    "metering-watch": 11,
}
STEP = 20
_CLAIMS: list[int] = []
LAST_BASE = 60_000


def is_free(port: int, host: str = HOST) -> bool:
    """Return whether somebody could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int, host: str = HOST) -> list[int]:
    """Return `count` different ports that the system calls free."""
    probes = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def ports_from(base: int, names: Collection[str]) -> dict[str, int]:
    """Return the port of each of `names` with the portal on `base`."""
    return {name: base + offset for name, offset in OFFSETS.items() if name in names}


def claim_base(base: int) -> bool:
    """Claim the ports from `base` on for as long as this process lives; return whether no other platform has them.

    Between choosing a port and listening on it lie seconds, in which another start would find it free as well.
    """
    path = Path(tempfile.gettempdir()) / f"kwartier-{os.getuid()}-{base}.lock"
    claim = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(claim)
        return False
    _CLAIMS.append(claim)
    return True


def choose_ports(
    names: Collection[str],
    *,
    base: int | None,
    last: Mapping[str, int] | None,
    claim: Callable[[int], bool] = lambda _: True,
) -> dict[str, int]:
    """Return a free port per name: from `base`, else those of `last` time, else 8400 and up, else free ones.

    `claim` has the last word about a base that is free.

    Raises:
        Problem: `base` was asked for and one of its ports is taken; or nothing is free.
    """
    if base is not None:
        ports = ports_from(base, names)
        for name, port in ports.items():
            if not is_free(port):
                raise Problem(f"port {port} ({name}) is taken: end what uses it, or give another --port BASE")
        if not claim(base):
            raise Problem(f"the ports from {base} on are another platform's: end it, or give another --port BASE")
        return ports
    if last:
        # What this version has more than the one that wrote them down lies where it would have.
        ports = {**ports_from(last.get("portal", DEFAULT_BASE), names), **{n: last[n] for n in names if n in last}}
        if all(is_free(port) for port in ports.values()) and claim(last.get("portal", DEFAULT_BASE)):
            return ports
    for candidate in range(DEFAULT_BASE, LAST_BASE, STEP):
        ports = ports_from(candidate, names)
        if all(is_free(port) for port in ports.values()) and claim(candidate):
            return ports
    raise Problem(f"no {len(names)} ports in a row are free from {DEFAULT_BASE} on: give a --port BASE")
