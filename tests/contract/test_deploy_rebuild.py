"""The job that rebuilds a projection names a module, a projection and options that exist."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from eventlog.rebuild_command import add_wishes
from services.export.rebuild_app import rebuildables as of_export
from services.export.settings import ExportSettings
from services.metering.rebuild_app import rebuildables as of_metering
from services.metering.settings import MeteringSettings
from stack.versions import OWNERS

JOB = Path(__file__).parents[2] / "deploy" / "k8s" / "jobs" / "rebuild.yaml"
NEEDED = {"database_url": "postgresql://nobody@nowhere/none", "kafka_bootstrap": "nowhere:9092", "port": 0}


def test_the_job_can_be_understood_by_the_program_it_starts() -> None:
    (container,) = yaml.safe_load(JOB.read_text())["spec"]["template"]["spec"]["containers"]
    module, role, projection, *options = container["args"]
    parser = argparse.ArgumentParser()
    add_wishes(parser)
    assert (module, role) == ("services.metering", "rebuild")
    assert OWNERS[projection] == "metering"
    assert parser.parse_args(options).switch


def test_kwartier_replays_just_what_the_services_can_rebuild() -> None:
    metering, export = MeteringSettings(**NEEDED), ExportSettings(**NEEDED)
    known = dict.fromkeys(of_metering(metering), "metering") | dict.fromkeys(of_export(export), "export")
    assert known == OWNERS
