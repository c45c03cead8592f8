"""How the register says no. The words go to the caller: they name the rule, never a point or a person."""

from __future__ import annotations


class RegistrationRefused(Exception):
    """A rule forbids the command; the message says which, without naming the point."""


class NoSuchPoint(RegistrationRefused):
    """The command is about a point that the register does not know."""

    def __init__(self) -> None:
        super().__init__("the register does not know this point; register it first")
