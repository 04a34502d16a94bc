"""What figures have in common and need no drawing for: the look of an option, names on several lines, where numbers stand.

An option has the fixed colour of its pattern, its own marker and its name beside it: never colour alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from textwrap import wrap

from edasim.estimates import short
from edasim.patterns import PRESETS, QUESTIONS, Pattern, pattern_of

# Okabe and Ito (2008), told apart by people of any colour vision; the ninth is the grey that R's palette of that name adds.
COLOURS = dict(
    zip(PRESETS, ("#000000", "#999999", "#F0E442", "#E69F00", "#0072B2", "#CC79A7", "#56B4E9", "#D55E00", "#009E73"), strict=True)
)
MARKERS = dict(zip(PRESETS, "sDv^oPhX*", strict=True))
MORE_MARKERS = "<>pdH8"
Dash = str | tuple[int, tuple[float, ...]]
DASHES: tuple[Dash, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))


@dataclass(frozen=True)
class Look:
    """How an option is drawn, in every figure."""

    colour: str
    marker: str


def looks(options: Mapping[str, Pattern | str]) -> dict[str, Look]:
    """The look of each option, by name: the colour of its pattern; options of one pattern differ by their markers.

    A pattern that is no preset takes the colour of the first preset that shares most of its three answers, best one that sends if it does.

    >>> looks({"kafka": "event_carried_state_transfer", "kafka-cdc": "event_carried_state_transfer"})
    {'kafka': Look(colour='#0072B2', marker='o'), 'kafka-cdc': Look(colour='#0072B2', marker='<')}
    """
    presets = {option: _nearest(pattern_of(pattern)) for option, pattern in options.items()}
    markers = {option: MARKERS[preset] for option, preset in presets.items() if option == preset}  # nobody else takes a preset's own
    for option, preset in presets.items():
        free = [marker for marker in (MARKERS[preset], *MORE_MARKERS, *MARKERS.values()) if marker not in markers.values()]
        markers.setdefault(option, free[0] if free else MARKERS[preset])
    return {option: Look(COLOURS[preset], markers[option]) for option, preset in presets.items()}


def _nearest(pattern: Pattern) -> str:
    def likeness(name: str) -> tuple[int, bool]:
        preset = PRESETS[name]
        return sum(getattr(pattern, question) == getattr(preset, question) for question in QUESTIONS), pattern.sends == preset.sends

    return max(PRESETS, key=likeness)


def wrapped(name: str, width: int = 19) -> str:
    r"""*name* on several lines of at most *width* characters, broken after its own separators; where it has none, anywhere.

    >>> wrapped("event_sourcing_state_transfer")
    'event_sourcing_\nstate_transfer'
    >>> wrapped("KafkaWithTransactions", 12)
    'KafkaWithTra\nnsactions'
    """
    lines = [""]
    for whole in re.findall(r"[^_\-/ ]*[_\-/ ]|[^_\-/ ]+", name):
        for part in wrap(whole, width, drop_whitespace=False, break_on_hyphens=False) if len(whole.rstrip()) > width else [whole]:
            lines += [part] if lines[-1] and len(lines[-1] + part.rstrip()) > width else [lines.pop() + part]
    return "\n".join(lines)


@dataclass(frozen=True)
class Scale:
    """Where numbers stand on an axis: linear from zero; or, where they differ too much for that, by decades, and zero apart from them.

    Decade *lowest* stands at 1, ten times as much at 2, and zero, which no logarithm reaches, at 0 in a column of its own.
    """

    lowest: float | None  # None: linear

    @classmethod
    def of(cls, sizes: Sequence[float]) -> "Scale":
        """By decades if the largest of *sizes* is more than 30 times the smallest that is not zero."""
        positive = [size for size in sizes if size > 0]
        if not positive or min(sizes) < 0 or max(positive) <= 30 * min(positive):
            return cls(None)
        return cls(10.0 ** floor(log10(min(positive))))

    def at(self, value: float) -> float:
        """The place of *value*; by decades, what is below the lowest stands at the edge of zero's column.

        >>> Scale(None).at(0.2), Scale(0.01).at(0.1), Scale(0.01).at(0)
        (0.2, 2.0, 0.0)
        """
        if self.lowest is None:
            return value
        return 0.0 if value <= 0 else max(0.5, 1 + log10(value / self.lowest))

    def ticks(self, most: float, unit: str) -> dict[float, str]:
        """Places and labels of ticks by decades: zero and at most four more; zero alone where *most* is below the lowest decade."""
        assert self.lowest is not None
        decades = range(1, floor(self.at(most)) + 1)
        labels = {float(place): self._label(place, unit) for place in decades[:: max(1, -(-len(decades) // 4))]}
        return {0.0: "0"} | labels

    def _label(self, place: int, unit: str) -> str:
        assert self.lowest is not None
        label = short(self.lowest * 10.0 ** (place - 1), unit).removesuffix("/day")
        power = round(log10(self.lowest)) + place + 1  # of a share in percent
        return rf"$10^{{{power}}}$ %" if unit == "share" and power < -3 else label
