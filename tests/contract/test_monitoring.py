"""Dashboard, alerts and scrape configuration speak of metrics, labels and processes that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from stack.layout import SERVICE_PROCESSES
from stack.ports import DEFAULT_BASE, OFFSETS
from stack.reference_metrics import metric_modules

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"
OURS = metric_modules()
TARGET_LABELS = {"service", "process", "instance", "job", "pod"}
WORDS = {"and", "or", "unless", "on", "ignoring", "by", "without", "bool", "offset"}
_STRINGS = re.compile(r'"[^"]*"')
_RANGES = re.compile(r"\[[^\]]*\]")
_SELECTORS = re.compile(r"(\w+)\{([^}]*)\}")
_GROUPS = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboards" / "kwartier.json").read_text(encoding="utf-8"))
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "rules" / "kwartier.rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in rules():
        yield rule["alert"], rule["expr"]


def known() -> dict[str, set[str]]:
    """The labels of every series that the platform's processes and Prometheus itself have."""
    assert all(module.__doc__ for module in OURS)
    found = {"up": set(TARGET_LABELS)}
    for collector, names in REGISTRY._collector_to_names.items():
        labels = set(getattr(collector, "_labelnames", ()))
        for name in names:
            found[name] = labels | TARGET_LABELS | ({"le"} if name.endswith("_bucket") else set())
    return found


def names_in(expression: str) -> set[str]:
    """The series that an expression asks for: words that are no function, label, range or keyword."""
    bare = _GROUPS.sub(" ", _RANGES.sub(" ", _STRINGS.sub('""', expression)))
    bare = re.sub(r"\{[^}]*\}", " ", bare)
    return {
        found.group(1)
        for found in re.finditer(r"(?<![\w.$])([a-z_]\w*)\b(?!\s*\()", bare)
        if found.group(1) not in WORDS | {"sum", "max", "min"}
    }


CASES = list(expressions())


@pytest.mark.parametrize(("title", "expression"), CASES, ids=[f"{i}-{title}" for i, (title, _) in enumerate(CASES)])
def test_an_expression_asks_for_series_and_labels_that_exist(title: str, expression: str) -> None:
    series = known()
    asked = names_in(expression)
    assert asked, title
    assert asked <= set(series)
    for name, selectors in _SELECTORS.findall(_STRINGS.sub('""', expression)):
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors)) <= series[name]
    labels = set.union(*(series[name] for name in asked))
    for group in _GROUPS.findall(expression):
        assert {label.strip() for label in group.split(",")} <= labels
    assert expression.count("(") == expression.count(")")
    assert expression.count("{") == expression.count("}")


def test_counters_are_only_read_as_rates() -> None:
    for title, expression in CASES:
        for name in re.findall(r"\b(\w+_(?:total|bucket|count))\b", expression):
            assert re.search(rf"(?:rate|increase)\(\s*{name}\b", expression), title


def test_the_dashboard_has_every_view_that_was_promised_by_service() -> None:
    promised = {
        "projection_records_total",
        "projection_lag_records",
        "projection_newest_applied_timestamp_seconds",
        "database_transaction_seconds_bucket",
        "http_requests_total",
        "http_request_seconds_bucket",
    }
    seen = set()
    for panel in panels():
        for target in panel["targets"]:
            seen |= names_in(target["expr"]) & promised
            if names_in(target["expr"]) & promised:
                assert "service" in target["expr"]
    assert seen == promised


def test_every_panel_says_its_unit_and_what_it_means_and_none_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["fieldConfig"]["defaults"]["unit"]
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "description"} <= set(rule["annotations"])


def test_each_metric_that_wants_a_human_has_an_alert() -> None:
    asked = set.union(*(names_in(rule["expr"]) for rule in rules()))
    assert {
        "projection_lag_records",
        "projection_parked_records_total",
        "projection_halted_partitions",
        "projection_unclaimed_partitions",
        "relay_oldest_unpublished_seconds",
        "http_requests_total",
        "up",
    } <= asked


def test_every_process_is_scraped_where_it_listens() -> None:
    configuration = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = configuration["scrape_configs"]
    scraped = {
        entry["labels"]["process"]: (entry["labels"]["service"], entry["targets"]) for entry in job["static_configs"]
    }
    assert scraped == {
        process: (service, [f"127.0.0.1:{DEFAULT_BASE + OFFSETS[process]}"])
        for process, (service, _) in SERVICE_PROCESSES.items()
    }
    assert job["honor_labels"] is True


def test_both_configurations_load_the_rules() -> None:
    for name in ("prometheus.yml", "prometheus.kubernetes.yml"):
        configuration = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
        assert configuration["rule_files"] == ["rules/*.rules.yml"]
        assert list(FOLDER.glob(configuration["rule_files"][0]))
