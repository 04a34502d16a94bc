"""Streaming: a run that is too long to be kept, in blocks of changes: its metrics without its journal.

The stages are those of the fast path (`edasim.fast_path.feed_forward`), called block after block, with the same draws. So a streamed run
*is* the run that `simulate` makes: counts are equal, means and time averages equal but for the rounding of sums. Quantiles come from a
sketch and are wrong by at most a thousandth of themselves (`edasim.streaming.sketch`). Memory grows with the number of entities and of
messages that are under way at a time, not with the length of the run.
"""

from collections.abc import Sequence

from edasim.afterwards.inputs import Inputs
from edasim.candidates import candidate_named
from edasim.errors import InputError, suggestion
from edasim.fast_path import feed_forward
from edasim.faults import NEVER
from edasim.luck import Luck
from edasim.metrics.values import Value
from edasim.patterns import KEPT, Pattern
from edasim.scenario import Scenario
from edasim.streaming.backlog import Backlog
from edasim.streaming.changes import Block, beginning, blocks, joined
from edasim.streaming.delivery import Delivery, Publishing
from edasim.streaming.freshness import Freshness
from edasim.streaming.stages import Broker, Group, Source

METRICS = ("delivery", "backlog", "freshness")


def stream(
    scenario: Scenario, pattern: Pattern | str, *, seed: int | None = None, replication: int = 0, metrics: Sequence[str] = METRICS
) -> list[Value]:
    """The metrics of one run of one pattern, as `measure(simulate(...))` gives them, of a run of any length; *metrics*: which areas.

    What nobody asks for is neither drawn nor computed. Quantiles are wrong by at most 0.1 % of themselves.

    >>> from edasim import Scenario
    >>> scenario = Scenario(duration=10, warmup=0, workload={"reads": {"rate": 0}})
    >>> [value.value for value in stream(scenario, "event_carried_state_transfer") if value.metric == "loss_rate"]
    [0.0]

    Raises InputError, with the reason, for what can't be streamed; for some of it only when it happens.
    """
    for area in metrics:
        if area not in METRICS:
            raise InputError(f"metrics: {area} can't be streamed: {suggestion(area, METRICS)}")
    candidate = candidate_named(scenario, pattern)
    luck = Luck(scenario.seed if seed is None else seed, replication)
    run = Inputs(candidate.scenario, candidate.pattern, beginning(candidate.scenario), luck)
    if reason := why_not(run):
        raise InputError(f"{candidate.name} can't be streamed: {reason}")
    return Stream(run, metrics).values()


def why_not(run: Inputs) -> str:
    """A sentence that says why the run can't be streamed; empty where it can, unless it turns out otherwise."""
    asked = run.scenario.workload
    reasons = {
        "workload.entities.new_share: entities are born": asked.entities.new_share > 0,
        "workload.entities.active_for: entities fall silent": asked.entities.active_for is not None,
        "workload.reads: every read would have to be kept; set rate: 0": bool(asked.reads.rate or asked.reads.per_change),
        "workload.reads.own: who wrote a change waits for it": asked.reads.own != "usual",
    }
    for consumer, pattern, reads in zip(run.scenario.consumers, run.patterns, run.reads, strict=True):
        reasons |= {
            f"nothing is sent to {consumer.name}": not pattern.sends,
            f"{consumer.name}'s reads ask the source": reads not in (*KEPT, "nothing"),
            f"{consumer.name} lets late messages overwrite newer ones": consumer.apply != "newest_version",
        }
    return next((reason for reason, holds in reasons.items() if holds), "") or feed_forward.why_not(run)


class Stream:
    """One run: its stages, and the metrics that are asked for, by consumer."""

    def __init__(self, run: Inputs, metrics: Sequence[str]) -> None:
        self._run, everybody = run, range(len(run.reads))
        self._deliveries = {number: Delivery(run, number) for number in everybody if "delivery" in metrics}
        self._backlogs = {number: Backlog(run, number) for number in everybody if "backlog" in metrics}
        self._freshness = {number: Freshness(run, number) for number in everybody if "freshness" in metrics and run.reads[number] in KEPT}
        self._source, self._broker, self._publishing = Source(run), Broker(run), Publishing(run)
        self._groups = {number: Group(run, number) for number in {**self._deliveries, **self._backlogs, **self._freshness}}

    def values(self) -> list[Value]:
        """Go through the run, and say what came out."""
        if not self._groups:
            return []
        left: list[Block] = []
        for block in blocks(self._run.scenario, self._run.luck, self._run.workload.population):
            left.append(block)
            if sum(block.times.size for block in left) >= self._waiting():
                self._go_on(joined(left))
                left = []
        self._go_on(joined(left)._replace(watermark=NEVER))
        found = self._publishing.values() if self._deliveries else []
        for delivery in self._deliveries.values():
            found += delivery.values(self._publishing.committed)
        return found + [value for area in (self._backlogs, self._freshness) for mine in area.values() for value in mine.values()]

    def _waiting(self) -> int:
        """The most rows that wait anywhere: blocks are as long, so that looking at them once more costs each message little."""
        groups = [len(group.waiting) for group in self._groups.values()]
        backlogs, freshness = ([mine.waiting for mine in area.values()] for area in (self._backlogs, self._freshness))
        return max([len(self._broker.waiting), *groups, *backlogs, *freshness])

    def _go_on(self, block: Block) -> None:
        times, watermark = block.times, block.watermark
        commits = self._source.commits(times, block.entities)
        sent = commits.copy()
        for group in self._groups.values():
            sent |= group.drawn(times.size)
        stored = self._broker.stored(sent, watermark)
        self._publishing.go_on(commits, stored)
        for number, group in self._groups.items():
            applied = group.applied(stored, watermark)
            if number in self._deliveries:
                self._deliveries[number].go_on(applied)
            if number in self._backlogs:
                self._backlogs[number].go_on(stored, applied, watermark)
            if number in self._freshness:
                self._freshness[number].go_on(commits, applied, watermark)
