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
from matplotlib.colors import same_color, to_rgba
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.text import Text
from tiny import quiet

from edasim import PRESETS, Comparison, InputError, Journal, Scenario, figures, findings, paired_comparison, simulate
from edasim.estimates import estimates, short
from edasim.figures import Picture, looks
from edasim.figures.backlog import view_of
from edasim.figures.destinations import BAR, THIN, fates_of
from edasim.figures.picture import SHADE, apart
from edasim.metrics.backlog import backlog, recoveries

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
def pictures(comparison: Comparison, journals: dict[str, Journal]) -> dict[str, Picture]:
    """Every figure once."""
    return {
        "destinations": figures.destinations(comparison, "billing"),
        "backlog": figures.backlog_after_outage(journals, "billing"),
        "partitions": figures.backlog_by_partition(journals["cqrs"], "billing"),
    }


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


# What holds for each picture


@pytest.mark.parametrize("name", ["destinations", "backlog", "partitions"])
def test_no_words_collide(name: str, pictures: dict[str, Picture]) -> None:
    assert collisions(pictures[name]) == []


@pytest.mark.parametrize("name", ["destinations", "backlog", "partitions"])
def test_words_can_be_read(name: str, pictures: dict[str, Picture]) -> None:
    assert min(text.get_fontsize() for text in words_of(pictures[name]) if text.get_text()) >= 6


def test_every_picture_names_all_options_in_its_alternative_text(pictures: dict[str, Picture]) -> None:
    for name in ("destinations", "backlog"):
        assert [option for option in PRESETS if f"{option}: " not in pictures[name].alt] == [], name


def test_options_are_never_told_apart_by_colour_alone(pictures: dict[str, Picture]) -> None:
    for name in ("destinations", "backlog"):
        figure = pictures[name].figure
        markers = {line.get_marker() for axes in figure.axes for line in axes.lines}
        assert {look.marker for look in looks({option: option for option in PRESETS}).values()} <= markers, name
        shown = "".join(text.get_text().replace("\n", "") for axes in figure.axes for text in axes.texts)
        assert [option for option in PRESETS if option not in shown] == [], name


def test_options_that_send_nothing_say_so(pictures: dict[str, Picture]) -> None:
    for name in ("destinations", "backlog"):
        for option in SILENT:
            assert f"{option}: sends nothing" in pictures[name].alt, name
        assert "sends nothing" in " ".join(text.get_text() for text in words_of(pictures[name])), name


def test_intervals_are_named(pictures: dict[str, Picture]) -> None:
    assert "95 % interval" in " ".join(text.get_text() for text in words_of(pictures["destinations"]))


def test_axes_have_units(pictures: dict[str, Picture]) -> None:
    assert pictures["backlog"].figure.axes[-1].get_xlabel() == "time since the outage began (s)"
    assert pictures["partitions"].figure.axes[0].get_ylabel() == "messages waiting"


def test_the_same_results_give_the_same_bytes_whatever_the_users_settings_are(
    pictures: dict[str, Picture], comparison: Comparison, journals: dict[str, Journal]
) -> None:
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        assert figures.destinations(comparison, "billing").png == pictures["destinations"].png
        assert figures.backlog_after_outage(journals, "billing").png == pictures["backlog"].png
        assert figures.backlog_by_partition(journals["cqrs"], "billing").png == pictures["partitions"].png
        assert dict(mpl.rcParams) == before


def test_one_option_with_one_replication_and_no_outage_can_be_drawn() -> None:
    scenario = quiet(workload={"arrivals": {"process": "poisson", "rate": 1}}, duration=20)
    comparison, journal = paired_comparison(scenario, ["cqrs"], replications=1, jobs=1), simulate(scenario, "cqrs")
    assert "none seen lost: 0 (< " in figures.destinations(comparison, "billing").alt
    assert "cqrs: most waiting 0, meets no outage, lost 0" in figures.backlog_after_outage({"cqrs": journal}, "billing").alt
    assert "of 8 the hottest" in figures.backlog_by_partition(journal, "billing").alt
    assert "what waits for billing?" in " ".join(
        text.get_text() for text in words_of(figures.backlog_after_outage({"cqrs": journal}, "billing"))
    )


def test_a_run_without_changes_can_be_drawn() -> None:
    scenario = quiet(workload={"arrivals": {"process": "renewal", "gap": 50}}, duration=20)
    comparison, journal = paired_comparison(scenario, ["cqrs"], replications=2, jobs=1), simulate(scenario, "cqrs")
    assert figures.destinations(comparison, "billing").alt.endswith("cqrs: no change in the window.")
    assert "partition 0: most 0, no message" in figures.backlog_by_partition(journal, "billing").alt


def test_many_options_with_long_names_do_not_collide(scenario: Scenario) -> None:
    names = ["kafka-direct-with-three-replicas-and-acks-all", "kafka-cdc", "event-store-with-snapshots", "x" * 30]
    options = [
        {"name": name, "pattern": pattern} for name, pattern in zip(names, ["cqrs", "event_notification", *SENDING[-2:]], strict=True)
    ]
    changed = scenario.with_overrides({"options": options})
    assert collisions(figures.destinations(paired_comparison(changed, replications=1, jobs=1), "billing")) == []
    assert collisions(figures.backlog_after_outage({name: simulate(changed, name) for name in names}, "billing")) == []


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


def test_counts_and_shares_stand_in_the_figure_and_in_its_words(pictures: dict[str, Picture], comparison: Comparison) -> None:
    shown = [text.get_text() for text in words_of(pictures["destinations"])]
    for option in SENDING:
        for fate in fates_of(comparison, option, "billing"):
            assert {fate.name, f"{fate.messages:,}", str(fate.share)} <= set(shown)
            assert not fate.messages or f"{fate.name} {fate.messages:,} ({fate.share})" in pictures["destinations"].alt


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


def test_all_options_have_the_same_scale(pictures: dict[str, Picture]) -> None:
    rows = [axes for axes in pictures["destinations"].figure.axes if axes.patches]
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


# What waits


def test_the_fault_shown_is_the_one_in_which_most_waits(journals: dict[str, Journal]) -> None:
    view = view_of(journals, "billing")
    assert (view.down / SECOND, view.up / SECOND, view.components) == (70, 90, ("billing",))
    broker = view_of(journals, "billing", "broker")
    assert (broker.down / SECOND, broker.up / SECOND, broker.components) == (30, 40, ("broker",))
    assert view_of(journals, "quota").components == ("broker",)
    with pytest.raises(InputError, match="component source is never down"):
        figures.backlog_after_outage(journals, "billing", "source")


def test_everybody_has_caught_up_before_the_view_ends(journals: dict[str, Journal]) -> None:
    view = view_of(journals, "billing")
    for option in SENDING:
        spans, recovered = recoveries(journals[option], 0)
        assert recovered[np.flatnonzero(spans[:, 0] == view.down)[0]] < view.end


def test_the_outage_is_shaded_and_recovery_marked_where_they_are(pictures: dict[str, Picture], journals: dict[str, Journal]) -> None:
    for axes, option in zip(pictures["backlog"].figure.axes, journals, strict=True):
        shaded = [patch for patch in axes.patches if isinstance(patch, Rectangle) and same_color(patch.get_facecolor(), to_rgba(SHADE))]
        dashed = [line for line in axes.lines if line.get_linestyle() == "--" or line.is_dashed()]
        if option in SILENT:
            assert not shaded
            continue
        assert [(patch.get_x(), patch.get_width()) for patch in shaded] == [(0, pytest.approx(20))]
        _, recovered = recoveries(journals[option], 0)
        assert [line.get_xdata()[0] for line in dashed] == pytest.approx([recovered[-1] / SECOND - 70])
        assert f"{option}: most waiting " in pictures["backlog"].alt
        assert f"caught up after {short((recovered[-1] / SECOND - 90), 's')}" in pictures["backlog"].alt


def test_small_multiples_have_the_same_axes(pictures: dict[str, Picture]) -> None:
    rows = pictures["backlog"].figure.axes
    assert len({axes.get_ylim() for axes in rows}) == len({axes.get_xlim() for axes in rows}) == 1


def test_who_has_not_caught_up_by_the_end_is_said_to_take_longer() -> None:
    busy = {"name": "billing", "instances": 1, "handle_time": 1, "outages": {"windows": [[20, 30]]}}
    scenario = quiet(workload={"arrivals": {"process": "renewal", "gap": 0.9}}, duration=60, drain=0, consumers=[busy])
    assert "cqrs: most waiting " in (alt := figures.backlog_after_outage({"cqrs": simulate(scenario, "cqrs")}, "billing").alt)
    assert "caught up after > 30 s" in alt


def test_hot_partitions_come_first_with_their_share_of_the_traffic(pictures: dict[str, Picture], journals: dict[str, Journal]) -> None:
    journal = journals["cqrs"]
    alt = pictures["partitions"].alt
    peaks = [int(part.split(" most ")[1].split(",")[0]) for part in alt.split("partition ")[2:]]
    assert peaks == sorted(peaks, reverse=True)
    assert len(peaks) == 3
    assert peaks[0] > 0
    assert "of all messages, entity " in alt
    measured = {value.component: value.value for value in backlog(journal) if value.component and value.consumer == "billing"}
    hottest = alt.split("partition ")[2].split(":")[0]
    assert f"partition {hottest}" == max(measured, key=lambda component: measured[component])


def test_a_broker_without_partitions_has_no_picture_of_them(scenario: Scenario) -> None:
    journal = simulate(scenario.with_overrides({"broker.kind": "pubsub"}), "cqrs")
    with pytest.raises(InputError, match="cqrs: keeps no messages by partition"):
        figures.backlog_by_partition(journal, "billing")


# Findings


def test_findings_hold_for_every_preset(comparison: Comparison) -> None:
    said = findings.where_messages_went(comparison.results, "billing")
    assert said.splitlines()[0].startswith("* **Lost on the way to `billing`**: ")
    assert "0 by nature with `request_response`" in said
    assert "`lost_broker`" in said
    assert "`lost_overflow`" not in said, "places where nothing is lost are left out"
    waits = findings.what_waits(comparison.results, "billing")
    assert "does not apply to `request_response`" in waits
    assert "of 4 partitions** is partition " in waits


def test_without_a_fault_nothing_is_said_of_catching_up() -> None:
    comparison = paired_comparison(
        quiet(duration=20, workload={"arrivals": {"process": "poisson", "rate": 1}}), ["cqrs"], replications=2, jobs=1
    )
    assert "Nothing was down that could keep messages from it" in findings.what_waits(comparison.results, "billing")
