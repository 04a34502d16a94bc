"""The course of a run: who is there, when it begins, what strikes whom, when it is over. What happened is returned, not judged."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from edasim.live.bodies import body_of
from edasim.live.child import Job
from edasim.live.faults import Alarm, Span, sample, strike_broker, strike_instance
from edasim.live.processes import Lives, ProcessFailed
from edasim.live.protocol import Names, Private, Target, Technology
from edasim.live.publisher import Publisher
from edasim.live.records import ENDED, Records, read_records
from edasim.luck import nanoseconds
from edasim.patterns import way_out
from edasim.simpy_model.run import Run

SLICE_NS = 250_000_000  # between two looks whether somebody ended, or all is done
SETTLED_NS = 1_000_000_000  # without a sign of life, when all was handled
SILENCE_NS = 5_000_000_000  # ... when not, until it is over; the longest handling and the longest wait for anything come on top
LEAD_NS = 200_000_000  # from the last preparation to the beginning
RELAY = "relay"


@dataclass(frozen=True)
class Happened:
    """What happened, times in nanoseconds from the beginning of the run.

    *over*: when all who were still there were asked to leave; *end*: when they had. *records* by consumer's number, *waiting* likewise:
    what the broker held in the end. *down*: by component when it was down. *stored*: bytes at the broker. *replay*: how many messages a log
    gave when it was read as a whole, and how long that took.
    """

    publisher: Publisher  # its stamps are of the clock, not of the run
    origin: int
    over: int
    end: int
    records: Mapping[int, Records]
    relayed: Records
    waiting: Mapping[int, set[int]]
    down: Mapping[str, list[Span]]
    stored: list[tuple[int, int]]
    replay: tuple[int, int] | None


class Course:
    """One run on a broker: its processes and what strikes them."""

    def __init__(self, run: Run, technology: Technology, target: Target, names: Names, private: Private | None, folder: Path) -> None:
        self._run, self._technology, self._target = run, technology, target
        self._names, self._private, self._folder = names, private, folder
        self._alarm = Alarm()
        self._lives: dict[str, Lives] = {}  # by component
        self._spans: dict[str, list[Span]] = {}
        self._strikes: dict[str, Future[list[Span]]] = {}
        self._kills: dict[str, bool] = {}

    def happen(self, pool: ThreadPoolExecutor) -> Happened:
        """Run it, in real time. *pool* has a thread for each component that is struck, and one more."""
        with self._prepared() as publisher:
            origin = time.monotonic_ns() + LEAD_NS
            publisher.schedule([origin + moment for moment in self._run.workload.times.tolist()])
            for lives in self._lives.values():
                lives.tell_origin(origin)
            sampled = self._strike(pool, origin)
            self._publish(publisher, origin)
            self._alarm.cancel()
            down = {name: [(a - origin, b - origin) for a, b in strike.result()] for name, strike in self._strikes.items()}
            if self._private is not None:
                self._private.restart()  # where the run ended while it was down
            over = time.monotonic_ns() - origin
            list(pool.map(Lives.leave, self._lives.values()))
            end = time.monotonic_ns() - origin
            publisher.close()
        stored = [(moment - origin, size) for moment, size in sampled.result()]
        return self._told(publisher, origin, (over, end), down, stored)

    @contextmanager
    def _prepared(self) -> Iterator[Publisher]:
        """Everybody is there and connected; whatever happens, nobody is left."""
        publisher = self._publisher()
        try:
            self._populate()
            for lives in self._lives.values():
                lives.begin()
            for name, lives in self._lives.items():
                if not lives.is_ready():
                    raise ProcessFailed(f"{name} did not connect")
            publisher.open()
            yield publisher
        finally:
            self._alarm.cancel()
            for lives in self._lives.values():
                lives.end()
            publisher.close()

    def _publisher(self) -> Publisher:
        run, sizes = self._run, self._run.message_bytes.tolist()
        return Publisher(
            lambda: self._technology.publishing(self._target, run.scenario),
            run.entity,
            lambda change: body_of(change, sizes[change]),
            run.scenario.source.producer,
        )

    def _populate(self) -> None:
        """A process for each instance and each relay, and for each time that it comes back."""
        run, scenario = self._run, self._run.scenario
        for number, consumer in enumerate(scenario.consumers):
            for instance in range(consumer.instances):
                name = f"{consumer.name} {instance}"
                self._kills[name] = consumer.outages is None or consumer.outages.on_restart == "redo"
                self._spans[name] = run.downtimes(name, consumer.outages, instance).intervals
                self._lives[name] = Lives("edasim.live.consuming", self._job(f"consumer{number}", number, instance), len(self._spans[name]))
        if way_out(run.pattern, scenario) == "outbox":
            spans = run.luck.downtimes(RELAY, scenario.source.relay.outages, run.horizon)
            for instance in range(scenario.source.relay.instances):
                name = f"{RELAY} {instance}"
                self._kills[name], self._spans[name] = True, spans
                self._lives[name] = Lives("edasim.live.relaying", self._job(RELAY, -1, instance), len(spans))

    def _job(self, name: str, consumer: int, instance: int) -> Job:
        return Job(
            scenario=self._run.scenario.as_mapping(),
            target=asdict(self._target),
            folder=str(self._folder),
            name=name,
            consumer=consumer,
            instance=instance,
            life=0,
            seed=self._run.luck.seed,
            changes=self._run.changes,
        )

    def _strike(self, pool: ThreadPoolExecutor, origin: int) -> Future[list[tuple[int, int]]]:
        """Begin all that strikes somebody, and the looks at what is stored."""
        for name, spans in self._spans.items():
            later = [(origin + start, origin + end) for start, end in spans]
            if later:
                self._strikes[name] = pool.submit(strike_instance, self._lives[name], later, self._alarm, killed=self._kills[name])
        spans = self._run.downtimes("broker", self._run.scenario.broker.outages).intervals
        if spans:
            assert self._private is not None
            later = [(origin + start, origin + end) for start, end in spans]
            self._strikes["broker"] = pool.submit(strike_broker, self._private, later, self._alarm)
        window = [origin + int(nanoseconds(moment)) for moment in self._run.scenario.window]
        return pool.submit(sample, self._names.stored_bytes, window, self._alarm)

    def _publish(self, publisher: Publisher, origin: int) -> None:
        """Publish until all is settled, or the drain is over."""
        horizon, ends = origin + self._run.horizon, origin + self._run.workload.end
        quiet = self._quiet()
        while (now := time.monotonic_ns()) < horizon:
            publisher.run(min(horizon, now + SLICE_NS))
            self._check()
            if now > ends and publisher.is_done and all(strike.done() for strike in self._strikes.values()) and quiet(now):
                return

    def _check(self) -> None:
        """Raise what went wrong elsewhere."""
        for name, lives in self._lives.items():
            if name not in self._strikes or self._strikes[name].done():
                lives.check()
        for strike in self._strikes.values():
            if strike.done():
                strike.result()

    def _quiet(self) -> Callable[[int], bool]:
        """Whether nothing was written down for so long that nothing will be any more."""
        consumers, relay = self._run.scenario.consumers, self._run.scenario.source.relay
        waits = max([relay.poll, *(c.redeliver_after or 0.0 for c in consumers), *(c.poll_interval for c in consumers)])
        handlings = [self._run.luck.times(f"handle {c.name}", c.handle_time, self._run.changes) for c in consumers]
        comes_again = any(c.redeliver_after is not None for c in consumers)
        patience = SILENCE_NS + 2 * int(nanoseconds(waits)) + max(int(drawn.values.max(initial=0)) for drawn in handlings)
        seen, since = -1, 0

        def quiet(now: int) -> bool:
            nonlocal seen, since
            written = sum(file.stat().st_size for file in self._folder.iterdir())
            if written != seen:
                seen, since = written, now
            if not comes_again and now - since >= SETTLED_NS and self._all_handled():
                return True
            return now - since >= patience

        return quiet

    def _all_handled(self) -> bool:
        return all(
            len(set(read_records(self._folder, f"consumer{number}").of(ENDED).change.tolist())) == self._run.changes
            for number in range(len(self._run.scenario.consumers))
        )

    def _told(self, publisher: Publisher, origin: int, left: Span, down: dict[str, list[Span]], stored: list[tuple[int, int]]) -> Happened:
        consumers = self._run.scenario.consumers
        begun = time.monotonic_ns()
        items = self._names.read_all()
        replay = None if items is None else (items, time.monotonic_ns() - begun)
        return Happened(
            publisher=publisher,
            origin=origin,
            over=left[0],
            end=left[1],
            records={number: read_records(self._folder, f"consumer{number}").since(origin) for number in range(len(consumers))},
            relayed=read_records(self._folder, RELAY).since(origin),
            waiting={number: self._names.waiting(consumer.name) for number, consumer in enumerate(consumers)},
            down=down,
            stored=stored,
            replay=replay,
        )


def threads_needed(run: Run) -> int:
    """How many components may be struck, and one more."""
    scenario = run.scenario
    return 2 + scenario.source.relay.instances + sum(consumer.instances for consumer in scenario.consumers)
