"""How a platform does: asked of its processes one by one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg

from stack.kafka import living_brokers
from stack.part import answers
from stack.state import State, read_json
from stack.versions import FoundVersion, find_versions


@dataclass(frozen=True, slots=True)
class ProcessCondition:
    """One process; `pid` is the last one known."""

    name: str
    pid: int
    is_ready: bool


@dataclass(frozen=True, slots=True)
class ProjectionCondition:
    """One projection. `lag` and `parked` are records, `checkpoints` next offsets; `lag` is None while not known.
    Of each halt: `at` which record, the `rule` it breaks and the `reason`."""

    name: str
    topic: str
    lag: int | None
    parked: int
    checkpoints: dict[int, int]
    halts: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VersionCondition:
    """A version beside the live projection, as block@2: `lag` and `parked` are records; `lag` is None while the live
    one's is not known."""

    name: str
    lag: int | None
    parked: int


@dataclass(frozen=True, slots=True)
class Condition:
    """The whole platform. `is_started` once all of it was ready; `unpublished` are event rows no relay has sent, by
    process.
    """

    processes: tuple[ProcessCondition, ...]
    projections: tuple[ProjectionCondition, ...]
    unpublished: dict[str, int]
    is_started: bool
    versions: tuple[VersionCondition, ...] = ()

    @property
    def is_ready(self) -> bool:
        return self.is_started and bool(self.processes) and all(process.is_ready for process in self.processes)

    def as_json(self) -> dict[str, Any]:
        """Return what `kwartier status --json` prints."""
        return {
            "ready": self.is_ready,
            "processes": [{"name": each.name, "pid": each.pid, "ready": each.is_ready} for each in self.processes],
            "projections": [
                {
                    "name": each.name,
                    "topic": each.topic,
                    "lag": each.lag,
                    "parked": each.parked,
                    "halts": list(each.halts),
                }
                for each in self.projections
            ],
            "versions": [{"name": each.name, "lag": each.lag, "parked": each.parked} for each in self.versions],
            "unpublished": self.unpublished,
        }


def observe(state: State) -> Condition:
    """Return the condition of what runs on `state`; no processes where nothing runs."""
    entries = (read_json(state.processes) or {}).get("processes", []) if state.holder() is not None else []
    endpoints = read_json(state.endpoints) or {}
    processes = tuple(ProcessCondition(each["name"], each["pid"], _is_ready(each, endpoints)) for each in entries)
    found = observe_projections(endpoints) if entries else ((), {})
    versions = observe_versions(endpoints, found[0]) if entries else ()
    return Condition(processes, *found, is_started=bool(endpoints), versions=versions)


def observe_versions(
    endpoints: dict[str, Any], projections: tuple[ProjectionCondition, ...] = ()
) -> tuple[VersionCondition, ...]:
    """Return the versions that lie beside `projections`; none where the database does not answer."""
    if "database" not in endpoints:
        return ()
    try:
        found = find_versions(endpoints["database"])
    except psycopg.Error:
        return ()
    live = {each.name: each for each in projections}
    return tuple(VersionCondition(each.name, _lag(each, live.get(each.projection)), each.parked) for each in found)


def _lag(version: FoundVersion, live: ProjectionCondition | None) -> int | None:
    if live is None or live.lag is None:
        return None
    return live.lag + sum(live.checkpoints.values()) - version.applied


def observe_projections(endpoints: dict[str, Any]) -> tuple[tuple[ProjectionCondition, ...], dict[str, int]]:
    """Return the projections of all processes that answer, and how many events each has not sent."""
    projections: list[ProjectionCondition] = []
    unpublished: dict[str, int] = {}
    for name, metrics_url in endpoints.get("metrics", {}).items():
        answer = _projections(metrics_url.removesuffix("/metrics") + "/projections")
        if answer is None:
            continue
        unpublished[name] = answer["unpublished"]
        projections += [_projection(each) for each in answer["projections"]]
    return tuple(projections), unpublished


def _is_ready(entry: dict[str, Any], endpoints: dict[str, Any]) -> bool:
    """Return whether a process lives and answers; the servers by a question of their own."""
    if not _lives(entry["pid"]):
        return False
    if entry["ready_url"]:
        return answers(entry["ready_url"])
    if entry["name"] == "kafka" and "kafka" in endpoints:
        host, _, port = endpoints["kafka"].rpartition(":")
        return bool(living_brokers(host, int(port)))
    if entry["name"] == "postgres" and "database" in endpoints:
        return _database_answers(endpoints["database"])
    return False


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _database_answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def _projections(url: str) -> dict[str, Any] | None:
    try:
        response = httpx.get(url, timeout=5, trust_env=False)
        return dict(response.raise_for_status().json())
    except (httpx.HTTPError, ValueError):
        return None


def _projection(entry: dict[str, Any]) -> ProjectionCondition:
    checkpoints = {int(partition): offset for partition, offset in entry["checkpoints"].items()}
    halts = tuple(entry.get("halts", ()))
    return ProjectionCondition(entry["name"], entry["topic"], entry["lag"], entry["parked"], checkpoints, halts)
