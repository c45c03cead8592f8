"""Places where the drill freezes or kills a process of its own: right there, and not at some random moment.

A trap is set over standard input and springs once. The places are seen by the statements that pass them, so nothing of
the platform knows of them.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import Engine, event

CHECKPOINT: Final = "update checkpoint"
MARK: Final = "update event"

_real_time, _real_time_ns = time.time, time.time_ns


@dataclass
class Trap:
    """What is set: a place (`before`, `inside`, `copy`, `mark`), whom it is for, and the signal. Empty: nothing."""

    place: str = ""
    name: str = ""
    signal: signal.Signals = signal.SIGSTOP
    lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, place: str, name: str, with_signal: str) -> None:
        with self.lock:
            self.place, self.name, self.signal = place, name, signal.Signals[with_signal]

    def reach(self, place: str, names: object) -> None:
        """Spring when `place` is the one that is set and its name is among `names`."""
        with self.lock:
            if not self.place or self.place != place or self.name not in _flat(names):
                return
            self.place = ""
        # To this thread: one sent to the process may wait for another thread, and this one runs on meanwhile.
        signal.pthread_kill(threading.get_ident(), self.signal)


trap: Final = Trap()


def _flat(names: object) -> set[object]:
    if isinstance(names, dict):
        return _flat(list(names.values()))
    if isinstance(names, (list, tuple)):
        return {each for name in names for each in _flat(name)}
    return {names} if isinstance(names, str) else set()


def watch_engine(engine: Engine, also: str = "") -> None:
    """Let traps spring around the statements of `engine`; its mark of published events is known as `also`."""

    @event.listens_for(engine, "before_cursor_execute")
    def before(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement.lower().startswith(CHECKPOINT):
            trap.reach("before", parameters)
        if statement.lower().startswith(MARK):
            trap.reach("mark", also)

    @event.listens_for(engine, "after_cursor_execute")
    def after(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement.lower().startswith(CHECKPOINT):
            trap.reach("inside", parameters)


def watch_adbc(name: str) -> None:
    """Let traps spring around the statements and inside the COPYs of every ADBC cursor, as those of `name`."""
    from adbc_driver_manager.dbapi import Cursor

    execute, ingest = Cursor.execute, Cursor.adbc_ingest

    def watched_execute(self: Any, operation: Any, parameters: Any = None, **more: Any) -> Any:
        is_checkpoint = isinstance(operation, str) and operation.lower().startswith(CHECKPOINT)
        if is_checkpoint:
            trap.reach("before", name)
        done = execute(self, operation, parameters, **more)
        if is_checkpoint:
            trap.reach("inside", name)
        return done

    def watched_ingest(self: Any, table_name: str, data: Any, *arguments: Any, **more: Any) -> Any:
        # Into a temporary table: before other COPYs the driver asks for the schema, with the rows in its hand already.
        is_here = more.get("temporary", False) and isinstance(data, pa.Table) and len(data) > 1
        is_set = is_here and trap.place == "copy" and trap.name == name
        stream = pa.RecordBatchReader.from_batches(data.schema, _with_pause(data, name)) if is_set else data
        return ingest(self, table_name, stream, *arguments, **more)

    for method, watched in (("execute", watched_execute), ("adbc_ingest", watched_ingest)):
        setattr(Cursor, method, watched)


def _with_pause(rows: pa.Table, name: str) -> Iterator[pa.RecordBatch]:
    for number, batch in enumerate(rows.to_batches(max_chunksize=max(len(rows) // 2, 1))):
        if number == 1:
            trap.reach("copy", name)
        yield batch


def set_clock(seconds: float) -> None:
    """Move what this process takes for the time by `seconds`: `time.time`, which the Kafka client and logs ask."""
    time.time = lambda: _real_time() + seconds
    time.time_ns = lambda: _real_time_ns() + int(seconds * 1e9)


def obey() -> None:
    """Take orders from standard input, in a thread of its own: `trap PLACE NAME SIGNAL`, `clock SECONDS`."""
    threading.Thread(target=_obey, daemon=True).start()


def _obey() -> None:
    for line in sys.stdin:
        match line.split():
            case ["trap", place, name, with_signal]:
                trap.set(place, name, with_signal)
            case ["clock", seconds]:
                set_clock(float(seconds))
