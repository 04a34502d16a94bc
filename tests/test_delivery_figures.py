"""Figures and findings about messages: where they went, what an outage costs, what waits."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import same_color, to_rgba
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.text import Text
from tiny import quiet

from edasim import PRESETS, Comparison, InputError, Journal, Scenario, figures, findings, paired_comparison, simulate, sweeps
from edasim.estimates import Estimate, estimates, short
from edasim.figures import Picture, looks
from edasim.figures.backlog import view_of
from edasim.figures.destinations import BAR, THIN, fates_of
from edasim.figures.picture import SHADE, apart
from edasim.metrics.backlog import backlog, recoveries
from edasim.theory import lost_in_broker_outages

SECOND = 1_000_000_000
LENGTHS = (0, 3, 12)
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
def swept(scenario: Scenario) -> pd.DataFrame:
    return sweeps.outage_sweep(scenario, "broker", LENGTHS, replications=3, jobs=1)


@pytest.fixture(scope="module")
def pictures(comparison: Comparison, journals: dict[str, Journal], swept: pd.DataFrame) -> dict[str, Picture]:
    """Every figure once."""
    return {
        "destinations": figures.destinations(comparison, "billing"),
        "outage": figures.loss_against_outage(swept, "billing"),
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


@pytest.mark.parametrize("name", ["destinations", "outage", "backlog", "partitions"])
def test_no_words_collide(name: str, pictures: dict[str, Picture]) -> None:
    assert collisions(pictures[name]) == []


@pytest.mark.parametrize("name", ["destinations", "outage", "backlog", "partitions"])
def test_words_can_be_read(name: str, pictures: dict[str, Picture]) -> None:
    assert min(text.get_fontsize() for text in words_of(pictures[name]) if text.get_text()) >= 6


def test_every_picture_names_all_options_in_its_alternative_text(pictures: dict[str, Picture]) -> None:
    for name in ("destinations", "outage", "backlog"):
        assert [option for option in PRESETS if f"{option}: " not in pictures[name].alt] == [], name


def test_options_are_never_told_apart_by_colour_alone(pictures: dict[str, Picture]) -> None:
    for name in ("destinations", "outage", "backlog"):
        figure = pictures[name].figure
        markers = {line.get_marker() for axes in figure.axes for line in axes.lines}
        assert {look.marker for look in looks({option: option for option in PRESETS}).values()} <= markers, name
        shown = "".join(text.get_text().replace("\n", "") for axes in figure.axes for text in axes.texts)
        assert [option for option in PRESETS if option not in shown] == [], name


def test_options_that_send_nothing_say_so(pictures: dict[str, Picture]) -> None:
    for name in ("destinations", "outage", "backlog"):
        for option in SILENT:
            assert f"{option}: sends nothing" in pictures[name].alt, name
        assert "sends nothing" in " ".join(text.get_text() for text in words_of(pictures[name])), name


def test_intervals_are_named(pictures: dict[str, Picture]) -> None:
    for name in ("destinations", "outage"):
        assert "95 % interval" in " ".join(text.get_text() for text in words_of(pictures[name]))


def test_axes_have_units(pictures: dict[str, Picture]) -> None:
    assert pictures["outage"].figure.axes[0].get_xlabel() == "length of the outage (s)"
    assert pictures["outage"].figure.axes[0].get_ylabel() == "messages lost in the window"
    assert pictures["backlog"].figure.axes[-1].get_xlabel() == "time since the outage began (s)"
    assert pictures["partitions"].figure.axes[0].get_ylabel() == "messages waiting"


def test_the_same_results_give_the_same_bytes_whatever_the_users_settings_are(
    pictures: dict[str, Picture], comparison: Comparison, swept: pd.DataFrame, journals: dict[str, Journal]
) -> None:
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        assert figures.destinations(comparison, "billing").png == pictures["destinations"].png
        assert figures.loss_against_outage(swept, "billing").png == pictures["outage"].png
        assert figures.backlog_after_outage(journals, "billing").png == pictures["backlog"].png
        assert figures.backlog_by_partition(journals["cqrs"], "billing").png == pictures["partitions"].png
        assert dict(mpl.rcParams) == before


def test_one_option_with_one_replication_and_no_outage_can_be_drawn() -> None:
    scenario = quiet(workload={"arrivals": {"process": "poisson", "rate": 1}}, duration=20)
    comparison, journal = paired_comparison(scenario, ["cqrs"], replications=1, jobs=1), simulate(scenario, "cqrs")
    assert "none seen lost: 0 (< " in figures.destinations(comparison, "billing").alt
    assert "cqrs: most waiting 0, meets no outage, lost 0" in figures.backlog_after_outage({"cqrs": journal}, "billing").alt
    assert "of 8 the hottest" in figures.backlog_by_partition(journal, "billing").alt
    swept = sweeps.outage_sweep(scenario, "broker", [0], ["cqrs"], replications=1, jobs=1)
    assert "cqrs: 0 (< " in figures.loss_against_outage(swept, "billing").alt
    twins = sweeps.outage_sweep(scenario, "broker", [10, 12], ["cqrs", "event_carried_state_transfer"], replications=1, jobs=1)
    assert [len(options) for options in sweeps.courses_of(twins, "billing").values()] == [2], "they share a line without intervals, too"
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
    assert collisions(figures.loss_against_outage(sweeps.outage_sweep(changed, "broker", [0, 5], replications=2, jobs=1), "billing")) == []
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


# What an outage costs


def test_a_sweep_loses_what_the_formula_says() -> None:
    scenario = quiet(
        duration=200,
        workload={"arrivals": {"process": "renewal", "gap": 0.5}},
        source={"producer": {"retries": 2, "ack_timeout": 1, "backoff": 1}},
        broker={"outages": {"windows": [[100.25, 110.25]]}},
    )
    swept = sweeps.outage_sweep(scenario, "broker", [0, "3s", 4, 10, 30], ["cqrs"], replications=2, jobs=1)
    ((course, options),) = sweeps.courses_of(swept, "billing").items()
    assert options == ["cqrs"]
    assert sweeps.lengths_of(swept) == [0, 3, 4, 10, 30]
    for length, lost in zip((10, 30), course[-2:], strict=True):
        changed = scenario.with_overrides({"broker.outages.windows": [[100.25, 100.25 + length]]})
        assert lost.mean == lost_in_broker_outages(changed, rate=2.0)
    assert [lost.is_unseen for lost in course] == [True, True, True, False, False]


def test_a_sweep_keeps_what_options_set_and_what_else_is_said_of_the_outage() -> None:
    options = [
        {"name": "direct", "pattern": "cqrs"},
        {"name": "outbox", "pattern": "cqrs", "set": {"source.publish": "outbox"}},
        {"name": "patient", "pattern": "cqrs", "set": {"source.producer.retries": 100}},
        {"name": "asks", "pattern": "request_response"},
    ]
    scenario = quiet(
        options=options,
        drain=300,
        workload={"arrivals": {"process": "poisson", "rate": 5}},
        broker={"outages": {"up": 5, "down": 1}},
        consumers=[{"name": "billing", "instances": 1, "handle_time": 0, "outages": {"windows": [[50, 51]], "on_restart": "resume"}}],
    )
    swept = sweeps.outage_sweep(scenario, "broker", [0, 20], options=["direct", "outbox", "patient", "asks"], replications=2, jobs=1)
    lost = estimates(swept[swept["outage_s"] == 20], "messages_lost")
    assert {option for option, found in lost.items() if found.mean} == {"direct"}
    assert lost["outbox"].is_unseen
    assert lost["patient"].is_unseen
    assert lost["asks"].is_zero
    assert estimates(swept[swept["outage_s"] == 0], "messages_lost")["direct"].is_unseen, "its own random outages are left out"
    assert set(swept["outage_of"]) == {"broker"}
    billing = sweeps.outage_sweep(scenario, "billing", [0, 20], ["cqrs"], replications=2, jobs=1)
    assert set(billing["outage_of"]) == {"billing"}


def test_options_and_lengths_of_a_sweep_share_their_luck(swept: pd.DataFrame, comparison: Comparison) -> None:
    same = swept[
        (swept["metric"] == "publish_attempts_mean") & (swept["outage_s"] == 0) & swept["option"].isin(["cqrs", "event_notification"])
    ]
    assert same["mean"].nunique() == 1
    again = sweeps.outage_sweep(comparison.scenario, "broker", [10], replications=3, jobs=1)  # as long as it is in the scenario
    assert estimates(again, "loss_rate") == estimates(comparison.results, "loss_rate")


def test_an_outage_begins_where_the_scenario_has_one_else_a_quarter_into_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[Any] = []

    def noted(points: Iterable[Scenario], *args: object, **kwargs: object) -> Iterator[Comparison]:
        for scenario in points:
            met.append((scenario.broker.outages, scenario.consumers[0].outages))
            yield comparison

    scenario = quiet(warmup=20, workload={"arrivals": {"process": "poisson", "rate": 1}})
    comparison = paired_comparison(scenario, ["cqrs"], replications=1, jobs=1)
    monkeypatch.setattr(sweeps, "comparisons_at", noted)
    sweeps.outage_sweep(scenario, "broker", [0, 8])
    assert [outages.windows for outages, _ in met] == [(), ((45, 53),)]
    sweeps.outage_sweep(scenario.with_overrides({"broker.outages.windows": [[5, 6], [60, 61]]}), "broker", [8])
    assert met[-1][0].windows == ((60, 68),)
    down = {"up": 50, "down": 1, "on_restart": "resume"}
    sweeps.outage_sweep(scenario.with_overrides({"consumers.billing.outages": down}), "billing", [8])
    assert (met[-1][1].windows, met[-1][1].up, met[-1][1].on_restart) == (((45, 53),), None, "resume")


def test_an_unknown_component_or_an_impossible_length_is_refused(scenario: Scenario) -> None:
    with pytest.raises(InputError, match="component brocker is not in the scenario"):
        sweeps.outage_sweep(scenario, "brocker", [1])
    for lengths, why in (([], "at least one"), ([-1], "must be a duration"), (["1 fortnight"], "must be a duration")):
        with pytest.raises(InputError, match=f"lengths: .*{why}"):
            sweeps.outage_sweep(scenario, "broker", lengths)


def test_zeros_can_be_seen_and_who_loses_the_same_shares_a_line(pictures: dict[str, Picture], swept: pd.DataFrame) -> None:
    (axes,) = pictures["outage"].figure.axes
    assert axes.get_ylim()[0] < 0
    hollow = [line for line in axes.lines if line.get_marker() != "None" and same_color(line.get_markerfacecolor(), "white")]
    unseen = [course for course in sweeps.courses_of(swept, "billing") if course[-1].is_unseen]
    assert len(hollow) >= len(unseen) * len(LENGTHS) > 0
    assert sum(map(len, sweeps.courses_of(swept, "billing").values())) == len(PRESETS)
    assert len(sweeps.courses_of(swept, "billing")) < len(PRESETS)


def test_bands_are_the_intervals(pictures: dict[str, Picture], swept: pd.DataFrame) -> None:
    (axes,) = pictures["outage"].figure.axes
    drawn = {
        (round(float(path.vertices[:, 1].min()), 6), round(float(path.vertices[:, 1].max()), 6))
        for c in axes.collections
        for path in c.get_paths()
    }
    for course in sweeps.courses_of(swept, "billing"):
        ends = np.array([point.ends for point in course])
        if ends.any():
            assert (round(float(ends.min()), 6), round(float(ends.max()), 6)) in drawn


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


def test_findings_hold_for_every_preset(comparison: Comparison, swept: pd.DataFrame) -> None:
    said = findings.where_messages_went(comparison.results, "billing")
    assert said.splitlines()[0].startswith("* **Lost on the way to `billing`**: ")
    assert "0 by nature with `request_response`" in said
    assert "`lost_broker`" in said
    assert "`lost_overflow`" not in said, "places where nothing is lost are left out"
    waits = findings.what_waits(comparison.results, "billing")
    assert "does not apply to `request_response`" in waits
    assert "of 4 partitions** is partition " in waits
    costs = findings.what_an_outage_costs(swept, "billing")
    assert costs.startswith("* **Lost to `billing` with broker down for 12 s**: ")
    assert "none seen lost up to 3 s; from 3 s on " in costs


def test_without_a_fault_nothing_is_said_of_catching_up() -> None:
    comparison = paired_comparison(
        quiet(duration=20, workload={"arrivals": {"process": "poisson", "rate": 1}}), ["cqrs"], replications=2, jobs=1
    )
    assert "Nothing was down that could keep messages from it" in findings.what_waits(comparison.results, "billing")


def test_a_longer_outage_is_said_to_cost_more_only_where_intervals_are_apart() -> None:
    def said(*course: tuple[float, float, float]) -> str:
        rows = [("s", "a", "cqrs", "c", "messages_lost", "", "messages", *numbers, "broker", 10.0 * i) for i, numbers in enumerate(course)]
        columns = [
            "scenario",
            "option",
            "pattern",
            "consumer",
            "metric",
            "component",
            "unit",
            "mean",
            "low",
            "high",
            "outage_of",
            "outage_s",
        ]
        return findings.what_an_outage_costs(pd.DataFrame(rows, columns=columns), "c").splitlines()[-1]

    assert said((0, 0, 3), (100, 90, 110)) == "* `a`: none seen lost without an outage; 10 more for each second."
    assert said((5, 4, 6), (0, 0, 3), (100, 90, 110)).endswith("none seen lost up to 10 s; from 10 s on 10 more for each further second.")
    assert said((5, 4, 6), (8, 5, 11)).endswith("so no effect of the length is certain.")
    assert said((5, 4, 6), (5, 4, 6)).endswith("messages with no outage, and just as many with the longest.")
    assert "none seen with `a`" in said((0, 0, 3), (0, 0, 3))


def test_messages_lost_are_shares_times_messages(comparison: Comparison) -> None:
    lost = sweeps.messages_lost(comparison)
    for option in SENDING:
        mine = estimates(lost[lost["consumer"] == "billing"], "messages_lost")[option]
        counts = [value.value * value.trials for value in comparison.values[option, "billing", "", "loss_rate", ""].values()]
        assert mine.mean == pytest.approx(np.mean(counts))
    assert all(found == Estimate(0, 0, 0, "messages") for option, found in estimates(lost, "messages_lost").items() if option in SILENT)
