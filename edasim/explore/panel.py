"""A panel: sliders and circumstances over one figure, which is simulated anew, on the same luck, whenever one of them is moved.

Nothing is simulated before that: the static figure above the panel is where it starts from, and a report, where nobody moves anything,
has nothing to pay for.
"""

import base64
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from html import escape
from typing import Any

import ipywidgets as widgets

from edasim.errors import InputError
from edasim.estimates import short
from edasim.explore.circumstances import CIRCUMSTANCES, Overrides
from edasim.explore.inputs import ranges, stops
from edasim.explore.reproduction import as_command, as_yaml, in_python
from edasim.explore.views import View
from edasim.figures.picture import WIDTH, Picture
from edasim.findings import Finding
from edasim.ranges import Range, quantity, value_at
from edasim.scenario import Scenario

QUICK = 1  # how hard a figure is packed: it is looked at once
AT_FIRST = "Nothing is simulated yet: move a slider, or choose what the day is like."
UNDER_WAY = "Simulating ..."
SELECTABLE = "user-select: all; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0.3em 0 0.8em"


class Panel:
    """A *view* of a *scenario* under sliders. It was loaded from *file* with the changes *given*, which is how it can be had again."""

    def __init__(self, scenario: Scenario, view: View, consumer: str, file: str, given: Overrides) -> None:
        self.scenario, self.view, self.consumer, self.file, self.given = scenario, view, consumer, file, given
        self.circumstance = next(iter(CIRCUMSTANCES))
        self.ranges = {over.target: over for over in ranges(self.short, view.inputs)}
        self.sliders = {target: _slider(over, self._stops(over)) for target, over in self.ranges.items()}
        self.buttons = {name: widgets.Button(description=name) for name in view.circumstances}
        self.about, self.figure, self.finding = widgets.HTML(AT_FIRST), widgets.HTML(), widgets.Output()
        self.again = widgets.HTML()
        self.known: dict[str, tuple[Picture, Finding]] = {}
        for name, button in self.buttons.items():
            button.on_click(lambda _, name=name: self.choose(name))
        for target, slider in self.sliders.items():
            self._place(target, {})
            slider.observe(self._moved, "value")
        buttons = widgets.HBox(list(self.buttons.values()), layout=widgets.Layout(flex_flow="row wrap"))
        self.box = widgets.VBox([buttons, *self.sliders.values(), self.about, self.figure, self.finding, self.again])

    @cached_property
    def short(self) -> Scenario:
        """The scenario in a short run."""
        return self.scenario.with_overrides(self.view.first)

    @property
    def changes(self) -> dict[str, Any]:
        """What is changed in the scenario to get what is shown: the short run, the circumstance, the sliders that were moved."""
        of_the_day = CIRCUMSTANCES[self.circumstance](self.short, self.consumer)
        chosen = {target: slider.value for target, slider in self.sliders.items() if slider.label != self._own(target)}
        return {**self.view.first, **{path: value for path, value in of_the_day.items() if path not in self.sliders}, **chosen}

    def choose(self, circumstance: str) -> None:
        """Make the day so, with every slider where that has it."""
        self.circumstance = circumstance
        of_the_day = CIRCUMSTANCES[circumstance](self.short, self.consumer)
        with self._unheard():
            for target in self.sliders:
                self._place(target, of_the_day)
        self.redraw()

    def redraw(self) -> None:
        """Show the figure for the sliders as they are, or the one line that says why there is none."""
        changes, self.about.value = self.changes, UNDER_WAY
        try:
            scenario = self.scenario.with_overrides(changes)
            picture, finding = self._drawn(scenario)
        except InputError as error:
            self.about.value, self.figure.value, self.finding.outputs, self.again.value = _alert(str(error)), "", (), ""
            return
        self.figure.value = _image(picture)
        self.finding.outputs = ({"output_type": "display_data", "data": {"text/markdown": str(finding)}, "metadata": {}},)
        self.about.value = self._said(scenario)
        self.again.value = _to_copy(self.reproduction(scenario, changes))

    def reproduction(self, scenario: Scenario, changes: Overrides) -> dict[str, str]:
        """What gives the *scenario*, which is that of the file with *changes*, and what can be seen of it, again: by what it gives."""
        both = {**self.given, **changes}
        return {
            "In Python: this figure": in_python(self.view, self.file, both),
            "On the command line: not this figure, but one run of the same scenario as a table": as_command(
                self.view, self.file, both, scenario
            ),
            "As a scenario": as_yaml(scenario),
        }

    def _drawn(self, scenario: Scenario) -> tuple[Picture, Finding]:
        key = scenario.model_dump_json()
        if key not in self.known:
            with at_one_go():
                self.known[key] = self.view.drawn(scenario)
        return self.known[key]

    def _moved(self, change: Mapping[str, Any]) -> None:
        self.redraw()

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """While sliders are moved by the panel itself."""
        for slider in self.sliders.values():
            slider.unobserve(self._moved, "value")
        yield
        for slider in self.sliders.values():
            slider.observe(self._moved, "value")

    def _stops(self, over: Range) -> dict[str, Any]:
        days = [CIRCUMSTANCES[name](self.short, self.consumer) for name in self.view.circumstances]
        return stops(self.short, over, [day[over.target] for day in days if over.target in day])

    def _place(self, target: str, of_the_day: Overrides) -> None:
        asked = of_the_day.get(target, value_at(self.short, target))
        self.sliders[target].label = self.ranges[target].said(quantity(target, asked)[0])

    def _own(self, target: str) -> str:
        return self.ranges[target].said(quantity(target, value_at(self.short, target))[0])

    def _said(self, scenario: Scenario) -> str:
        ran = self.view.ran.format(window=short(scenario.duration, "s"))
        return f"<b>{escape(self.circumstance)}</b>, {ran}: for the feel; the figure above is the one to quote."

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle: dict[str, Any] = self.box._repr_mimebundle_()
        return {**bundle, "text/plain": "Sliders, which need a running notebook."}


@contextmanager
def at_one_go() -> Iterator[None]:
    """Without the garbage collector, which would take as long as the redraw to look through all that a notebook holds."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _slider(over: Range, values: Mapping[str, Any]) -> Any:
    return widgets.SelectionSlider(
        options=list(values.items()),
        description=over.path,
        continuous_update=False,
        style={"description_width": "17em"},
        layout=widgets.Layout(width="95%", max_width="52em"),
    )


def _image(picture: Picture) -> str:
    data = base64.b64encode(picture.packed(QUICK)).decode("ascii")
    return f'<img alt="{escape(picture.alt)}" src="data:image/png;base64,{data}" width="{WIDTH}" style="max-width: 100%">'


def _alert(text: str) -> str:
    return f'<p role="alert"><b>Not possible:</b> {escape(text)}</p>'


def _to_copy(texts: Mapping[str, str]) -> str:
    """Each of *texts* under its title, the last folded, which is long; a click selects the whole of one."""
    shown = f'<pre style="{SELECTABLE}">'
    opened = [f"<details{' open' if place < len(texts) - 1 else ''}>" for place in range(len(texts))]
    parts = zip(opened, texts.items(), strict=True)
    return "".join(f"{begin}<summary>{title}</summary>{shown}{escape(text)}</pre></details>" for begin, (title, text) in parts)
