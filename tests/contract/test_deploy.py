"""The manifests are well formed and name roles, ports and modules that exist."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from eventlog.acls import acls_of, strimzi_users
from eventlog.topics import load_topics

DEPLOY = Path(__file__).parents[2] / "deploy"
BASE = DEPLOY / "k8s" / "base"
ROLES = {
    "services.register": {"api", "relay"},
    "services.mandate": {"api", "relay", "policy", "timer"},
    "services.metering": {"api", "relay", "project", "watch"},
    "services.export": {"api", "relay", "project"},
    "services.portal": {"api"},
}


def manifests() -> list[dict[str, Any]]:
    return [document for file in sorted(BASE.glob("*.yaml")) for document in yaml.safe_load_all(file.read_text())]


def workloads() -> list[dict[str, Any]]:
    return [manifest for manifest in manifests() if manifest["kind"] in {"Deployment", "StatefulSet"}]


def container(workload: dict[str, Any]) -> dict[str, Any]:
    (only,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(only)


def test_every_role_of_every_service_has_one_workload() -> None:
    started = [tuple(container(workload)["args"]) for workload in workloads()]
    assert sorted(started) == sorted((module, role) for module, roles in ROLES.items() for role in roles)


@pytest.mark.parametrize("module", ROLES)
def test_the_module_that_is_started_exists(module: str) -> None:
    assert importlib.util.find_spec(f"{module}.__main__") is not None


@pytest.mark.parametrize("workload", workloads(), ids=lambda workload: workload["metadata"]["name"])
def test_a_container_runs_without_rights(workload: dict[str, Any]) -> None:
    context = container(workload)["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert workload["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize("workload", workloads(), ids=lambda workload: workload["metadata"]["name"])
def test_a_consumer_is_given_time_to_hand_over_and_can_be_replaced_where_it_halts(workload: dict[str, Any]) -> None:
    """A member needs up to 32 s; in order, no pod would be updated while one is unready at a record it halts at."""
    if workload["kind"] == "StatefulSet":
        assert workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 40
        assert workload["spec"]["podManagementPolicy"] == "Parallel"


def test_the_kustomization_lists_every_file() -> None:
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(file.name for file in BASE.glob("*.yaml") if file.name != "kustomization.yaml")


def test_the_users_of_kafka_may_do_what_topics_toml_says() -> None:
    users = json.loads((DEPLOY / "kafka" / "users.json").read_text())["items"]
    assert users == strimzi_users(acls_of(load_topics("production").values())), (
        "type kwartier topics acls --strimzi > deploy/kafka/users.json"
    )
