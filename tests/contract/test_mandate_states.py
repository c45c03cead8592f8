"""The page about states names exactly the events there are, and draws what the deciders do."""

from __future__ import annotations

import re
from pathlib import Path

from eventlog.events import EVENT_TYPES
from eventlog.topics import load_topics

PAGE = (Path(__file__).parents[2] / "docs" / "mandate-states.md").read_text(encoding="utf-8")
DIAGRAMS = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", PAGE, re.DOTALL)
ARROW = re.compile(r"^  (?P<start>\S+) --> (?P<end>[^:\s]+)(: (?P<label>.+))?$", re.MULTILINE)
NO_EVENT = "fourteen days, no event"


def labels() -> set[str]:
    found = {match["label"] for diagram in DIAGRAMS for match in ARROW.finditer(diagram) if match["label"]}
    return found - {NO_EVENT}


def test_the_diagrams_name_exactly_the_events_that_mandate_publishes() -> None:
    published = {name for name, kind in EVENT_TYPES.items() if kind.__module__ == "eventlog.events.mandate"}
    assert labels() == published == set(load_topics("local")["mandate-events"].events)


def test_the_table_explains_every_event_of_a_mandate() -> None:
    explained = set(re.findall(r"^\| `(Mandate\w+)` \|", PAGE, re.MULTILINE))
    assert explained == {name for name in labels() if name.startswith("Mandate")}


def test_every_line_of_a_diagram_is_an_arrow_and_every_state_can_be_reached_and_left() -> None:
    assert len(DIAGRAMS) == 3
    for diagram in DIAGRAMS:
        arrows = [(match["start"], match["end"]) for match in ARROW.finditer(diagram)]
        assert len(arrows) == len(diagram.strip().splitlines())
        assert {start for start, _ in arrows} == {end for _, end in arrows}
