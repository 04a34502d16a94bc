"""A long run with every fault on: does it conserve messages, and does its memory grow while it runs?

python benchmarks/long_run.py [MESSAGES]

Three runs, one for each kind of broker, of a third of the messages each (deliveries, two consumers; 10 million unless told otherwise).
Everything fails: source, relay, network, broker (its power, too), consumers; handlers fail, one message is poison, one consumer is slow at
times, queues overflow, a log forgets. A run keeps its columns, since they become the journal: what is asked is whether it keeps anything
beside them. So the memory of the process, less what was added to columns, is noted at each tenth of the simulated time.
"""

import gc
import sys
from threading import Event, Thread
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
import psutil

from edasim import Scenario
from edasim.afterwards.journal import journal_of
from edasim.conservation import check_conservation
from edasim.journal import OUTCOMES
from edasim.luck import Luck
from edasim.patterns import pattern_of
from edasim.simpy_model import Model
from edasim.simpy_model.log_group import LogGroup
from edasim.simpy_model.run import Run
from edasim.workload import make_workload

MESSAGES = 10_000_000
RATE, CONSUMERS = 50, 2
KINDS = ("log", "queue", "pubsub")
RECORDED = ("requests", "loads", "refreshes", "conflicts", "snapshots", "snapshot_contents")
WARM = 0.2  # of the simulated time
BETWEEN = 0.05  # seconds between two looks at the memory


class Moment(NamedTuple):
    """The process at one time of the run: how far it is (0 to 1), all its memory, and how much its columns have grown by; bytes."""

    done: float
    resident: int
    columns: int

    @property
    def beside(self) -> int:
        """What is not in columns that grow."""
        return self.resident - self.columns


class Outcome(NamedTuple):
    """What became of a long run."""

    kind: str
    counts: dict[str, int]  # messages by outcome
    repeated: int
    seconds: float
    moments: list[Moment]

    @property
    def messages(self) -> int:
        return sum(self.counts.values())

    @property
    def growth(self) -> float:
        """By how many bytes a message the memory beside the columns grew after the warm-up; a line through all moments since."""
        after = [moment for moment in self.moments if moment.done >= WARM]
        slope = float(np.polyfit([moment.done for moment in after], [moment.beside for moment in after], 1)[0])
        return slope / self.messages


def scenario(kind: str, messages: int) -> Scenario:
    """Every fault on, for about so many messages."""

    def random(up: str, down: str) -> dict[str, Any]:
        return {"up": {"dist": "exponential", "mean": up}, "down": {"dist": "exponential", "mean": down}}

    bounded = {"retention": "30s", "replicas": 3} if kind == "log" else {"max_length": 200, "overflow": "drop_oldest", "replicas": 1}
    failing = {"failure_rate": 0.01, "max_attempts": 3, "backoff": "100ms", "outages": random("10min", "10s")}
    billing = {"handle_time": {"dist": "exponential", "mean": "10ms"}, "deduplicate": {"window": 10_000}}
    quota = {"handle_time": {"dist": "exponential", "mean": "8ms"}, "commit": {"messages": 10}, "prefetch": 20, "poison": [100, 2000]}
    raw = {
        "name": f"every fault on a {kind}",
        "seed": 1,
        "warmup": 0,
        "duration": messages / CONSUMERS / RATE,
        "drain": "10min",
        "workload": {"arrivals": {"rate": RATE}, "entities": {"count": 1000}, "reads": {"rate": 0, "own_after": 0}},
        "source": {
            "publish": "outbox",
            "outages": random("20min", "5s"),
            "relay": {"outages": random("15min", "3s")},
            "producer": {"retries": 5, "ack_timeout": "500ms"},
        },
        "network": {"loss": 0.01, "ack_loss": 0.01, "outages": {**random("10min", "2s"), "loss": 0.5}},
        "broker": {"kind": kind, "fsync_interval": "1s", "outages": {**random("10min", "4s"), "kind": "power"}, **bounded},
        "consumers": [
            {"name": "billing", **billing, **failing, "slow": {**random("30min", "20s"), "factor": 2}},
            {"name": "quota", **quota, **failing},
        ],
    }
    return Scenario.from_mapping(raw)


def long_run(kind: str, messages: int) -> Outcome:
    """Simulate about so many messages. Raises ConservationError where one is not accounted for."""
    gc.collect()  # the run before this one
    begun, luck, asked = monotonic(), Luck(1, 0), scenario(kind, messages)
    model = Model(Run(asked, pattern_of("event_carried_state_transfer"), make_workload(asked, luck), luck))
    moments, over = [], Event()
    watcher = Thread(target=_watch, args=(model, moments, over), daemon=True)
    watcher.start()
    try:
        journal = journal_of(model.run, model.found(), "event_carried_state_transfer", "simpy")
    finally:
        over.set()
        watcher.join()
    check_conservation(journal)
    counts = np.bincount(journal.deliveries["outcome"], minlength=len(OUTCOMES))
    named = {name: int(count) for name, count in zip(OUTCOMES, counts, strict=True) if count}
    return Outcome(kind, named, int((journal.deliveries["copies"] > 1).sum()), monotonic() - begun, moments)


def _watch(model: Model, moments: list[Moment], over: Event) -> None:
    process = psutil.Process()
    while not over.wait(BETWEEN) and model.run.clock.now < model.run.horizon:  # after that the journal is put together
        moments.append(Moment(model.run.clock.now / model.run.horizon, process.memory_info().rss, _in_columns(model)))


def _in_columns(model: Model) -> int:
    """Bytes of what is added to while it runs and becomes the journal: rows, entries of logs, how far each group is in them, versions."""
    grow = [getattr(model.run, name)._flat for name in RECORDED]
    grow += [log.flat for topic in model.topics for log in topic.log]
    grow += [ends for group in model.groups.values() if isinstance(group, LogGroup) for ends in group.ends]
    grow += [history for source in model.regions.sources for history in source._history.values()]
    return sum(len(flat) * flat.itemsize for flat in grow)


def main() -> None:
    """Print what was measured."""
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    for kind in KINDS:
        found = long_run(kind, messages // len(KINDS))
        print(f"{kind}: {found.messages:,} messages in {found.seconds:.0f} s, {found.repeated:,} handled more than once")
        print("  " + ", ".join(f"{name} {count:,}" for name, count in found.counts.items()))
        tenths = [min(found.moments, key=lambda moment: abs(moment.done - tenth / 10)) for tenth in range(1, 11)]
        print("  MB beside the columns at each tenth: " + ", ".join(f"{moment.beside / 1e6:,.0f}" for moment in tenths))
        print(f"  growth after the warm-up: {found.growth:+.2f} bytes a message; peak {tenths[-1].resident / 1e6:,.0f} MB", flush=True)


if __name__ == "__main__":
    main()
