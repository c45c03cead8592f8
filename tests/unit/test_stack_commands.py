"""What the commands decide by themselves, and how they fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from stack.cli import main
from stack.commands.import_files import content_type
from stack.commands.wait import records_behind
from stack.condition import ProjectionCondition
from stack.demo.tour import say_empty
from stack.jars import pinned_jars
from stack.running import told_reason
from stack.state import State


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"Obj\x01\x04\x14avro.codec", "avro/binary"),
        (b"\xff\xff\xff\xff\xb0\x01", "application/vnd.apache.arrow.stream"),
        (b'{"ean": "541448800000000017"}\n', "application/x-ndjson"),
        (b'\n  {"ean": "541448800000000017"}\n', "application/x-ndjson"),
        ("\ufeffVan (datum);Van (tijdstip)".encode(), "text/csv"),
        (b"", "text/csv"),
    ],
)
def test_a_file_is_known_by_how_it_begins(content: bytes, expected: str) -> None:
    assert content_type(content) == expected


def test_a_reason_is_told_once() -> None:
    for problem, told in (
        ({"Message": "no header", "ValidationErrorMessages": ["no header"]}, "no header"),
        ({"Message": "not valid", "ValidationErrorMessages": ["ean: 18 digits"]}, "not valid: ean: 18 digits"),
        ({"detail": "?"}, "HTTP 400 Bad Request"),
    ):
        assert told_reason(httpx.Response(400, json=problem)) == told


def test_a_projection_is_behind_by_the_records_below_the_ends_that_it_has_not_passed() -> None:
    projection = ProjectionCondition("block", "meter-readings", lag=0, parked=0, checkpoints={0: 5, 1: 9})

    assert records_behind(projection, {"meter-readings": {0: 7, 1: 8, 2: 3}}) == 5
    assert records_behind(projection, {"meter-readings": {0: 5, 1: 8, 2: 0}}) == 0


def test_an_import_of_a_file_that_is_not_there_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(tmp_path / "absent.csv"), "--state", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"kwartier: {tmp_path / 'absent.csv'} is no file: give files that exist\n"


def test_words_that_are_no_day_and_no_instant_are_told_what_one_looks_like(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in (
        (["download", "--from", "19-11-2026"], "'19-11-2026' is no day: give it as in 2026-11-20"),
        (["import", "file", "--source-at", "noon"], "'noon' is no instant with its zone: give it as in"),
        (["import", "file", "--source-at", "2026-11-20T04:00:00"], "is no instant with its zone: give it as in"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert (ended.value.code, told in capsys.readouterr().err) == (2, True)


def test_what_to_type_next_can_be_typed_whatever_the_folder_is_called(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    state = State(tmp_path / "my state")
    state.prepare()
    state.endpoints.write_text('{"portal": "http://127.0.0.1:8400"}')

    say_empty(state)

    assert f"kwartier import FILE --state '{tmp_path}/my state' " in capsys.readouterr().out


def test_days_in_the_wrong_order_are_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days = ["--from", "2026-03-02", "--to", "2026-03-01"]

    code = main(["download", "--ean", "541448800000000017", *days, "--granularity", "day", "--state", str(tmp_path)])

    assert code == 2
    assert "give the days in order" in capsys.readouterr().err


def test_commands_on_a_state_where_nothing_runs_say_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wait", "--state", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"kwartier: nothing runs on {tmp_path}: type kwartier up first\n"
    assert main(["down", "--state", str(tmp_path)]) == 0
    assert main(["status", "--state", str(tmp_path)]) == 1


def test_kafka_is_pinned_file_by_file() -> None:
    jars = pinned_jars()

    assert len(jars) == 46
    assert "org.apache.kafka:kafka_2.13:4.3.1" in [jar.coordinates for jar in jars]
    assert all(len(jar.sha256) == 64 for jar in jars)


def test_without_network_and_jars_one_line_says_what_to_do(tmp_path: Path) -> None:
    program = "from stack.jars import kafka_classpath; kafka_classpath(print)"
    environment = {**os.environ, "KWARTIER_CACHE": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"}

    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)

    assert "cannot be fetched: check the network, or set KAFKA_BOOTSTRAP" in done.stderr.splitlines()[-1]
