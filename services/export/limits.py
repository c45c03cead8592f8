"""How often a holder may come: a sustained rate, and a burst on top of it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Final

from eventlog.problems import Problem

_KEPT: Final = 10_000


class TooManyRequests(Problem):
    """The holder came too often: 429 with the whole seconds until it may come again."""

    def __init__(self, seconds: float) -> None:
        message = "too many requests; come again after the seconds in Retry-After"
        super().__init__(429, "TooManyRequests", message, headers={"Retry-After": str(max(1, math.ceil(seconds)))})


class RateLimit:
    """A bucket of `burst` tokens per holder, filled with `per_second`; each process has its own."""

    def __init__(self, *, per_second: float, burst: int, monotonic: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, holder: str) -> None:
        """Take one token of `holder`.

        Raises:
            TooManyRequests: there is none left.
        """
        with self._lock:
            now = self._monotonic()
            tokens, since = self._buckets.get(holder, (float(self._burst), now))
            tokens = min(self._burst, tokens + (now - since) * self._per_second)
            if tokens < 1:
                self._buckets[holder] = (tokens, now)
                raise TooManyRequests((1 - tokens) / self._per_second)
            self._buckets[holder] = (tokens - 1, now)
            if len(self._buckets) > _KEPT:
                self._forget(now)

    def _forget(self, now: float) -> None:
        """Drop the full buckets: they say nothing."""
        full = self._burst / self._per_second
        self._buckets = {name: (left, since) for name, (left, since) in self._buckets.items() if now - since < full}
