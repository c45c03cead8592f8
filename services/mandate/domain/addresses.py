"""Addresses that a customer's browser is sent back to, and the roots they must begin with.

A root is compared as text, so it is held to one spelling: scheme, host in small letters, an explicit port or none, a
path that ends in a slash. That ending, and no user name before the host, keep `https://holder.example.evil/` and
`https://holder.example@evil/` out.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, NewType

ReturnRoot = NewType("ReturnRoot", str)

LENGTH_LIMIT: Final = 2000
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST: Final = r"(?P<host>[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])"
_PATH_LETTERS: Final = r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]"
_ROOT: Final = re.compile(rf"(?P<scheme>https?)://{_HOST}(:[0-9]{{1,5}})?/({_PATH_LETTERS}*/)?", re.ASCII)
_REST: Final = re.compile(rf"{_PATH_LETTERS}*(\?({_PATH_LETTERS}|\?)*)?", re.ASCII)


class InvalidAddress(ValueError):
    """The text is not a root that may be registered; the message says what is wrong, without the text itself."""


def parse_return_root(text: str, *, allows_loopback: bool = False) -> ReturnRoot:
    """Return `text` as a root: https and a slash at the end; with `allows_loopback` also http to this machine itself.

    Raises:
        InvalidAddress: anything else.
    """
    match = _ROOT.fullmatch(text) if len(text) <= LENGTH_LIMIT else None
    if match is None:
        raise InvalidAddress("a return root is https://host/ with a path that ends in a slash")
    if match["scheme"] == "http" and not (allows_loopback and match["host"] in _LOOPBACK):
        raise InvalidAddress("a return root is https")
    if _climbs(text):
        raise InvalidAddress("a return root has no .. in its path")
    return ReturnRoot(text)


def is_below(address: str, roots: Collection[str]) -> bool:
    """Whether `address` begins with one of `roots`, and goes on as an address may, without leaving the root."""
    if len(address) > LENGTH_LIMIT:
        return False
    rests = [address.removeprefix(root) for root in roots if address.startswith(root)]
    return any(_REST.fullmatch(rest) and not _climbs(rest.partition("?")[0]) for rest in rests)


def _climbs(path: str) -> bool:
    return any(part.lower().replace("%2e", ".") in {".", ".."} for part in path.split("/"))
