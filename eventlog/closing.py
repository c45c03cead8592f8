"""Closing a producer that cannot get rid of what it holds."""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaProducer

_STOP_SECONDS: Final = 5.0


async def close_producer(producer: AIOKafkaProducer) -> None:
    """Close `producer`. What no broker takes within 5 s is dropped, and who waits for its acknowledgement cancelled.

    Its own `stop` waits for the broker, and where one gives that up it goes on sending behind our back, for ever.
    """
    stopping = asyncio.ensure_future(producer.stop())
    try:
        done, _ = await asyncio.wait([stopping], timeout=_STOP_SECONDS)
    finally:
        if not stopping.done():
            stopping.cancel()
            await asyncio.wait([stopping])
            # The library has no other door to it. Both at once: an open request ends with its connection.
            await asyncio.gather(producer._sender.close(), producer.client.close())
            _cancel(producer._message_accumulator)
    if done:
        stopping.result()


def _cancel(accumulator: Any) -> None:
    for batch in [*chain(*accumulator._batches.values()), *accumulator._pending_batches]:
        for future in (batch.future, *(each for each, _ in batch._msg_futures)):
            future.cancel()
