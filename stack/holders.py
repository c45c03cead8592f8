"""Holders, let in through the front doors: the contract in mandate, the client in export."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from stack.demo.doors import Doors, Machine
from stack.demo.folk import HOLDERS

CONTRACT_SINCE: Final = date(2020, 1, 1)
_NAMES: Final = {str(each.kbo): each.name for each in HOLDERS}
_NAMED: Final = ("tenant_id", "client_id", "client_secret", "subscription_key", "certificate")


def admit(endpoints: dict[str, Any], credentials: dict[str, Any]) -> None:
    """Let the holder `live` of the credentials file in.

    Raises:
        Problem: a service refuses, or is away for too long.
    """
    with Doors(endpoints) as doors:
        let_in(credentials["live"], doors, Machine(credentials["operator"]))


def let_in(holder: dict[str, Any], doors: Doors, operator: Machine) -> None:
    """Sign the contract of `holder` and issue its credentials, as the operator; the same again changes nothing.

    Raises:
        Problem: a service refuses, or is away for too long.
    """
    contract = {"contract_number": holder["data_access_contract_number"], "holder_kbo": holder["holder_kbo"]}
    client = {**contract, "environment": "live", **{name: holder[name] for name in _NAMED}}
    name = _NAMES.get(holder["holder_kbo"], "")
    signed = {**contract, "valid_from": CONTRACT_SINCE.isoformat(), "holder_name": name}
    doors.post("mandate", "/contracts", operator.token("mandate/contracts.write"), json=signed)
    doors.post("export", "/credentials", operator.token("export/credentials.write"), json=client)
