"""Ports: asked for, those of last time, 8400 and up, else free ones."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from stack.ports import choose_ports, claim_base, free_ports, is_free
from stack.problem import Problem


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_port_somebody_listens_on_is_not_free(taken: int) -> None:
    assert not is_free(taken)


def test_a_taken_port_that_was_asked_for_is_named_with_what_to_do(taken: int) -> None:
    with pytest.raises(Problem, match=rf"port {taken} \(portal\) is taken: .*--port BASE"):
        choose_ports(["portal", "register"], base=taken, last=None)


def test_the_ports_of_last_time_come_again() -> None:
    portal, register = free_ports(2)

    assert choose_ports(["portal", "register"], base=None, last={"portal": portal, "register": register}) == {
        "portal": portal,
        "register": register,
    }


def test_other_ports_are_found_where_those_of_last_time_are_taken(taken: int) -> None:
    ports = choose_ports(["portal", "register"], base=None, last={"portal": taken, "register": free_ports(1)[0]})

    assert ports["register"] == ports["portal"] + 1
    assert taken not in ports.values()


def test_two_platforms_that_start_at_once_do_not_choose_the_same_ports() -> None:
    free, taken = free_ports(2)
    asked: list[int] = []

    def claim(base: int) -> bool:
        asked.append(base)
        return base != taken

    with pytest.raises(Problem, match="another platform's"):
        choose_ports(["portal"], base=taken, last=None, claim=claim)
    assert choose_ports(["portal"], base=free, last=None, claim=claim) == {"portal": free}
    found = choose_ports(["portal"], base=None, last={"portal": taken}, claim=claim)
    assert found["portal"] != taken
    assert asked == [taken, free, taken, found["portal"]]


def test_a_claim_is_held_against_other_processes_until_its_process_ends() -> None:
    [base] = free_ports(1)
    program = f"from stack.ports import claim_base; print(claim_base({base}), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not claim_base(base)
        other.communicate("\n")
    assert claim_base(base)
