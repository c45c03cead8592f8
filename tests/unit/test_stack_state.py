"""The state folder has one holder, and its secrets are its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from stack.condition import Condition, ProcessCondition
from stack.credentials import identity_clients, load_secrets, write_credentials
from stack.problem import Problem
from stack.state import State

TOKEN_URL = "http://127.0.0.1:8406/token"
EXPORT_URL = "http://127.0.0.1:8404"


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / "state")
    made.prepare()
    return made


def test_a_state_knows_who_holds_it_and_is_free_when_that_process_was_killed(state: State) -> None:
    program = f"""
import sys, time
from pathlib import Path
from stack.state import State
with State(Path({str(state.folder)!r})).held() as is_mine:
    print(is_mine, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"

        assert state.holder() == other.pid
        with state.held() as is_mine:
            assert not is_mine
        other.kill()
        other.wait()

    assert state.holder() is None
    with state.held() as is_mine:
        assert is_mine


def test_whoever_takes_a_state_over_removes_the_addresses_that_a_killed_one_left(state: State) -> None:
    state.endpoints.write_text('{"portal": "http://127.0.0.1:8400"}')

    with state.held() as is_mine:
        assert (is_mine, state.holder(), state.endpoints.exists()) == (True, os.getpid(), False)


def test_a_platform_that_still_starts_is_not_ready_though_every_process_so_far_is() -> None:
    process = ProcessCondition("identity", os.getpid(), is_ready=True)

    assert not Condition((process,), (), {}, is_started=False).is_ready
    assert Condition((process,), (), {}, is_started=True).is_ready


def test_a_state_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Problem, match=r"cannot be written .*: use another --state"):
        State(tmp_path / "file" / "state").prepare()


def test_secrets_are_random_and_stay_the_same(state: State, tmp_path: Path) -> None:
    other = State(tmp_path / "other")
    other.prepare()
    first = load_secrets(state)

    assert load_secrets(state) == first
    assert load_secrets(other).postgres != first.postgres
    assert state.secrets.stat().st_mode & 0o777 == 0o600


def test_the_credentials_file_holds_a_holder_per_environment_whose_key_fits_the_thumbprint(state: State) -> None:
    write_credentials(state, load_secrets(state), token_url=TOKEN_URL, export_url=EXPORT_URL, sign_ins=[])

    document = json.loads(state.credentials.read_text())
    assert state.credentials.stat().st_mode & 0o777 == 0o600
    for environment in ("live", "sandbox"):
        holder = document[environment]
        assert set(holder) >= {
            "tenant_id",
            "client_id",
            "client_secret",
            "scope",
            "subscription_key",
            "data_access_contract_number",
            "private_key",
            "certificate_thumbprint",
        }
        assert len(holder["data_access_contract_number"]) == 10
        assert holder["private_key"].startswith("-----BEGIN PRIVATE KEY-----")
        der = b64decode("".join(holder["certificate"].strip().splitlines()[1:-1]))
        assert holder["certificate_thumbprint"] == hashlib.sha1(der, usedforsecurity=False).hexdigest()
    assert document["live"]["client_id"] != document["sandbox"]["client_id"]
    assert document["publisher"]["client_id"] == "demo-publisher"
    assert document["publisher"]["token_url"] == TOKEN_URL


def test_the_holder_stays_the_same_when_written_again(state: State) -> None:
    write_credentials(state, load_secrets(state), token_url=TOKEN_URL, export_url=EXPORT_URL, sign_ins=[])
    before = json.loads(state.credentials.read_text())["live"]

    write_credentials(
        state, load_secrets(state), token_url="http://127.0.0.1:9/token", export_url=EXPORT_URL, sign_ins=[]
    )

    assert json.loads(state.credentials.read_text())["live"] == before


def test_only_export_may_read_blocks_and_only_the_operator_may_read_files(state: State) -> None:
    entries = identity_clients(load_secrets(state))

    assert [each["client_id"] for each in entries if "metering/blocks.read" in each["scopes"]] == ["export"]
    assert [each["client_id"] for each in entries if "export/files.read" in each["scopes"]] == ["kwartier"]
