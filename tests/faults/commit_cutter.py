"""A way to PostgreSQL that breaks in the middle of a commit, so that nobody on this side knows what became of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy.engine import URL


class Cut(Enum):
    """Where the connection ends: before the server has seen the commit, or after it and before the answer."""

    BEFORE = "before"
    AFTER = "after"


@dataclass
class CommitCutter:
    """Passes bytes both ways; once armed with `cut`, it cuts the connection that commits next."""

    host: str
    port: int
    cut: Cut | None = None
    cut_count: int = 0
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._connect(reader, writer))
        self.connections.add(connection)
        connection.add_done_callback(self.connections.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(self.host, self.port)
        answering = asyncio.create_task(_pass(server_reader, writer))
        try:
            await self._ask(reader, server_reader, server_writer, answering)
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            for each in (server_writer, writer):
                each.close()
                with contextlib.suppress(ConnectionError):
                    await each.wait_closed()

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
        answering: asyncio.Task[None],
    ) -> None:
        """Pass what is asked until the connection ends or is cut."""
        while asked := await reader.read(65536):
            cut = self.cut if b"COMMIT" in asked.upper() else None
            if cut is not None:
                self.cut, self.cut_count = None, self.cut_count + 1
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)
            if cut is Cut.BEFORE:
                return
            server_writer.write(asked)
            await server_writer.drain()
            if cut is Cut.AFTER:
                await server_reader.read(1)  # it has committed when it answers
                return


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while passed := await reader.read(65536):
        writer.write(passed)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def commit_cutter(url: URL) -> AsyncIterator[tuple[CommitCutter, URL]]:
    """Yield a cutter in front of the server at `url`, and the URL through it."""
    cutter = CommitCutter(url.host or "127.0.0.1", url.port or 5432)
    async with await asyncio.start_server(cutter.accept, "127.0.0.1", 0) as server:
        yield cutter, url.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        for connection in (open_ones := [*cutter.connections]):
            connection.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)
