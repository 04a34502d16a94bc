"""The pattern picker: three answers, and what they are called, what follows from them, what they are made of; or why they can't be.

What they are made of is what the complexity ledger says where nothing fails: a team's own faults ask for more (`edasim choose`).
"""

from collections.abc import Mapping
from html import escape
from typing import Any

import ipywidgets as widgets

from edasim.candidates import Candidate
from edasim.errors import InputError
from edasim.ledger.moving_parts import moving_parts
from edasim.patterns import ASKED, PRESETS, QUESTIONS, Pattern, what_follows
from edasim.scenario import Scenario


class Picker:
    """The three questions as three choices, and below them the pattern that the answers make."""

    def __init__(self) -> None:
        first = PRESETS["event_carried_state_transfer"]
        self.answers = {question: _choice(question, getattr(first, question)) for question in QUESTIONS}
        self.said = widgets.HTML(described(first.truth, first.carries, first.reads))
        for choice in self.answers.values():
            choice.observe(self._chosen, "value")
        self.box = widgets.VBox([*self.answers.values(), self.said])

    def _chosen(self, change: Mapping[str, Any]) -> None:
        self.said.value = described(*(choice.value for choice in self.answers.values()))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle: dict[str, Any] = self.box._repr_mimebundle_()
        return {**bundle, "text/plain": "Three choices, which need a running notebook."}


def _choice(question: str, answer: str) -> Any:
    options = [(each.replace("_", " "), each) for each in QUESTIONS[question]]
    return widgets.Dropdown(options=options, value=answer, description=ASKED[question], style={"description_width": "14em"})


def described(truth: Any, carries: Any, reads: Any) -> str:
    """The pattern of three answers, as HTML: its name, what follows and its moving parts, or the reason why there is none.

    >>> described("events", "nothing", "copy")[:31]
    '<p role="alert"><b>Incoherent:<'
    """
    try:
        pattern = Pattern(truth, carries, reads)
    except InputError as error:
        return f'<p role="alert"><b>Incoherent:</b> {escape(str(error).partition(" is incoherent: ")[2])}</p>'
    kind = "" if pattern.name in PRESETS else " (no name of its own)"
    needed = moving_parts(Candidate(pattern.name, pattern, Scenario()))
    parts = tuple(f"{each.part} (without: {each.without})" for each in needed) or ("none beside the source and its consumers",)
    follows = f"<p>What follows:</p>{_listed(what_follows(pattern))}"
    return f"<p><b>{escape(pattern.name)}</b>{kind}</p>{follows}<p>Moving parts, where nothing fails:</p>{_listed(parts)}"


def _listed(lines: tuple[str, ...]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
