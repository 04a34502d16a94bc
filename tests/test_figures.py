"""Figures and findings: what they promise a reader, whoever that is and whatever the scenario."""

import ast
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from test_delivery_figures import collisions
from tiny import played, quiet

from edasim import PRESETS, Comparison, Journal, Scenario, figures, findings, measure, paired_comparison, screens, simulate
from edasim.estimates import estimates, short
from edasim.figures import Picture, looks
from edasim.figures.layout import heading, wide
from edasim.figures.looks import COLOURS, Scale, wrapped
from edasim.figures.picture import drawn
from edasim.metrics.over_time import met_over_time, outages_of, stale_over_time, unanswered_over_time

ROOT = Path(__file__).resolve().parents[1]
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Two minutes with an outage of each component."""
    return quiet(
        name="bad-minutes",
        duration=120,
        drain=30,
        workload={"arrivals": {"process": "poisson", "rate": 5}, "reads": {"rate": 5}, "entities": {"count": 20}},
        source={"outages": {"windows": [[90, 95]]}, "polling": {"interval": "20s"}, "cache_ttl": "5s"},
        broker={"outages": {"windows": [[30, 40]]}},
        consumers=[{"name": "billing", "handle_time": "10ms", "outages": {"windows": [[60, 65]]}}, {"name": "quota", "handle_time": 0}],
    )


@pytest.fixture(scope="module")
def comparison(scenario: Scenario) -> Comparison:
    return paired_comparison(scenario, replications=3, jobs=1)


@pytest.fixture(scope="module")
def journals(scenario: Scenario) -> dict[str, Journal]:
    return {name: simulate(scenario, name) for name in PRESETS}


@pytest.fixture(scope="module")
def picture(comparison: Comparison) -> Picture:
    """Every preset on one screen."""
    return figures.one_screen_figure(comparison.results)


# Headings


@pytest.mark.parametrize(
    "text",
    ["WOMBAT " * 20, "illicit " * 20, "a-long-name-" * 20, "x" * 300, "from 1 s on with kafka-direct; " * 4],
    ids=lambda text: text[:9],
)
@pytest.mark.parametrize("inches", [3.0, 6.0])
def test_a_heading_is_never_wider_than_its_figure_nor_in_more_lines_than_it_needs(text: str, inches: float) -> None:
    @drawn
    def headed() -> tuple[Figure, str]:
        figure = Figure(figsize=(inches, 4.0))
        heading(figure, text)
        return figure, text

    found = headed()
    shown = found.figure.texts[0]
    assert "".join(shown.get_text().split()) == "".join(text.split())
    for line, after in pairwise(shown.get_text().split("\n")):
        assert wide(f"{line} {after.split()[0]}", 9.5, "bold") > 0.97 * inches  # a word more has no room
    widest = shown.get_window_extent(found.canvas.get_renderer())
    assert widest.x1 <= found.figure.bbox.x1


HARD = (
    "kafka_with_the_transactional_outbox_and_a_relay",
    "Capital-Letters-Everywhere",
    "KafkaWithExactlyOnce",
    "event_sourcing_state_transfer_with_cqrs_and_outbox",
)


def test_no_name_of_an_option_is_too_long() -> None:
    options = [{"name": name, "pattern": pattern} for name, pattern in zip(HARD, PRESETS, strict=False)]
    required = [{"metric": "staleness_p99", "at_most": "2s"}, {"metric": "read_availability", "at_least": "99%", "consumer": "billing"}]
    found = paired_comparison(quiet(name="n" * 60, duration=5, options=options, requirements=required), replications=2, jobs=1)
    assert collisions(figures.verdicts_figure(found)) == []
    assert collisions(figures.one_screen_figure(found.results)) == []
    assert collisions(figures.one_screen_figure(found.results, figures.CALLS_OR_COPIES)) == []


def test_nothing_to_show_is_an_empty_figure_and_a_name_without_a_break_none_that_fails(comparison: Comparison) -> None:
    assert figures.one_screen_figure(comparison.results.head(0)).png
    assert figures.one_screen_figure(comparison.results.replace({"option": {"cqrs": "W" * 80}})).png


# Looks


def test_a_pattern_has_one_colour_whatever_else_is_compared() -> None:
    alone = {name: looks({name: name})[name] for name in PRESETS}
    assert looks({name: name for name in PRESETS}) == alone
    assert looks({"kafka": "cqrs", "rest": "request_response"})["kafka"].colour == COLOURS["cqrs"]


def test_no_two_patterns_share_a_colour_or_a_marker() -> None:
    every = looks({name: name for name in PRESETS}).values()
    assert len({look.colour for look in every}) == len({look.marker for look in every}) == len(PRESETS)


def test_options_of_one_pattern_share_its_colour_and_differ_by_marker() -> None:
    found = looks({"direct": "cqrs", "cdc": "cqrs", "cqrs": "cqrs"})
    assert {look.colour for look in found.values()} == {COLOURS["cqrs"]}
    assert len({look.marker for look in found.values()}) == 3
    assert found["cqrs"] == looks({"cqrs": "cqrs"})["cqrs"]  # a preset keeps its own


@pytest.mark.parametrize(
    ("pattern", "preset"),
    [("table/notice/cache", "event_notification"), ("table/delta/read_model", "cqrs"), ("events/state/read_model", "cqrs")],
)
def test_a_pattern_of_ones_own_has_the_colour_of_a_close_preset(pattern: str, preset: str) -> None:
    assert looks({"mine": pattern})["mine"].colour == COLOURS[preset]


@pytest.mark.parametrize(
    "name", ["event_sourcing_state_transfer", "a", "kafka-direct-with-a-very-long-name", "no separators at all", "x" * 40]
)
def test_a_wrapped_name_loses_nothing(name: str) -> None:
    assert wrapped(name).replace("\n", "") == name


# Scales


@pytest.mark.parametrize(
    ("sizes", "lowest"), [([0, 1, 20], None), ([0, 1, 50], 1), ([0.002, 0.9], 0.001), ([0, 0], None), ([-5, 500, 1], None)]
)
def test_an_axis_goes_by_decades_only_where_it_must(sizes: list[float], lowest: float | None) -> None:
    assert Scale.of(sizes).lowest == (None if lowest is None else pytest.approx(lowest))


def test_by_decades_zero_stands_apart_and_order_is_kept() -> None:
    scale = Scale.of([0.002, 0.9])
    places = [scale.at(value) for value in (0, 1e-9, 0.001, 0.002, 0.9)]
    assert places == sorted(places)
    assert places[0] == 0
    assert places[1] >= 0.5
    assert list(scale.ticks(0.9, "share").values()) == ["0", "0.1 %", "1 %", "10 %"]


# A picture


def test_a_picture_names_all_options_in_its_alternative_text(picture: Picture) -> None:
    assert [option for option in PRESETS if f"{option}:" not in picture.alt] == []


def test_the_alternative_text_gives_the_numbers(picture: Picture, comparison: Comparison) -> None:
    for metric in ("loss_rate", "stale_fraction", "storage_growth_bytes_per_day", "rebuild_time"):
        for option, estimate in estimates(comparison.results, metric).items():
            if estimate.mean:
                assert str(estimate) in picture.alt, (metric, option)


def test_zero_by_nature_none_seen_and_does_not_apply_are_told_apart(scenario: Scenario) -> None:
    rare = scenario.with_overrides({"network.loss": 1e-9, "broker.outages": None, "source.outages": None})
    shown = figures.one_screen_figure(paired_comparison(rare, replications=1, jobs=1).results)
    said = {part.split(": ", 1)[0]: part for part in shown.alt.split(". ") if ": " in part}
    assert "changes lost 0 by nature" in said["request_response"]
    assert "changes lost 0 by nature" in said["event_sourcing_cqrs"], "a subscription waits, whatever fails"
    assert "changes lost none seen: 0 (< " in said["event_notification"]
    assert "rebuild time does not apply" in said["request_response"]


def test_options_are_never_told_apart_by_colour_alone(picture: Picture) -> None:
    markers = {line.get_marker() for axes in picture.figure.axes for line in axes.lines}
    assert {look.marker for look in looks({option: option for option in PRESETS}).values()} <= markers
    words = [label.get_text() for axes in picture.figure.axes for label in axes.get_yticklabels()]
    assert set(PRESETS) <= {word.replace("\n", "") for word in words}


def test_a_notebook_gets_the_picture_with_its_words(picture: Picture) -> None:
    data, metadata = picture._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == picture.alt == data["text/plain"]
    assert picture.png.startswith(b"\x89PNG")


def test_drawing_neither_heeds_nor_changes_the_users_settings(picture: Picture, comparison: Comparison, tmp_path: Path) -> None:
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        figures.one_screen_figure(comparison.results).save(tmp_path / "again.png")
        assert dict(mpl.rcParams) == before
    assert (tmp_path / "again.png").read_bytes() == picture.png


def test_one_option_with_one_replication_can_be_drawn() -> None:
    scenario = quiet(workload={"arrivals": {"process": "poisson", "rate": 1}}, duration=20)
    comparison = paired_comparison(scenario, ["polling"], replications=1, jobs=1)
    assert "polling: " in figures.one_screen_figure(comparison.results).alt
    assert "only with `polling`" in findings.what_differs(comparison.results)


def test_only_figures_import_matplotlib_and_nothing_imports_pyplot() -> None:
    for path in (ROOT / "edasim").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        drawn = {name for name in names if name.split(".")[0] == "matplotlib"}
        assert path.parent.name == "figures" or not drawn, path.name
        assert "matplotlib.pyplot" not in drawn


def test_importing_edasim_does_not_import_matplotlib() -> None:
    code = "import sys, edasim; raise SystemExit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# What readers meet over time


@pytest.mark.parametrize("pattern", list(PRESETS))
def test_staleness_over_time_integrates_to_the_stale_fraction(pattern: str, journals: dict[str, Journal]) -> None:
    journal = journals[pattern]
    start, end = journal.facts["window"]
    found = {(value.metric, value.consumer): value.value for value in measure(journal)}
    for number, consumer in enumerate(journal.facts["consumers"]):
        for bins in (1, 7, 100):
            edges = np.linspace(start, end, bins + 1).astype(np.int64)
            shares = stale_over_time(journal, number, edges)
            assert np.average(shares, weights=np.diff(edges)) == pytest.approx(found["stale_fraction", consumer], rel=1e-9, abs=1e-12)
            assert ((shares >= 0) & (shares <= 1)).all()


def test_staleness_over_time_is_exact_for_a_copy_that_is_refreshed_once(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0], "polling", source={"polling": {"interval": 30}})  # changes at 10, seen at 30, one of two entities
    edges = np.array([0, 5, 10, 20, 25, 35, 100]) * SECOND
    assert stale_over_time(journal, 0, edges) == pytest.approx([0, 0, 0.5, 0.5, 0.25, 0], abs=1e-9)


def test_outside_the_window_and_where_nobody_asks_there_is_no_share(tmp_path: Path) -> None:
    journal = played(tmp_path, [10.0], duration=50)
    assert np.isnan(stale_over_time(journal, 0, np.array([50, 60]) * SECOND)).all()
    assert np.isnan(unanswered_over_time(journal, 0, np.array([0, 50]) * SECOND)).all()
    assert met_over_time(journal, 0, np.array([50, 60]) * SECOND) == (0, 0)


def test_reads_at_a_source_that_is_down_get_no_answer(journals: dict[str, Journal]) -> None:
    edges = np.array([80, 90, 95, 120]) * SECOND
    assert unanswered_over_time(journals["request_response"], 0, edges) == pytest.approx([0, 1, 0])
    assert unanswered_over_time(journals["cqrs"], 0, edges) == pytest.approx([0, 0, 0])


def test_outages_are_those_that_an_option_can_meet(journals: dict[str, Journal]) -> None:
    billing = outages_of(journals["cqrs"], "billing")
    assert {name: (spans / SECOND).tolist() for name, spans in billing.items()} == {
        "source": [[90, 95]],
        "broker": [[30, 40]],
        "billing": [[60, 65]],  # both instances at once are one outage
    }
    assert set(outages_of(journals["cqrs"], "quota")) == {"source", "broker"}
    assert set(outages_of(journals["request_response"], "billing")) == {"source"}


def test_outages_of_several_instances_are_joined_where_they_overlap() -> None:
    down = {"windows": [[10, 20], [30, 40]]}
    scenario = quiet(consumers=[{"name": "billing", "instances": 3, "handle_time": 0, "outages": down}], duration=35)
    assert (outages_of(simulate(scenario, "cqrs"), "billing")["billing"] / SECOND).tolist() == [[10, 20], [30, 35]]


# Findings and tables


def rows(metric: str, unit: str, **options: tuple[float, float, float]) -> pd.DataFrame:
    """Results of one metric: mean, low and high by option."""
    found = [(option, "c", metric, "", unit, *numbers) for option, numbers in options.items()]
    return pd.DataFrame(found, columns=["option", "consumer", "metric", "component", "unit", "mean", "low", "high"])


def test_extremes_name_everybody_whose_interval_overlaps() -> None:
    results = rows("latency_mean", "s", a=(1.0, 0.9, 1.1), b=(1.2, 1.05, 1.35), c=(3.0, 2.9, 3.1))
    assert findings.extremes(results, "latency_mean") == "most with `c`: 3.00 ± 0.10 s; least with `a` and `b`: 1.00 ± 0.10 s"


def test_extremes_claim_no_order_where_all_intervals_overlap() -> None:
    results = rows("latency_mean", "s", a=(1.0, 0.5, 1.5), b=(1.2, 0.7, 1.7))
    assert findings.extremes(results, "latency_mean") == "alike with `a` and `b`: 1.20 ± 0.50 s"


def test_extremes_tell_the_kinds_of_zero_apart() -> None:
    results = rows("loss_rate", "share", a=(0, 0, 0), b=(0, 0, 0.001), c=(0.1, 0.1, 0.1))
    other = rows("rebuild_time", "s", d=(1, 1, 1))
    said = findings.extremes(pd.concat([results, other]), "loss_rate")
    assert said == "only with `c`: 10.0 %; none seen with `b`: 0 (< 0.10 %); 0 by nature with `a`; does not apply to `d`"


def test_findings_hold_for_every_preset(comparison: Comparison) -> None:
    assert findings.consumer_to_show(comparison.results) == "billing"
    assert "about one in twenty looks clear" in findings.what_is_clear(comparison.differences)


def test_a_difference_that_may_be_none_is_marked() -> None:
    differences = rows("loss_rate", "share", a=(0.1, 0.05, 0.15), b=(0.1, -0.05, 0.25), c=(-0.1, -0.1, -0.1), d=(0, 0, 0))
    assert screens.differences_table(differences)["lost"].tolist() == ["+10.0 ± 5.0 pp", "+10 ± 15 pp (unclear)", "-10.0 pp", "0"]


@pytest.mark.parametrize("name", ["usage-metering", "web-shop", "online-retail", "customer-details", "shopping-cart"])
def test_the_inputs_are_few_and_name_no_folder(name: str) -> None:
    table = screens.inputs_table(Scenario.load(ROOT / "data" / "scenarios" / f"{name}.yaml"))
    assert 1 < len(table) <= 8
    assert not table.map(lambda cell: "/" in str(cell)).to_numpy().any()


def test_the_options_table_shows_what_an_option_changes() -> None:
    scenario = quiet(
        options=[{"name": "kafka-cdc", "pattern": "cqrs", "set": {"source.publish": "cdc"}}, {"name": "polling", "pattern": "polling"}]
    )
    comparison = paired_comparison(scenario, replications=1, jobs=1)
    table = screens.options_table(comparison.candidates).set_index("option")
    assert table.loc["kafka-cdc"].tolist() == ["table", "state", "read model", "cqrs", "source.publish: cdc"]
    assert "pattern" not in screens.options_table(paired_comparison(quiet(), ["polling"], replications=1, jobs=1).candidates)


def test_a_table_breaks_no_number_from_its_unit() -> None:
    frame = pd.DataFrame({"option": ["a b"], "lost": ["1.2 ± 0.1 %"], "growth": ["0 (< 3 GB/day)"]})
    html = screens.as_table(frame, "A title").as_raw_html()
    assert "1.2 ± 0.1\u00a0%" in html.replace("±\u00a0", "± ")
    assert "(&lt;\u00a03\u00a0GB/day)" in html
    assert "a b" in html
    assert "http" not in html


@pytest.mark.parametrize(
    ("value", "unit", "said"), [(0, "s", "0"), (1234.5, "bytes", "1.23 kB"), (0.5, "share", "50 %"), (1e-9, "share", "0.0000001 %")]
)
def test_a_short_number_is_plain(value: float, unit: str, said: str) -> None:
    assert short(value, unit) == said
