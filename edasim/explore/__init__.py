"""Exploring: the controls of the notebooks. They call the studies and figures that the cells above them call."""

from collections.abc import Mapping
from typing import Any

from edasim.explore.panel import Panel
from edasim.explore.picker import Picker
from edasim.explore.views import VIEWS, consumer_asked_about, view_of
from edasim.scenario import Scenario

__all__ = ["VIEWS", "Panel", "Picker", "panel", "picker"]


def panel(
    scenario: Scenario,
    view: str,
    file: str = "my-system.yaml",
    overrides: Mapping[str, Any] | None = None,
    *,
    consumer: str | None = None,
    incident: str | None = None,
) -> Panel:
    """Sliders over one of the `VIEWS` of a *scenario*, for readers at *consumer*, in an *incident*.

    Without a consumer it is the first that a requirement names, or the first of all; without an incident the first. *file* and
    *overrides* are what the scenario was loaded from: with them the panel says how to get what it shows again. Raises InputError for
    an unknown view, consumer or incident.
    """
    consumer = consumer_asked_about(scenario) if consumer is None else consumer
    return Panel(scenario, view_of(scenario, view, consumer, incident), consumer, file, overrides or {})


def picker() -> Picker:
    """Three questions to choose a pattern by."""
    return Picker()
