"""`docs/metrics.md`: every metric of every process, from the objects that count."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase

from stack.markdown import page, table

_ROOT: Final = Path(__file__).resolve().parents[1]


def metrics_page() -> str:
    """Return the text of the page."""
    lines = [
        "# Metrics",
        "",
        "Each process shows its own at `/metrics`. No label holds an EAN or another identifier.",
        "",
    ]
    for module in metric_modules():
        rows = [_metric(each) for each in metrics_in(module)]
        if rows:
            lines += [f"## {module.__name__}", "", _first_line(module), ""]
            lines += [*table(["metric", "kind", "labels", "what it counts, and what a rise means"], rows), ""]
    return page(lines[:-1])


def metric_modules() -> list[ModuleType]:
    """Return the modules that define metrics: `eventlog.metrics`, and `*metrics.py` of the services."""
    paths = [_ROOT / "eventlog" / "metrics.py", *sorted((_ROOT / "services").glob("*/*metrics.py"))]
    return [import_module(".".join(path.relative_to(_ROOT).with_suffix("").parts)) for path in paths]


def metrics_in(module: ModuleType) -> list[MetricWrapperBase]:
    """Return the metrics that are names of `module`, by their own names."""
    found = [each for each in vars(module).values() if isinstance(each, MetricWrapperBase)]
    return sorted(found, key=lambda metric: family_of(metric).name)


def family_of(metric: MetricWrapperBase) -> Metric:
    """Return name, kind and documentation of `metric`."""
    return next(iter(metric.describe()))


def _metric(metric: MetricWrapperBase) -> list[str]:
    family = family_of(metric)
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # the library has no other door to them
    return [f"`{name}`", family.type, labels, family.documentation]


def _first_line(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().splitlines()[0]
