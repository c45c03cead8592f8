"""What the supervisor starts and watches: anything with a name, a start and an answer."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx

from stack import child
from stack.child import Child
from stack.jars import Report


class Part(Protocol):
    """One process of the platform. `start` raises Problem where it cannot be started; `is_ready` never raises."""

    @property
    def name(self) -> str: ...

    def start(self, report: Report) -> Child: ...

    def is_ready(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonPart:
    """A module of ours with its roles; `ready_url` answers 200 once it works, `url` is where its HTTP lives."""

    name: str
    module: str
    roles: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    url: str
    ready_path: str = "/readyz"
    log: Path
    folder: Path

    def start(self, report: Report) -> Child:
        """Start the module in the state folder."""
        program = [sys.executable, "-m", self.module, *self.roles]
        return child.start(self.name, program, log=self.log, environment=self.environment, cwd=self.folder)

    def is_ready(self) -> bool:
        """Return whether it says that it is; one that merely halts at a record does all the rest, and counts."""
        return answers(self.url + self.ready_path) or merely_halts(self.url)


def answers(url: str) -> bool:
    """Return whether a GET of `url` gives 200 within two seconds."""
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def merely_halts(url: str) -> bool:
    """Return whether the process at `url` is unready for no other reason than that a projection of it halts."""
    try:
        reasons = set(httpx.get(f"{url}/readyz", timeout=2, trust_env=False).json()["reasons"])
        projections = httpx.get(f"{url}/projections", timeout=5, trust_env=False).json()["projections"]
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return False
    halts = {
        f"{each['name']} halts at {halt['at']}: {halt['reason']}" for each in projections for halt in each["halts"]
    }
    return bool(reasons) and reasons <= halts
