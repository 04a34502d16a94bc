"""The scenario: everything a run depends on, in one immutable value. The whole input surface is in this file."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import pairwise, product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BeforeValidator, Discriminator, Field, PlainSerializer, Tag, ValidationError, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from edasim.bounded import text_of as text_of_file
from edasim.distributions import SizeDistribution, TimeDistribution, read_column
from edasim.documents import read_yaml, replaced, resolved
from edasim.errors import InputError, suggestion
from edasim.parts import Part, input_error, one_of
from edasim.stores import Layout, RebuiltStore, Store, StoredIn, bytes_on_disk
from edasim.stores import decided_by as measured_on
from edasim.technologies import Technology, decided_by
from edasim.units import BYTES, SECONDS, seconds, size, text_of

_QUANTITY_SCHEMA = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}
Duration = Annotated[
    float, BeforeValidator(seconds), PlainSerializer(lambda v: text_of(v, SECONDS), when_used="json"), WithJsonSchema(_QUANTITY_SCHEMA)
]
PositiveDuration = Annotated[Duration, Field(gt=0)]
Size = Annotated[
    float, BeforeValidator(size), PlainSerializer(lambda v: text_of(v, BYTES), when_used="json"), WithJsonSchema(_QUANTITY_SCHEMA)
]
Rate = Annotated[float, Field(strict=True, gt=0, le=1e9)]
RateOrNone = Annotated[float, Field(strict=True, ge=0, le=1e9)]
Probability = Annotated[float, Field(strict=True, ge=0, le=1)]
Factor = Annotated[float, Field(strict=True, ge=1, le=1e6)]
Count = Annotated[int, Field(strict=True, ge=1, le=100_000_000)]
CountOrNone = Annotated[int, Field(strict=True, ge=0, le=10_000_000_000)]
Switch = Annotated[bool, Field(strict=True)]
MOST_REGIONS = 20
MOST_LISTED = 1000  # consumers, options, incidents, requirements, assumptions
MOST_WINDOWS = 10_000
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^/\\,\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+$")]


def _default(text: str) -> Any:
    """A mapping that pydantic validates into the field's default: read once, because scenarios are made by the thousand."""
    said = yaml.safe_load(text)
    return Field(default_factory=lambda: deepcopy(said), validate_default=True)


class WithPreset(Part):
    """A part whose *preset* fills in what a product decides, or what was measured on it, for each key that is not given."""

    preset: Any = None

    @staticmethod
    def _decided(preset: Any) -> Mapping[str, Any]:
        """The keys that *preset* fills in, as a YAML file would hold them."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _filled_in(self) -> Self:
        """What is given wins; what the preset fills in does not count as given, so another preset can take its place."""
        if self.preset is not None:
            decided = self._decided(self.preset)
            checked = type(self).model_validate(decided)
            self.__dict__.update({key: getattr(checked, key) for key in decided if key not in self.model_fields_set})
        return self


# --- workload ---------------------------------------------------------------------------------------------------------------


class PoissonArrivals(Part):
    """Independent changes at a constant *rate* per second; in groups of *batch* that arrive at rate / batch."""

    process: Literal["poisson"] = "poisson"
    rate: Rate = 50.0
    batch: Count = 1


class RenewalArrivals(Part):
    """Independent gaps with the given distribution."""

    process: Literal["renewal"]
    gap: TimeDistribution
    batch: Count = 1

    @model_validator(mode="after")
    def _advancing(self) -> Self:
        if self.gap.mean() <= 0:
            raise ValueError("gap must have a mean above 0")
        return self


class BurstyArrivals(Part):
    """Two-state Markov-modulated Poisson process: exponential stays of *mean_low* and *mean_high*, starting stationary."""

    process: Literal["bursty"]
    rate_low: RateOrNone
    rate_high: Rate
    mean_low: PositiveDuration
    mean_high: PositiveDuration
    batch: Count = 1


class DailyArrivals(Part):
    """Poisson with a smooth daily swing: trough at time 0, peak of *peak_to_mean* x *rate* half a *period* later."""

    process: Literal["daily"]
    rate: Rate = 50.0
    peak_to_mean: Annotated[float, Field(strict=True, ge=1, le=100)] = 2.0
    period: PositiveDuration = 86400.0
    batch: Count = 1


class TraceColumns(Part):
    """Which columns of a trace hold what; null: the trace does not bring it."""

    time: str = "time"
    entity: str | None = None
    state_bytes: str | None = None
    delta_bytes: str | None = None


class TraceArrivals(Part):
    """Changes as recorded in a CSV or parquet *file*, sorted by time, the first at time 0; *speedup* makes every rate fiction."""

    process: Literal["trace"]
    file: str
    columns: TraceColumns = TraceColumns()
    time_unit: Literal["s", "ms", "us", "ns"] = "s"
    speedup: Rate = 1.0

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        for column in self.columns.model_dump().values():
            if column is not None:
                read_column(self.file, column)
        return self


def _process(value: Any) -> str:
    return str(value.get("process", "poisson") if isinstance(value, Mapping) else getattr(value, "process", None))


Arrivals = Annotated[
    Annotated[PoissonArrivals, Tag("poisson")]
    | Annotated[RenewalArrivals, Tag("renewal")]
    | Annotated[BurstyArrivals, Tag("bursty")]
    | Annotated[DailyArrivals, Tag("daily")]
    | Annotated[TraceArrivals, Tag("trace")],
    Discriminator(
        _process,
        custom_error_type="unknown_process",
        custom_error_message="process must be one of poisson, renewal, bursty, daily, trace",
    ),
]


class Entities(Part):
    """Who changes: *count* entities that exist from the start, and those that are born; which of them is how popular."""

    count: Annotated[int, Field(strict=True, ge=1, le=5_000_000)] = 10_000
    popularity: Literal["zipf", "uniform", "fitted"] = "zipf"
    skew: Annotated[float, Field(strict=True, ge=0, le=10)] = 1.0
    file: str | None = None
    column: str | None = None
    new_share: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    active_for: TimeDistribution | None = None

    @model_validator(mode="after")
    def _fitted_from_a_file(self) -> Self:
        if (self.popularity == "fitted") != (self.file is not None and self.column is not None):
            raise ValueError("popularity: fitted needs file and column (of keys), and only fitted takes them")
        if self.file is not None and self.column is not None:
            read_column(self.file, self.column)
        return self


class Reads(Part):
    """What each consumer asks: a Poisson stream of *rate* a second, or *per_change* reads per change of the source.

    Whoever wrote a change reads it back *own_after* its commit: *own* says how such a read is answered.
    """

    rate: RateOrNone | None = 500.0
    per_change: RateOrNone | None = None
    own_after: Duration = 1.0
    own: Literal["usual", "source", "wait"] = "usual"
    timeout: PositiveDuration = 2.0
    retries: Annotated[int, Field(strict=True, ge=0, le=100)] = 0

    @model_validator(mode="before")
    @classmethod
    def _rate_or_per_change(cls, value: Any) -> Any:
        return one_of(value, "rate", "per_change")


class Regions(Part):
    """Places where the same entities are written: the *shares* of the writes that come from each, or a number of them with equal shares.

    Consumers live in the first, whose clock is *clock_skew* behind those of the others.
    """

    shares: Annotated[tuple[Probability, ...], Field(min_length=1, max_length=MOST_REGIONS)] = (1.0,)
    clock_skew: Duration = 0.0

    @model_validator(mode="before")
    @classmethod
    def _equal_shares(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            if not 1 <= value <= MOST_REGIONS:
                raise ValueError(f"must be from 1 to {MOST_REGIONS} regions, not {value}")
            return {"shares": (1 / value,) * value}
        if not isinstance(value, Mapping | Regions):
            raise ValueError("must be a number of regions, or {shares: [0.6, 0.4], clock_skew: 0}")
        return value

    @model_validator(mode="after")
    def _shares_of_a_whole(self) -> Self:
        if abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(f"shares must add up to 1, not {sum(self.shares):g}")
        return self


class Workload(Part):
    """What the world asks for."""

    arrivals: Arrivals = PoissonArrivals()
    entities: Entities = Entities()
    regions: Regions = Regions()
    reads: Reads = _default("{}")
    state_bytes: SizeDistribution = _default("2kB")
    delta_bytes: SizeDistribution = _default("200")
    notice_bytes: SizeDistribution = _default("120")
    payload_growth: Annotated[float, Field(strict=True, ge=0, le=10)] = 0.0


# --- faults -----------------------------------------------------------------------------------------------------------------


class Outages(Part):
    """When a component is down: scheduled *windows* from time 0, or random *up* and *down* times, busy or idle."""

    up: TimeDistribution | None = None
    down: TimeDistribution | None = None
    windows: Annotated[tuple[tuple[Duration, Duration], ...], Field(max_length=MOST_WINDOWS)] | None = None

    @model_validator(mode="after")
    def _windows_or_random(self) -> Self:
        random = self.up is not None and self.down is not None
        if random == (self.windows is not None) or (self.up is None) != (self.down is None):
            raise ValueError("give either windows: [[start, end], ...] or both up and down")
        if self.up is not None and self.up.mean() <= 0:
            raise ValueError("up must have a mean above 0")
        flat = [moment for window in self.windows or () for moment in window]
        if any(later <= earlier for earlier, later in pairwise(flat)):
            raise ValueError("windows must be [start, end] pairs with start < end, in order, not touching")
        return self


class BrokerOutages(Outages):
    """A killed process loses what was in its memory, a power loss also what was not synced."""

    kind: Literal["process", "power"] = "process"


class ConsumerOutages(Outages):
    """Work in hand is done again from the last commit (redo) or keeps its progress (resume).

    *rolling*: each window strikes the instances one after another, each for the length of the window, as a deploy does.
    """

    on_restart: Literal["redo", "resume"] = "redo"
    rolling: Switch = False

    @model_validator(mode="after")
    def _rolling_windows(self) -> Self:
        if self.rolling and self.windows is None:
            raise ValueError("rolling needs windows: [[start, end], ...]")
        return self


class NetworkOutages(Outages):
    """While one is on, requests to publish are lost with this probability, besides what is lost anyway."""

    loss: Probability = 1.0


class Slowdowns(Outages):
    """Handlings that begin while one is on take *factor* times as long."""

    factor: Factor = 10.0


# --- source -----------------------------------------------------------------------------------------------------------------


class Relay(Part):
    """Reads the outbox, the database's log or the event store in commit order and publishes; resends until acknowledged."""

    poll: PositiveDuration = 0.1
    batch: Count = 100
    instances: Count = 1
    outages: Outages | None = None


class Producer(Part):
    """How a message is sent: acknowledgements awaited, retries after *ack_timeout* plus *backoff*, batching."""

    acks: Literal[0, 1, "all"] = 1
    retries: CountOrNone = 3
    ack_timeout: PositiveDuration = 1.0
    backoff: Duration = 0.1
    linger: Duration = 0.0
    batch: Count = 1
    idempotent: Switch = False


class Polling(Part):
    """When a polled copy is refreshed."""

    interval: PositiveDuration = 60.0
    order: Literal["fixed", "random", "poisson"] = "fixed"


class Source(Part):
    """The service that owns the truth; *servers* are shared by writes, reads and call backs."""

    servers: Count = 8
    write_time: TimeDistribution = _default("1ms")
    read_time: TimeDistribution = _default("2ms")
    outages: Outages | None = None
    publish: Literal["direct", "outbox", "cdc", "subscription"] | None = None
    relay: Relay = Relay()
    producer: Producer = Producer()
    cache_ttl: TimeDistribution = _default("30s")
    polling: Polling = Polling()


# --- network and broker -----------------------------------------------------------------------------------------------------


class Latencies(Part):
    """One-way latencies of the three hops."""

    publish: TimeDistribution = _default("{dist: lognormal, mean: 2ms, cv: 0.5}")
    deliver: TimeDistribution = _default("1ms")
    call: TimeDistribution = _default("1ms")

    @model_validator(mode="before")
    @classmethod
    def _one_for_all(cls, value: Any) -> Any:
        hops = ("publish", "deliver", "call")
        if isinstance(value, str | int | float) or (isinstance(value, Mapping) and "dist" in value):
            return dict.fromkeys(hops, value)
        return value


class GilbertElliott(Part):
    """Loss that comes in bursts: *p* good to bad, *r* bad to good, per message."""

    model: Literal["gilbert_elliott"]
    p: Probability
    r: Probability
    loss_bad: Probability
    loss_good: Probability = 0.0


class Network(Part):
    """Between source, broker and consumers; *loss* and *outages* strike publishing only."""

    latency: Latencies = Latencies()
    loss: Probability | GilbertElliott = 0.0
    ack_loss: Probability = 0.0
    outages: NetworkOutages | None = None


class Compaction(Part):
    """Keep only the newest message of each entity, whenever what was not compacted yet reaches this share of the partition."""

    min_dirty_ratio: Probability = 0.5


class Broker(WithPreset):
    """log: Kafka, JetStream, Redis streams; queue: RabbitMQ; pubsub: Redis pub/sub, core NATS, MQTT QoS 0.

    *preset* fills in what a product decides, for each key that is not given (edasim/technologies.py).
    """

    preset: Technology | None = None
    kind: Literal["log", "queue", "pubsub"] = "log"
    partitions: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 8
    append_time: TimeDistribution = _default("0")
    replicas: Annotated[int, Field(strict=True, ge=1, le=100)] = 3
    replica_fetch: Duration = 0.0
    replica_copy: TimeDistribution = _default("5ms")
    durable: Switch = True
    fsync_interval: Duration = 0.0
    outages: BrokerOutages | None = None
    retention: PositiveDuration = 7 * 86400.0
    retention_bytes: Size | None = None
    compaction: Compaction | None = None
    max_length: CountOrNone | None = None
    overflow: Literal["reject", "drop_oldest"] = "reject"

    @staticmethod
    def _decided(preset: Any) -> Mapping[str, Any]:
        return decided_by(preset)


# --- consumers --------------------------------------------------------------------------------------------------------------


class Commit(Part):
    """When progress is stored: *every* so long (ticks at multiples from time 0), or after so many *messages*."""

    every: PositiveDuration | None = 5.0
    messages: Count | None = None
    when: Literal["after", "before"] = "after"

    @model_validator(mode="before")
    @classmethod
    def _every_or_messages(cls, value: Any) -> Any:
        return one_of(value, "every", "messages")


class Deduplication(Part):
    """How many message ids are remembered."""

    window: Count


class Consumer(Part):
    """A consumer group: a service that must learn of the changes, with its own queue or offsets.

    *poison*: the first change at or after each of these times is one that it can never handle: every attempt fails.
    """

    name: Name = "consumer"
    instances: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 2
    handle_time: TimeDistribution = _default("{dist: exponential, mean: 10ms}")
    handover_time: TimeDistribution = _default("0")
    prefetch: Count = 1
    redeliver_after: PositiveDuration | None = None
    on_notice: Literal["call_back", "react"] = "call_back"
    needs_more: Probability = 0.0
    on_gap: Literal["refetch", "ignore"] = "refetch"
    listens_to: Name | None = None
    carries: Literal["nothing", "notice", "state", "delta"] | None = None
    reads: Literal["source", "cache", "copy", "read_model"] | None = None
    poll_interval: Duration = 0.0
    commit: Commit = _default("{}")
    failure_rate: Probability = 0.0
    max_attempts: Count = 5
    backoff: Duration = 1.0
    dead_letter: Switch = True
    deduplicate: Switch | Deduplication = False
    apply: Literal["newest_version", "last_arrival"] = "newest_version"
    outages: ConsumerOutages | None = None
    slow: Slowdowns | None = None
    poison: Annotated[tuple[Duration, ...], Field(max_length=MOST_WINDOWS)] = ()
    rebalance: Duration = 3.0


# --- where copies and events live -------------------------------------------------------------------------------------------


class Load(WithPreset):
    """Cost of loading one entity from its events: *base* plus *per_event* for each event after the snapshot.

    *preset* fills in what was measured on a store, for each key that is not given (edasim/stores.py).
    """

    preset: Store | None = None
    base: Duration = 0.001
    per_event: Duration = 20e-6

    @staticmethod
    def _decided(preset: Any) -> Mapping[str, Any]:
        return measured_on("load", preset)


class Rebuild(WithPreset):
    """Cost of rebuilding everything: *base* plus *per_event* for each event; each of the *workers* has entities of its own.

    *preset* fills in what was measured on a store, for each key that is not given (edasim/stores.py).
    """

    preset: RebuiltStore | None = None
    base: Duration = 1.0
    per_event: TimeDistribution = _default("50us")
    workers: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 4

    @staticmethod
    def _decided(preset: Any) -> Mapping[str, Any]:
        return measured_on("rebuild", preset)


MOST_BESIDE = 2000  # bytes beside a payload: more would not be a row of a PostgreSQL table any more


class StoredBytes(WithPreset):
    """What a stored event takes on disk beside its payload: *row* bytes with it, *index* bytes in indexes, and in pages what stays empty.

    *compressed_to* is the share that PostgreSQL's compression leaves of the payload of a row above 2 kB. *preset* fills in what was
    measured on a store, for each key that is not given (edasim/stores.py).
    """

    preset: StoredIn | None = None
    layout: Layout = "log"
    row: Annotated[Size, Field(le=MOST_BESIDE)] = 50.0
    index: Annotated[Size, Field(le=MOST_BESIDE)] = 0.0
    compressed_to: Annotated[float, Field(strict=True, gt=0, le=1)] = 1.0

    @staticmethod
    def _decided(preset: Any) -> Mapping[str, Any]:
        return measured_on("overhead_bytes", preset)

    @model_validator(mode="after")
    def _compressed_by_postgres(self) -> Self:
        if self.compressed_to < 1 and self.layout != "postgres":
            raise ValueError("compressed_to needs layout: postgres, which compresses rows above 2 kB")
        return self


def _bytes_kind(value: Any) -> str:
    return "stored" if isinstance(value, Mapping | StoredBytes) else "beside"


OverheadBytes = Annotated[Annotated[Size, Field(le=1e9), Tag("beside")] | Annotated[StoredBytes, Tag("stored")], Discriminator(_bytes_kind)]


class SchemaChanges(Part):
    """Events get a new version so many times a year; an older one costs an upcast for each version that it is behind when replayed."""

    changes_per_year: Annotated[float, Field(strict=True, ge=0, le=365)] = 0.0
    upcast_time: Duration = 10e-6


class EventStore(Part):
    """Where truth is events: what is stored, snapshotted, loaded and archived."""

    snapshot_every: CountOrNone = 100
    snapshot_on: Literal["append", "load"] = "append"
    snapshot_keep: Literal["all", "last"] = "all"
    snapshot_time: Duration = 0.001
    snapshot_bytes: Size = 2000.0
    overhead_bytes: OverheadBytes = 50.0
    load: Load = Load()
    rebuild: Rebuild = Rebuild()
    history: CountOrNone = 0
    schema_changes: SchemaChanges = SchemaChanges()
    archive_after: PositiveDuration | None = None
    conflict_retries: CountOrNone = 3

    def stored_bytes(self, payload: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bytes on disk of events with so many bytes of *payload*, both of shape (events,).

        >>> events = np.array([200, 1000])
        >>> EventStore().stored_bytes(events), EventStore(overhead_bytes={"preset": "postgres"}).stored_bytes(events)
        (array([ 250, 1050]), array([ 347, 1235]))
        """
        beside = self.overhead_bytes
        if not isinstance(beside, StoredBytes):
            return payload + round(beside)
        taken = bytes_on_disk(beside.layout, payload.astype(np.float64), beside.row, beside.index, beside.compressed_to)
        return np.rint(taken).astype(np.int64)


class ReadModel(Part):
    """Each projector's own servers, which answer its reads."""

    servers: Count = 4
    read_time: TimeDistribution = _default("1ms")
    bytes_per_entity: Size = 2000.0


# --- the decision -----------------------------------------------------------------------------------------------------------


COMPONENTS = ("source", "relay", "network", "broker")  # what an incident can strike beside consumers


class Incident(Part):
    """A rare thing that happens *per_year* times: the source, relay, network, broker or a consumer is *down*.

    *kind* power: the broker loses what it did not sync; rolling: a consumer's instances are down in turn; slow: it takes *factor* times
    as long meanwhile; poison: it meets a message that it can never handle, which is over when that is put aside, so *down* says nothing.
    While the network is down requests to publish are lost with probability *loss*.
    """

    name: Name
    component: str
    per_year: RateOrNone
    down: TimeDistribution = _default("0")
    kind: Literal["process", "power", "rolling", "slow", "poison"] = "process"
    factor: Factor = 10.0
    loss: Probability = 1.0

    @model_validator(mode="after")
    def _how_long(self) -> Self:
        if "down" not in self.model_fields_set and self.kind != "poison":
            raise ValueError("down is missing: how long it lasts, such as 30s")
        return self

    def check(self, consumers: Sequence[str]) -> None:
        """Raises ValueError with close matches where it strikes what is not there, or can't be struck so, in a scenario of *consumers*."""
        if self.component not in (*COMPONENTS, *consumers):
            said = suggestion(self.component, [*COMPONENTS, *consumers])
            raise ValueError(f"incidents.{self.name}.component: {self.component} is not in the scenario: {said}")
        kinds = {"broker": ["process", "power"]}.get(self.component, ["process"])
        if self.component not in COMPONENTS:
            kinds = ["process", "rolling", "slow", "poison"]
        if self.kind not in kinds:
            said = suggestion(self.kind, kinds)
            raise ValueError(f"incidents.{self.name}.kind: {self.kind} is nothing that happens to {self.component}: {said}")


class Requirement(Part):
    """A limit on a metric, for every consumer or one, always or during one incident."""

    metric: str
    at_most: Any = None
    at_least: Any = None
    consumer: str | None = None
    incident: str | None = None
    because: str = ""


class Assumption(Part):
    """What was measured and what was guessed about an input, and the range it may lie in."""

    path: str
    range: tuple[Any, Any] | None = None
    basis: Literal["measured", "guess"]
    source: str = ""


Price = Annotated[float, Field(strict=True, ge=0, le=1e9)]
STORED = ("source", "outbox", "wal", "log", "copy", "events", "snapshots", "archive", "read_model", "dead_letters")
REQUESTED = ("write", "read", "call_back", "poll", "message")
MACHINES = ("source", "read_model", "consumer", "broker")


def _by_component(*components: str) -> BeforeValidator:
    """Prices by component: one number is the price of each, and what a mapping leaves out is free."""

    def spread(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            return dict.fromkeys(components, value)
        for key in value:
            if key not in components:
                raise PydanticCustomError("unknown_key", "{said}", {"key": str(key), "said": suggestion(str(key), components)})
        return value

    return BeforeValidator(spread)


_PRICE_SCHEMA = WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "object"}, {"type": "null"}]})
StoragePrices = Annotated[dict[str, Price] | None, _by_component(*STORED), _PRICE_SCHEMA]
RequestPrices = Annotated[dict[str, Price] | None, _by_component(*REQUESTED), _PRICE_SCHEMA]
MachinePrices = Annotated[dict[str, Price] | None, _by_component(*MACHINES), _PRICE_SCHEMA]


class Prices(Part):
    """The team's own price book, in its own *currency*; what has no price costs nothing and is not shown.

    A price that is a mapping holds one for each component that is charged for; the others are free.
    """

    currency: Annotated[str, Field(min_length=1, max_length=8)] = "EUR"
    storage_per_gb_month: StoragePrices = None
    requests_per_million: RequestPrices = None
    server_per_month: MachinePrices = None
    transfer_per_gb: Price | None = None


class Option(Part):
    """What a team compares: a pattern plus what it changes in the scenario (dotted paths)."""

    name: Name
    pattern: str | dict[str, str]
    set: dict[str, Any] = Field(default_factory=dict)


class Scenario(Part):
    """Everything a run depends on. Durations in seconds, sizes in bytes; see docs/scenario.md for each key.

    >>> Scenario(workload={"arrivals": {"rate": 80}}).workload.arrivals.rate
    80.0

    Raises InputError naming the key, the value and what is allowed.
    """

    name: Name = "scenario"
    question: str = ""
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 42
    warmup: Duration = 60.0
    duration: PositiveDuration = 600.0
    drain: Duration = 600.0
    workload: Workload = Workload()
    source: Source = Source()
    network: Network = Network()
    broker: Broker = Broker()
    consumers: Annotated[tuple[Consumer, ...], Field(min_length=1, max_length=MOST_LISTED)] = (Consumer(),)
    event_store: EventStore = EventStore()
    read_model: ReadModel = ReadModel()
    incidents: Annotated[tuple[Incident, ...], Field(max_length=MOST_LISTED)] = ()
    options: Annotated[tuple[Option, ...], Field(max_length=MOST_LISTED)] = ()
    requirements: Annotated[tuple[Requirement, ...], Field(max_length=MOST_LISTED)] = ()
    assumptions: Annotated[tuple[Assumption, ...], Field(max_length=MOST_LISTED)] = ()
    already_run: Annotated[tuple[str, ...], Field(max_length=MOST_LISTED)] = ()
    prices: Prices | None = None

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise input_error(error, data) from None

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for what, parts in (("consumers", self.consumers), ("options", self.options), ("incidents", self.incidents)):
            names = [part.name for part in parts]
            if len(set(names)) < len(names):
                raise ValueError(f"{what} must have different names, not {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _incidents_strike_something(self) -> Self:
        for incident in self.incidents:
            incident.check([consumer.name for consumer in self.consumers])
        return self

    @model_validator(mode="after")
    def _requirements_are_of_what_is_there(self) -> Self:
        known = {"consumer": [part.name for part in self.consumers], "incident": [part.name for part in self.incidents]}
        for (number, asked), (key, names) in product(enumerate(self.requirements), known.items()):
            name = getattr(asked, key)
            if name is not None and name not in names:
                raise ValueError(f"requirements.{number}.{key}: {name} is not in the scenario: {suggestion(name, names or ['none'])}")
        return self

    @model_validator(mode="after")
    def _chains_have_a_beginning(self) -> Self:
        upstream = {consumer.name: consumer.listens_to for consumer in self.consumers}
        for name, listens_to in upstream.items():
            met = [name]
            while listens_to is not None:
                if listens_to not in upstream:
                    raise ValueError(f"consumers.{met[-1]}.listens_to: {listens_to} is no consumer: must be one of {', '.join(upstream)}")
                if listens_to in met:
                    raise ValueError(f"consumers.{name}.listens_to: a chain that leads back to {listens_to} has no beginning")
                met.append(listens_to)
                listens_to = upstream[listens_to]
        return self

    @property
    def window(self) -> tuple[float, float]:
        """Start and end of the measured window, in seconds."""
        return self.warmup, self.warmup + self.duration

    def consumer_number(self, name: str) -> int:
        """The place of a consumer among all. Raises InputError with close matches when there is none of that name."""
        names = [consumer.name for consumer in self.consumers]
        if name not in names:
            raise InputError(f"consumer {name} is not in the scenario: {suggestion(name, names)}")
        return names.index(name)

    @classmethod
    def load(cls, path: str | Path, overrides: Mapping[str, object] | None = None) -> Self:
        """The scenario in the YAML file *path*, with dotted *overrides*; file names in it are relative to its folder.

        Raises InputError when the file is missing, is not YAML, or says something that is not allowed.
        """
        path = Path(path)
        try:
            raw = read_yaml(text_of_file(path))
        except (FileNotFoundError, IsADirectoryError):
            raise InputError(f"scenario file {path} does not exist") from None
        except OSError as error:
            raise InputError(f"scenario file {path} can't be read: {error.strerror or error}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"scenario file {path} is not valid YAML: {' '.join(str(error).split())}") from None
        if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
            raise InputError(f"scenario file {path} must be a mapping of keys such as name, workload, broker")
        try:
            return cls.from_mapping(resolved(raw, path.resolve().parent), overrides)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any], overrides: Mapping[str, object] | None = None) -> Self:
        """The scenario described by *raw*, as a YAML file would hold it, with dotted *overrides*."""
        for path, value in (overrides or {}).items():
            raw = replaced(raw, path.split("."), value, path)
        return cls(**raw)

    def with_overrides(self, overrides: Mapping[str, object]) -> Self:
        """A copy with dotted paths set, such as ``{"workload.arrivals.rate": 80}``; itself when there are none.

        Raises InputError for a path that does not exist or a value that is not allowed.
        """
        return type(self).from_mapping(self.as_mapping(brief=True), overrides) if overrides else self

    def as_mapping(self, *, brief: bool = False) -> dict[str, Any]:
        """The scenario as plain data, as a YAML file would hold it; *brief* leaves out what was not given."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=brief)

    def as_yaml(self) -> str:
        """The scenario as YAML with every default filled in."""
        return yaml.safe_dump(self.as_mapping(), sort_keys=False, allow_unicode=True, width=120)
