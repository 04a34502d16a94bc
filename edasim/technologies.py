"""What real brokers decide: the kind, the documented defaults and the guarantees, each value with who says so.

Only what a product decides stands here. What a team chooses (how many partitions and replicas a Kafka topic has, say) keeps edasim's
default. docs/technologies.md shows the same table and says what it leaves out.
"""

from typing import Literal, NamedTuple

Technology = Literal["kafka", "rabbitmq", "redis-streams", "redis-pubsub", "nats-core", "nats-jetstream"]
Value = str | int | bool | None


class Setting(NamedTuple):
    """One key of `broker` that a technology decides, its value as a YAML file would hold it, and where that is written or measured."""

    technology: Technology
    key: str
    value: Value
    source: str


KAFKA_DISK = "Kafka documentation, Operations, Application vs. OS Flush Management (kafka.apache.org/documentation)"
KAFKA_BROKER = "Kafka documentation, Broker Configs (kafka.apache.org/documentation)"
KAFKA_TOPICS = "Kafka documentation, Introduction (kafka.apache.org/documentation)"
WRITEBACK = "Linux, vm.dirty_expire_centisecs = 3000 (mm/page-writeback.c; docs.kernel.org/admin-guide/sysctl/vm.html)"
RABBIT_CLASSIC = "RabbitMQ documentation, Classic Queues (rabbitmq.com/docs/classic-queues)"
RABBIT_CONFIRMS = "RabbitMQ documentation, Publisher Confirms (rabbitmq.com/docs/confirms)"
RABBIT_LENGTH = "RabbitMQ documentation, Queue Length Limit (rabbitmq.com/docs/maxlength)"
RABBIT_STORAGE = "RabbitMQ blog of 2025-01-17, How Are The Messages Stored? (rabbitmq.com/blog)"
REDIS_STREAMS = "Redis documentation, Streams (redis.io/docs/latest/develop/data-types/streams)"
REDIS_DISK = "Redis documentation, Persistence (redis.io/docs/latest/operate/oss_and_stack/management/persistence)"
REDIS_PUBSUB = "Redis documentation, Pub/Sub (redis.io/docs/latest/develop/pubsub)"
NATS_CORE = "NATS documentation, Core NATS (docs.nats.io/learn/core-nats)"
NATS_STREAM = "NATS documentation, Streams (docs.nats.io/nats-concepts/jetstream/streams)"
NATS_LIMITS = "NATS documentation, Shaping the stream (docs.nats.io/learn/jetstream/shaping-the-stream)"
NATS_DISK = "NATS documentation, JetStream, Syncing data to disk (docs.nats.io/nats-concepts/jetstream)"
NATS_DEFAULTS = "nats-server source, checkStreamCfg in server/stream.go"

SETTINGS: tuple[Setting, ...] = (
    Setting("kafka", "kind", "log", f"{KAFKA_TOPICS}: topics are partitioned and stay after they are read"),
    Setting("kafka", "replica_fetch", 0, f"{KAFKA_BROKER}: replica.fetch.min.bytes = 1: followers wait for the next byte"),
    Setting("kafka", "durable", True, f"{KAFKA_DISK}: written to the filesystem at once"),
    Setting("kafka", "fsync_interval", "30s", f"{KAFKA_DISK}: the default flush settings leave it to the operating system; {WRITEBACK}"),
    Setting("kafka", "retention", "7d", f"{KAFKA_BROKER}: log.retention.hours = 168"),
    Setting("kafka", "retention_bytes", None, f"{KAFKA_BROKER}: log.retention.bytes = -1"),
    Setting("kafka", "compaction", None, f"{KAFKA_BROKER}: log.cleanup.policy = delete"),
    Setting("rabbitmq", "kind", "queue", f"{RABBIT_CLASSIC}: the default queue type, first in first out"),
    Setting("rabbitmq", "replicas", 1, f"{RABBIT_CLASSIC}: not replicated"),
    Setting("rabbitmq", "durable", True, f"{RABBIT_CONFIRMS}: durable queue, persistent messages, confirmed once written to disk"),
    Setting("rabbitmq", "fsync_interval", "30s", f"{RABBIT_STORAGE}: classic queues call no fsync before they confirm; {WRITEBACK}"),
    Setting("rabbitmq", "max_length", None, f"{RABBIT_LENGTH}: max-length is unset unless a policy or the queue's declaration sets it"),
    Setting("rabbitmq", "overflow", "drop_oldest", f"{RABBIT_LENGTH}: x-overflow = drop-head; measured: RabbitMQ 3.10.8, m2b_static.csv"),
    Setting("redis-streams", "kind", "log", f"{REDIS_STREAMS}: entries stay after they are read, each consumer group has its position"),
    Setting("redis-streams", "partitions", 1, f"{REDIS_STREAMS}: a stream is not partitioned automatically"),
    Setting("redis-streams", "replicas", 1, f"{REDIS_STREAMS}: replication is asynchronous; an acknowledgement waits for no replica"),
    Setting("redis-streams", "durable", True, f"{REDIS_DISK}: appendonly = yes, not the default; measured: Redis 7.0.15, m3_redis.csv"),
    Setting("redis-streams", "fsync_interval", "1s", f"{REDIS_DISK}: appendfsync = everysec; measured: Redis 7.0.15, m3_redis.csv"),
    Setting("redis-streams", "retention", "36500d", f"{REDIS_STREAMS}: capped only by XADD MAXLEN or XTRIM; this is the longest time"),
    Setting("redis-streams", "retention_bytes", None, f"{REDIS_STREAMS}: capped only by XADD MAXLEN or XTRIM"),
    Setting("redis-streams", "overflow", "drop_oldest", f"{REDIS_STREAMS}: MAXLEN evicts the oldest; measured: m2b_static.csv"),
    Setting("redis-pubsub", "kind", "pubsub", f"{REDIS_PUBSUB}: at most once, a message that a subscriber can't take is lost"),
    Setting("redis-pubsub", "replicas", 1, f"{REDIS_PUBSUB}: nothing is stored, so there is nothing to replicate"),
    Setting("redis-pubsub", "durable", False, f"{REDIS_PUBSUB}: at most once, nothing is stored"),
    Setting("nats-core", "kind", "pubsub", f"{NATS_CORE}: at most once, to whoever is connected"),
    Setting("nats-core", "replicas", 1, f"{NATS_CORE}: no storage, so there is nothing to replicate"),
    Setting("nats-core", "durable", False, f"{NATS_CORE}: no storage"),
    Setting("nats-jetstream", "kind", "log", f"{NATS_STREAM}: a stream stores messages, consumers have positions; retention = limits"),
    Setting("nats-jetstream", "partitions", 1, f"{NATS_STREAM}: one stream, one order; partitioning is a mapping of subjects"),
    Setting("nats-jetstream", "replicas", 1, f"{NATS_DEFAULTS}: num_replicas = 1"),
    Setting("nats-jetstream", "durable", True, f"{NATS_STREAM}: storage = file"),
    Setting("nats-jetstream", "fsync_interval", "2min", f"{NATS_DISK}: sync_interval = 2m"),
    Setting("nats-jetstream", "retention", "36500d", f"{NATS_LIMITS}: max_age is unset, no limit; this is the longest time"),
    Setting("nats-jetstream", "retention_bytes", None, f"{NATS_DEFAULTS}: max_bytes = -1"),
    Setting("nats-jetstream", "compaction", None, f"{NATS_DEFAULTS}: max_msgs_per_subject = -1"),
    Setting("nats-jetstream", "overflow", "drop_oldest", f"{NATS_STREAM}: discard = old; measured: m2b_static.csv"),
)


def decided_by(technology: Technology) -> dict[str, Value]:
    """The keys of `broker` that *technology* decides, as a YAML file would hold them.

    >>> decided_by("nats-core")
    {'kind': 'pubsub', 'replicas': 1, 'durable': False}
    """
    return {setting.key: setting.value for setting in SETTINGS if setting.technology == technology}
