"""HTTP questions, one after the other on connections that stay open, timed from the first byte out to the last in."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Server:
    """Who is asked, and what every question carries."""

    port: int
    headers: Mapping[str, str]

    def connection(self) -> http.client.HTTPConnection:
        """Return a new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)


def seconds_of(server: Server, paths: Sequence[str]) -> list[float]:
    """Return how long each of `paths` took, asked in turn on one connection.

    Raises:
        RuntimeError: an answer is not 200, or empty.
    """
    connection = server.connection()
    try:
        return [_ask(connection, server, path) for path in paths]
    finally:
        connection.close()


def requests_per_second(server: Server, paths: Sequence[str], clients: int) -> float:
    """Return how many of `paths` are answered a second when so many clients share them."""
    failed: list[BaseException] = []

    def work(own: Sequence[str]) -> None:
        try:
            seconds_of(server, own)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(paths[place::clients],)) for place in range(clients)]
    began = time.perf_counter()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if failed:
        raise failed[0]
    return len(paths) / (time.perf_counter() - began)


def body_of(server: Server, path: str) -> bytes:
    """Return one answer."""
    connection = server.connection()
    try:
        connection.request("GET", path, headers=dict(server.headers))
        return connection.getresponse().read()
    finally:
        connection.close()


def _ask(connection: http.client.HTTPConnection, server: Server, path: str) -> float:
    began = time.perf_counter()
    connection.request("GET", path, headers=dict(server.headers))
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - began
    if answer.status != 200 or not body:
        raise RuntimeError(f"{path.partition('?')[0]} answered {answer.status}")
    return took
