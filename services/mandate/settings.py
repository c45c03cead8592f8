"""What mandate is told from outside; environment names are the upper-case field names."""

from __future__ import annotations

from pydantic import PositiveFloat

from eventlog.settings import Settings


class MandateSettings(Settings):
    """Settings of mandate beside those that every service has.

    `timer_seconds` is how often the calendar is looked at. `allows_loopback_returns` lets holders register return roots
    on this very machine, for demonstrations. Register has `register_connect_seconds` to take a call and
    `register_answer_seconds` to answer it.
    """

    service: str = "mandate"
    timer_seconds: PositiveFloat = 1.0
    allows_loopback_returns: bool = False
    register_connect_seconds: PositiveFloat = 2.0
    register_answer_seconds: PositiveFloat = 5.0
