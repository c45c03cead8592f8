"""What befalls the platform: each fault strikes, waits until it has worked, mends what it broke, says what it did."""

from __future__ import annotations

import signal
from typing import Final

from tests.faults.drill import tables
from tests.faults.drill.fault import Fault, Strike
from tests.faults.drill.member_faults import (
    freeze_at,
    freeze_member,
    kill_all_members,
    kill_member,
    kill_metering,
    set_clock_back,
)
from tests.faults.drill.relay_faults import relay_caught
from tests.faults.drill.server_faults import fill_disk, freeze_broker, kill_broker, stop_database


def _fault(name: str, targets: str, strike: Strike) -> Fault:
    return Fault(name, frozenset(targets.split()), strike)


FAULTS: Final = (
    _fault("zombie", "members", freeze_at("before", tables.LEDGER, "between fetch and write")),
    _fault("in transaction", "members", freeze_at("inside", tables.EFFECTS, "inside a transaction")),
    _fault("in copy", "members", freeze_at("copy", tables.BLOCKS, "inside an open COPY")),
    _fault("freeze", "members", freeze_member),
    _fault("kill", "members", kill_member),
    _fault("kill all", "members metering clocks", kill_all_members),
    _fault("clock", "clocks", set_clock_back),
    _fault("broker", "brokers", kill_broker),
    _fault("broker frozen", "brokers", freeze_broker),
    _fault("database", "database", stop_database(signal.SIGQUIT, "killed")),
    _fault("database restart", "database", stop_database(signal.SIGINT, "restarted")),
    _fault("disk", "database", fill_disk),
    _fault("relay frozen", "relay", relay_caught("SIGSTOP", "frozen")),
    _fault("relay killed", "relay", relay_caught("SIGKILL", "killed")),
    _fault("metering", "metering", kill_metering),
)
BY_NAME: Final = {each.name: each for each in FAULTS}
