"""What becomes of writes of one entity in several regions: lost silently, handed to a person, or merged; and what that depends on.

The later the regions hear of each other, the more writes are concurrent. Which of them are lost if the last writer wins, and which a
person is handed if version vectors detect them, is in `edasim.metrics.conflicts`. Where clocks agree and all regions hear of each other
after the same time, both are as many in the long run: of two concurrent writes the earlier is lost, the later is handed over. A clock
that is behind changes what is lost, not what is detected. Mergeable types lose nothing, by nature.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from edasim.candidates import Candidate
from edasim.comparison import COLUMNS
from edasim.errors import InputError
from edasim.estimates import Estimate, estimates, short
from edasim.findings import Finding
from edasim.journal import Journal
from edasim.luck import Luck, nanoseconds
from edasim.mergeable import BYTES_PER_REGION
from edasim.metrics.conflicts import conflicting, conflicts, lost_by_merging
from edasim.metrics.delivery import in_window
from edasim.metrics.values import Value
from edasim.patterns import pattern_of
from edasim.runs import over_replications
from edasim.scenario import PoissonArrivals, Scenario
from edasim.statistics import rate_interval
from edasim.summary import ABSENT
from edasim.theory import last_writer_loses
from edasim.units import seconds
from edasim.workload import make_workload

DAY_S = 86400.0
DELAYS = ("1ms", "10ms", "100ms", "1s", "3s", "10s")
SKEWS = ("10ms", "100ms", "1s", "10s")
REPLICATIONS = 4
STEPS = 20  # of an outage, for the formula
PATTERN = "event_carried_state_transfer"  # conflicts are the same whatever the events carry, as long as every region writes
BECOMES = {"lost_update_rate": "lost silently", "detected_conflict_rate": "handed to a person"}


def in_regions(scenario: Scenario) -> Scenario:
    """The scenario itself if it has several regions, else with two that write equally much."""
    return scenario if len(scenario.workload.regions.shares) > 1 else scenario.with_overrides({"workload.regions": 2})


def resolutions(journal: Journal) -> pd.DataFrame:
    """What each way to resolve conflicts makes of the writes of one run: how many in the window, their share, and how many a day.

    What merging loses is really replayed, over the whole run. Bytes: what version vectors, or totals by region, add to the messages.
    Raises InputError where only one region writes.
    """
    regions = journal.facts["writers"]
    if regions == 1:
        raise InputError(f"option {journal.facts['option']}: only one region writes, so no two writes can conflict")
    counted, per_day = in_window(journal), DAY_S / ((journal.facts["window"][1] - journal.facts["window"][0]) / 1e9)
    concurrent, lost, detected = (int(hits[counted].sum()) for hits in conflicting(journal))
    counts = {
        "writes": int(counted.sum()),
        "concurrent with one of another region": concurrent,
        "last writer wins: lost silently": lost,
        "version vectors: handed to a person": detected,
        "mergeable type: lost": lost_by_merging(journal),
    }
    total = max(1, counts["writes"])
    rows = [(name, f"{count:,}", short(count / total, "share"), _whole(count * per_day)) for name, count in counts.items()]
    added = next(value.value for value in conflicts(journal) if value.metric == "merge_bytes_per_s")
    rows.append(("bytes that these two add to a message", short(BYTES_PER_REGION * regions, "bytes"), ABSENT, ABSENT))
    rows.append(("bytes that they add on the wire", short(added, "bytes/s"), ABSENT, short(added * DAY_S, "bytes")))
    return pd.DataFrame(rows, columns=["of the writes", "in the window", "share", "a day"]).set_index("of the writes")


def _whole(count: float) -> str:
    return f"{float(f'{count:.3g}'):,.0f}" if count >= 1 else f"{count:.3g}"


def conflict_sweep(
    scenario: Scenario,
    delays: Sequence[float | str] = DELAYS,
    skews: Sequence[float | str] = SKEWS,
    *,
    replications: int = REPLICATIONS,
    jobs: int = -1,
) -> pd.DataFrame:
    """How many writes conflict, by how much later the regions hear of each other, and by how much the first region's clock is behind.

    Rows as those of `compare`, of `conflict_rate`, `lost_update_rate` and `detected_conflict_rate`, with columns more: `delay_s`, which
    stands in place of the publish and deliver latencies; `skew_s`, 0, and for a delay in the middle each of *skews*, too; `regions`,
    how many there are; and `by_hand`, see `lost_by_hand`, for `lost_update_rate` where clocks agree. Delays and skews share their luck.
    Two regions if the scenario has one. Left out is what no conflict depends on: reads, consumers, lost messages.

    Raises InputError for delays and skews that are no times, and for what `compare` refuses.
    """
    waits, behind = _times("delays", delays), [skew for skew in _times("skews", skews) if skew]
    regional = _lean(in_regions(scenario))
    candidates = [Candidate(str(wait), pattern_of(PATTERN), regional.with_overrides({"network.latency.publish": wait})) for wait in waits]
    look = partial(_rates, skews=behind, skewed=str(waits[(len(waits) - 1) // 2]))
    found = over_replications(candidates, look, seed=scenario.seed, replications=replications, jobs=jobs)
    by_hand = lost_by_hand(regional, waits)
    rows = []
    for wait in waits:
        for skew, metric in dict.fromkeys(key for run in found[str(wait)] for key in run):
            values = [run[skew, metric] for run in found[str(wait)] if (skew, metric) in run]
            share = rate_interval([value.value for value in values], [value.trials for value in values])
            hand = by_hand[wait] if skew == 0 and metric == "lost_update_rate" else np.nan
            names = (scenario.name, PATTERN, PATTERN, "", "", metric, "", "share")
            regions = len(regional.workload.regions.shares)
            rows.append((*names, share.mean, share.low, share.high, len(values), wait, skew, regions, hand))
    return pd.DataFrame(rows, columns=[*COLUMNS, "delay_s", "skew_s", "regions", "by_hand"])


def _times(name: str, given: Sequence[float | str]) -> list[float]:
    try:
        times = sorted({seconds(time) for time in given})
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
    if not times and name == "delays":
        raise InputError(f"{name}: there must be at least one")
    return times


def _lean(scenario: Scenario) -> Scenario:
    """Without what no conflict depends on, because a sweep simulates it so often."""
    nobody = {"workload.reads": {"rate": 0}, "consumers": [{"handle_time": 0}]}
    nobody |= {key: [] for key in ("options", "incidents", "requirements", "assumptions")}
    sending = {"source.publish": "direct", "source.producer.acks": 0, "network.loss": 0, "network.latency.deliver": 0}
    return scenario.with_overrides({**nobody, **sending})


def _rates(journal: Journal, skews: Sequence[float], skewed: str) -> dict[tuple[float, str], Value]:
    """The rates of one run by skew and metric; of that with the delay *skewed* for all *skews*, which no region notices when it writes."""
    behind = [0.0, *(skews if journal.facts["option"] == skewed else ())]
    clocks = {skew: replace(journal, facts={**journal.facts, "clock_skew": int(nanoseconds(skew))}) for skew in behind}
    return {(skew, value.metric): value for skew, clock in clocks.items() for value in conflicts(clock) if value.unit == "share"}


def lost_by_hand(scenario: Scenario, delays: Sequence[float]) -> dict[float, float]:
    """For each delay between regions the share of writes that the last writer overwrites, by `edasim.theory.last_writer_loses`.

    What meets an outage of the broker waits for its end, so that formula is averaged over the delays that writes then have. NaN where
    it does not apply: arrivals are no Poisson process of single changes, entities come and go, or the broker's outages are random.
    """
    arrivals, entities, outages = scenario.workload.arrivals, scenario.workload.entities, scenario.broker.outages
    steady = entities.new_share == 0 and entities.active_for is None and (outages is None or outages.windows is not None)
    if not (isinstance(arrivals, PoissonArrivals) and arrivals.batch == 1 and steady):
        return dict.fromkeys(delays, np.nan)
    rate, shares = arrivals.rate, scenario.workload.regions.shares
    weight = make_workload(scenario, Luck(scenario.seed, 0)).population.weight
    first, last = scenario.window
    down = [(end - max(start, first)) for start, end in (outages and outages.windows) or () if first < end <= last]
    waits = [(length / STEPS, length * (step + 0.5) / STEPS) for length in down for step in range(STEPS)]  # for how long, how long more
    waits.append((scenario.duration - sum(down), 0.0))
    return {
        delay: sum(part * last_writer_loses(rate, shares, weight, delay + more) for part, more in waits) / scenario.duration
        for delay in delays
    }


def estimate_at(swept: pd.DataFrame, metric: str, delay_s: float, skew_s: float = 0.0) -> Estimate:
    """Of a `conflict_sweep` one metric at one delay and skew."""
    (found,) = estimates(swept[(swept["delay_s"] == delay_s) & (swept["skew_s"] == skew_s)], metric).values()
    return found


def skews_of(swept: pd.DataFrame) -> tuple[float, list[float]]:
    """Of a `conflict_sweep` the delay for which clocks differ, and the skews in order, 0 among them; only 0 if there are no others."""
    skewed = swept[swept["skew_s"] > 0]
    delay = float((skewed if len(skewed) else swept)["delay_s"].iloc[0])
    return delay, [0.0, *sorted(set(skewed["skew_s"].tolist()))]


def what_conflicts_cost(swept: pd.DataFrame) -> Finding:
    """Of a `conflict_sweep`: how many writes are lost or handed over with the shortest and longest delay, what merging and clocks cost."""
    if swept.empty:
        return Finding("No write in the window, so nothing conflicts.")
    delays = sorted(set(swept["delay_s"]))
    lines = [f"* **Writes {becomes}**: {_from_to(swept, metric, delays)}." for metric, becomes in BECOMES.items()]
    regions = int(swept["regions"].iloc[0])
    lines.append(f"* **Merging** loses none, and adds {BYTES_PER_REGION * regions} bytes to each message, as version vectors do.")
    delay, skews = skews_of(swept)
    if len(skews) > 1:
        right, wrong = (estimate_at(swept, "lost_update_rate", delay, skew) for skew in (skews[0], skews[-1]))
        lines.append(
            f"* **Clocks**, with a delay of {short(delay, 's')}: {right} of writes are lost silently if they agree, {wrong} if the first "
            f"region's is {short(skews[-1], 's')} behind{'; that is no certain difference' if right.overlaps(wrong) else ''}."
        )
    return Finding("\n".join([*lines, *_against_formula(swept, delays)]))


def _from_to(swept: pd.DataFrame, metric: str, delays: Sequence[float]) -> str:
    found = {delay: estimate_at(swept, metric, delay) for delay in (delays[0], delays[-1])}
    return ", ".join(f"{share} if regions hear of each other after {short(delay, 's')}" for delay, share in found.items())


def _against_formula(swept: pd.DataFrame, delays: Sequence[float]) -> list[str]:
    """How the simulation agrees with the closed form at each delay, if that applies."""
    rows = swept[swept["by_hand"].notna()]
    if rows.empty:
        return []
    inside, last = (rows["low"] <= rows["by_hand"]) & (rows["by_hand"] <= rows["high"]), float(rows["by_hand"].iloc[-1])
    known = f"{short(last, 'share')} are lost silently at {short(delays[-1], 's')}"
    return [f"* **By hand** {known}; the formula is in the 95 % interval at {inside.sum()} of {len(rows)} delays."]
