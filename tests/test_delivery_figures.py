"""Figures and findings about messages: where they went, what waits."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.text import Text
from tiny import quiet

from edasim import PRESETS, Comparison, Journal, Scenario, figures, findings, paired_comparison, simulate
from edasim.estimates import estimates
from edasim.figures import Picture, looks
from edasim.figures.destinations import BAR, THIN, fates_of
from edasim.figures.layout import apart

SECOND = 1_000_000_000
SENDING = [name for name, pattern in PRESETS.items() if pattern.sends]
SILENT = [name for name in PRESETS if name not in SENDING]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Two minutes in which the broker and billing fail, and some traffic for each partition."""
    return quiet(
        name="bad-minutes",
        duration=120,
        drain=60,
        workload={"arrivals": {"process": "poisson", "rate": 8}, "entities": {"count": 40, "popularity": "zipf"}},
        broker={"outages": {"windows": [[30, 40]]}, "partitions": 4},
        consumers=[
            {"name": "billing", "handle_time": "60ms", "outages": {"windows": [[70, 90]]}},
            {"name": "quota", "handle_time": 0},
        ],
    )


@pytest.fixture(scope="module")
def comparison(scenario: Scenario) -> Comparison:
    return paired_comparison(scenario, replications=3, jobs=1)


@pytest.fixture(scope="module")
def journals(scenario: Scenario) -> dict[str, Journal]:
    return {name: simulate(scenario, name) for name in PRESETS}


@pytest.fixture(scope="module")
def picture(comparison: Comparison) -> Picture:
    """Where the messages of every preset went."""
    return figures.destinations(comparison, "billing")


def words_of(picture: Picture) -> Iterator[Text]:
    """Every text that is drawn."""
    figure = picture.figure
    yield from figure.texts
    for axes in figure.axes:
        yield from axes.texts
        if axes.axison:
            yield from (axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label)
            for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
                for tick in axis.get_major_ticks():
                    if min(limits) <= tick.get_loc() <= max(limits) and tick.label1.get_visible():
                        yield tick.label1


def boxes_of(picture: Picture) -> dict[str, Any]:
    """Where the words are, in pixels."""
    canvas = FigureCanvasAgg(picture.figure)
    canvas.draw()
    found = [text for text in words_of(picture) if text.get_visible() and text.get_text().strip()]
    return {f"{number} {text.get_text()}": text.get_window_extent(canvas.get_renderer()) for number, text in enumerate(found)}


def collisions(picture: Picture) -> list[tuple[str, str]]:
    """Words that overlap, or leave the figure."""
    boxes = boxes_of(picture)
    pairs = [(a, b) for a, b in combinations(boxes, 2) if boxes[a].padded(-1.0).overlaps(boxes[b].padded(-1.0))]
    frame = picture.figure.bbox.padded(1.0)
    outside = [(word, "the edge") for word, box in boxes.items() if not (frame.contains(*box.min) and frame.contains(*box.max))]
    return pairs + outside


# What holds for every picture


def test_no_words_collide(picture: Picture) -> None:
    assert collisions(picture) == []


def test_words_can_be_read(picture: Picture) -> None:
    assert min(text.get_fontsize() for text in words_of(picture) if text.get_text()) >= 6


def test_every_picture_names_all_options_in_its_alternative_text(picture: Picture) -> None:
    assert [option for option in PRESETS if f"{option}: " not in picture.alt] == []


def test_options_are_never_told_apart_by_colour_alone(picture: Picture) -> None:
    markers = {line.get_marker() for axes in picture.figure.axes for line in axes.lines}
    assert {look.marker for look in looks({option: option for option in PRESETS}).values()} <= markers
    shown = "".join(text.get_text().replace("\n", "") for axes in picture.figure.axes for text in axes.texts)
    assert [option for option in PRESETS if option not in shown] == []


def test_options_that_send_nothing_say_so(picture: Picture) -> None:
    assert [option for option in SILENT if f"{option}: sends nothing" not in picture.alt] == []
    assert "sends nothing" in " ".join(text.get_text() for text in words_of(picture))


def test_intervals_are_named(picture: Picture) -> None:
    assert "95 % interval" in " ".join(text.get_text() for text in words_of(picture))


def test_the_same_results_give_the_same_bytes_whatever_the_users_settings_are(picture: Picture, comparison: Comparison) -> None:
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        assert figures.destinations(comparison, "billing").png == picture.png
        assert dict(mpl.rcParams) == before


def test_one_option_with_one_replication_and_no_outage_can_be_drawn() -> None:
    scenario = quiet(workload={"arrivals": {"process": "poisson", "rate": 1}}, duration=20)
    assert "none seen lost: 0 (< " in figures.destinations(paired_comparison(scenario, ["cqrs"], replications=1, jobs=1), "billing").alt


def test_a_run_without_changes_can_be_drawn() -> None:
    scenario = quiet(workload={"arrivals": {"process": "renewal", "gap": 50}}, duration=20)
    comparison = paired_comparison(scenario, ["cqrs"], replications=2, jobs=1)
    assert figures.destinations(comparison, "billing").alt.endswith("cqrs: no change in the window.")


def test_many_options_with_long_names_do_not_collide(scenario: Scenario) -> None:
    names = ["kafka-direct-with-three-replicas-and-acks-all", "kafka-cdc", "event-store-with-snapshots", "x" * 30]
    options = [
        {"name": name, "pattern": pattern} for name, pattern in zip(names, ["cqrs", "event_notification", *SENDING[-2:]], strict=True)
    ]
    changed = scenario.with_overrides({"options": options})
    assert collisions(figures.destinations(paired_comparison(changed, replications=1, jobs=1), "billing")) == []


# Where the messages went


def test_every_message_is_counted_once(comparison: Comparison) -> None:
    for option in SENDING:
        values = comparison.values[option, "billing", "", "loss_rate", ""].values()
        assert sum(fate.messages for fate in fates_of(comparison, option, "billing")) == sum(value.trials for value in values)
    assert all(fates_of(comparison, option, "billing") == [] for option in SILENT)


def test_shares_are_those_of_the_results(comparison: Comparison) -> None:
    lost = estimates(comparison.results[comparison.results["consumer"] == "billing"], "lost_broker")
    for option in SENDING:
        found = {fate.outcome: fate.share for fate in fates_of(comparison, option, "billing")}
        assert found.get("lost_broker", lost[option]) == pytest.approx(lost[option])
        assert found["applied"].mean == pytest.approx(1 - sum(share.mean for outcome, share in found.items() if outcome != "applied"))


def test_counts_and_shares_stand_in_the_figure_and_in_its_words(picture: Picture, comparison: Comparison) -> None:
    shown = [text.get_text() for text in words_of(picture)]
    for option in SENDING:
        for fate in fates_of(comparison, option, "billing"):
            assert {fate.name, f"{fate.messages:,}", str(fate.share)} <= set(shown)
            assert not fate.messages or f"{fate.name} {fate.messages:,} ({fate.share})" in picture.alt


def test_ribbons_are_to_scale_or_dashed(scenario: Scenario) -> None:
    comparison = paired_comparison(scenario, ["cqrs"], replications=1, jobs=1)
    (value,) = comparison.values["cqrs", "billing", "", "lost_broker", ""].values()
    for share, outcome in ((0.2, "to scale"), (0.0001, "dashed"), (0.0, "none")):
        changed = {**comparison.values, ("cqrs", "billing", "", "lost_broker", ""): {0: replace(value, value=share, trials=100_000)}}
        changed["cqrs", "billing", "", "in_flight_rate", ""] = {0: replace(value, value=0.0, trials=100_000)}
        picture = figures.destinations(replace(comparison, values=changed), "billing")
        (axes,) = picture.figure.axes
        heights = sorted(patch.get_height() for patch in axes.patches if isinstance(patch, Rectangle))
        dashed = [patch for patch in axes.patches if isinstance(patch, PathPatch) and not patch.get_fill()]
        assert len(dashed) == (outcome == "dashed")
        expected = [BAR * share, BAR * (1 - share), BAR] if outcome == "to scale" else [BAR * (1 - share), BAR]
        assert heights == pytest.approx(sorted(expected))
        assert ("lost: broker 10 (" in picture.alt) == (outcome == "dashed")
        assert ("none seen lost" in picture.alt) == (outcome == "none")
    assert THIN < BAR * 0.03, "three percent and more are drawn to scale"


def test_all_options_have_the_same_scale(picture: Picture) -> None:
    rows = [axes for axes in picture.figure.axes if axes.patches]
    inches = [axes.get_window_extent().height / abs(np.diff(axes.get_ylim())[0]) for axes in rows]
    assert inches == pytest.approx([inches[0]] * len(inches), rel=0.01)


# Labels


@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 3)), min_size=1, max_size=8),
)
def test_labels_are_moved_apart_no_further_than_they_must(labels: list[tuple[float, float]]) -> None:
    places, sizes = (np.array(column) for column in zip(*labels, strict=True))
    room = 10.0
    found = apart(places, sizes, room)
    order = np.argsort(found, kind="stable")
    gaps = np.diff(found[order]) - (sizes[order][1:] + sizes[order][:-1]) / 2
    assert (gaps > -1e-9).all(), "they do not overlap"
    assert (np.diff(places[order]) >= 0).all(), "they keep their order"
    if sizes.sum() <= room:
        assert ((found - sizes / 2 > -1e-9) & (found + sizes / 2 < room + 1e-9)).all(), "they stay inside"
    fits = np.all(np.diff(np.sort(places)) >= sizes.max()) and places.min() >= sizes.max() / 2 and places.max() <= room - sizes.max() / 2
    assert not fits or found == pytest.approx(places), "none moves that need not"


# Findings


def test_findings_hold_for_every_preset(comparison: Comparison) -> None:
    said = findings.where_messages_went(comparison.results, "billing")
    assert said.splitlines()[0].startswith("* **Lost on the way to `billing`**: ")
    assert "0 by nature with `request_response`" in said
    assert "`lost_broker`" in said
    assert "`lost_overflow`" not in said, "places where nothing is lost are left out"
