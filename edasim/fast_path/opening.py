"""From the inputs of a run to the memory of the loop: every component as the SimPy model makes it, and in the same order."""

from typing import Any

import numpy as np

from edasim.afterwards.inputs import Inputs
from edasim.fast_path import memory as m
from edasim.fast_path.lists import Lists
from edasim.faults import NEVER, Downtimes, Poison
from edasim.journal import SLOW
from edasim.luck import nanoseconds
from edasim.partitions import range_assignment
from edasim.patterns import KEPT, always_calls, way_out
from edasim.scenario import Consumer, Deduplication

KINDS = {"log": m.LOG, "queue": m.QUEUE, "pubsub": m.PUBSUB}


def _ns(seconds: float) -> int:
    return int(nanoseconds(seconds))


class Opening:
    """Gathers records of all kinds; `world` puts them together."""

    def __init__(self, run: Inputs) -> None:
        self.run, self.lists = run, Lists(run)
        self.entities = run.workload.population.weight.size
        self.kind = KINDS[run.scenario.broker.kind]
        self.of_consumer: list[int] = []  # the consumer of each group, in the order in which they are made
        self.sources: list[dict[str, Any]] = []
        self.topics: list[dict[str, Any]] = []
        self.publishers: list[dict[str, Any]] = []
        self.relays: list[dict[str, Any]] = []
        self.connections: list[dict[str, Any]] = []
        self.groups: list[dict[str, Any]] = []
        self.instances: list[dict[str, Any]] = []
        self.parts: list[list[dict[str, Any]]] = []
        self.factors: list[float] = []
        self.poison: list[Poison] = []
        self.broker = Downtimes([])
        self._make_sources()
        if any(pattern.sends for pattern in run.patterns):
            self._make_topics()

    # --- sources

    def _make_sources(self) -> None:
        run = self.run
        for region in range(run.writers):
            down = run.downtimes(f"source {region}" if region else "source", run.scenario.source.outages)
            order, arrivals = self._order(region)
            self.sources.append(
                {
                    "down": self.lists.downtimes(down),
                    "fails": bool(down.intervals),
                    "servers": self.lists.room(run.scenario.source.servers),
                    "servers_count": run.scenario.source.servers,
                    "order": self.lists.add(order),
                    "arrivals": self.lists.add(arrivals),
                }
            )

    def _order(self, region: int) -> tuple[m.Ints, m.Ints]:
        """The changes that are written at a source as they arrive, and when: a call later if another region sends them here."""
        run, times = self.run, self.run.workload.times
        if run.writers > 1:
            mine = np.flatnonzero(run.workload.regions == region)
            return mine, times[mine]
        abroad = np.flatnonzero(run.workload.regions)
        if not abroad.size:
            return np.arange(run.changes), times
        arrivals = times.copy()
        arrivals[abroad] += run.luck.times("write there", run.scenario.network.latency.call, run.changes).values[abroad]
        order = np.argsort(arrivals, kind="stable")
        return order, arrivals[order]

    # --- topics, groups and publishers

    def _make_topics(self) -> None:
        run = self.run
        self.broker = run.downtimes("broker", run.scenario.broker.outages)
        network = run.downtimes("network", run.scenario.network.outages)
        self._broker_down, self._network_down = self.lists.downtimes(self.broker), self.lists.downtimes(network)
        self._network_fails = bool(network.intervals)
        for _ in range(run.writers):
            self.publishers.append({})
        self._join(None)
        for region in range(run.writers):
            self.publishers[region] = self._publisher(0, "", region)

    def _join(self, upstream: int | None) -> None:
        """Groups of those that listen to the source, or to the *upstream* group; they share a topic."""
        run = self.run
        of = None if upstream is None else run.scenario.consumers[self.of_consumer[upstream]].name
        mine = [n for n, consumer in enumerate(run.scenario.consumers) if consumer.listens_to == of and run.patterns[n].sends]
        if not mine and of is not None:
            return
        topic, suffix = len(self.topics), "" if of is None else f" of {of}"
        self.topics.append(self._topic(suffix))
        joined = [self._group(number, topic) for number in mine]
        self.topics[topic]["first_group"] = self.lists.add(np.array(joined, dtype=np.int64))
        self.topics[topic]["group_count"] = len(joined)
        if upstream is not None:
            self.groups[upstream]["republish"] = len(self.publishers)
            self.publishers.append(self._publisher(topic, suffix, None))
        for group in joined:
            self._join(group)

    def _topic(self, suffix: str) -> dict[str, Any]:
        settings = self.run.scenario.broker
        followers = settings.replicas - 1 if self.kind == m.LOG else 0
        copies = [self.lists.times(f"copy{suffix} {follower}", settings.replica_copy) for follower in range(followers)]
        sync = _ns(settings.fsync_interval)
        power = settings.outages is not None and settings.outages.kind == "power"
        fails = bool(self.broker.intervals)
        forgets = fails and not followers and (not settings.durable or (power and sync > 0))
        most = NEVER if settings.retention_bytes is None else int(settings.retention_bytes)
        return {
            "down": self._broker_down,
            "fails": fails,
            "forgets": forgets,
            "append_time": self.lists.times(f"append{suffix}", settings.append_time),
            "copies": copies[0] if copies else 0,
            "copy_count": followers,
            "fetch_every": _ns(settings.replica_fetch),
            "sync_every": sync,
            "durable": settings.durable,
            "most": most,
            "mortal": self.kind == m.LOG and (forgets or most < NEVER),
            "by_sequence": self.lists.empty(),
        }

    def _publisher(self, topic: int, suffix: str, region: int | None) -> dict[str, Any]:
        """How a region's source publishes, or where *region* is None a consumer that others listen to."""
        run, lists = self.run, self.lists
        settings, network = run.scenario.source.producer, run.scenario.network
        endless = region is not None and way_out(run.pattern, run.scenario) != "direct"
        blind = settings.acks == 0 and not endless
        by_queue = self.kind == m.QUEUE
        return {
            "topic": topic,
            "source_down": lists.downtimes(Downtimes([])) if region is None else self.sources[region]["down"],
            "waits_for_all": settings.acks == "all",
            "blind": blind,
            "retries": 0 if blind else settings.retries,
            "timeout": _ns(settings.ack_timeout),
            "backoff": _ns(settings.backoff),
            "net_down": self._network_down,
            "lossy": network.loss != 0 or self._network_fails,
            "forgetful": network.ack_loss > 0,
            "latency": lists.times(f"publish{suffix}", network.latency.publish),
            "loss": lists.losses(f"loss{suffix}", network.loss),
            "outage_loss": lists.hits(f"outage loss{suffix}", network.outages.loss if network.outages else 0.0),
            "ack_loss": lists.hits(f"ack loss{suffix}", network.ack_loss),
            "by_queue": by_queue,
            "idempotent": settings.idempotent,
            "batch": settings.batch,
            "linger": _ns(settings.linger),
            "lingering": lists.empty(),
            "plain": settings.batch == 1 and not by_queue and not settings.idempotent,
            "endless": endless,
            "relay": self._relay(region) if endless and region is not None else m.NOBODY,
        }

    def _relay(self, region: int) -> int:
        run, settings = self.run, self.run.scenario.source.relay
        count = max(min(settings.instances, run.changes), 1)
        down = run.downtimes(f"relay {region}" if region else "relay", settings.outages)
        self.relays.append(
            {
                "poll": _ns(settings.poll),
                "most": min(settings.batch, run.changes),
                "down": self.lists.downtimes(down),
                "connections": len(self.connections),
                "connection_count": count,
                "waiting": self.lists.room(run.changes),
                "asked": -1,
                "died": -1,
            }
        )
        self.connections += [{}] * count
        return len(self.relays) - 1

    def _group(self, number: int, topic: int) -> int:
        run, lists, broker = self.run, self.lists, self.run.scenario.broker
        settings, latency, pattern = run.scenario.consumers[number], run.scenario.network.latency, run.patterns[number]
        name, group = settings.name, len(self.groups)
        redo = settings.outages is not None and settings.outages.on_restart == "redo"
        dedup = settings.deduplicate
        window = dedup.window if isinstance(dedup, Deduplication) else NEVER
        room = min(window, run.changes) + 2
        slow = run.downtimes(f"{name}{SLOW}", settings.slow)
        poison = Poison(settings.poison, run.workload.times)
        effect, whole = self._effects(number)
        compares = settings.apply == "newest_version"
        copy = pattern.carries == "delta" and compares and settings.on_gap == "refetch" and run.reads[number] in KEPT
        mortal = self.topics[topic]["mortal"]
        poll_interval, commits_first = _ns(settings.poll_interval), settings.commit.when == "before"
        always = always_calls(pattern, settings)
        self.groups.append(
            {
                "consumer": number,
                "topic": topic,
                "first_instance": len(self.instances),
                "instances": settings.instances,
                "always": always,
                "may_call": always or copy or settings.needs_more > 0,
                "copy": copy,
                **self._calls(settings),
                "deliver": lists.times(f"deliver {name}", latency.deliver),
                "handle": lists.times(f"handle {name}", settings.handle_time),
                "handover": lists.times(f"handover {name}", settings.handover_time),
                "may_fail": settings.failure_rate > 0 or bool(poison.changes),
                "fail_rate": settings.failure_rate > 0,
                "fails": lists.hits(f"fail {name}", settings.failure_rate) if settings.failure_rate else 0,
                "slow": lists.downtimes(slow),
                "may_slow": bool(slow.intervals),
                "backoff": _ns(settings.backoff),
                "retention": _ns(broker.retention) if self.kind == m.LOG else NEVER,
                "poll_interval": poll_interval,
                "commits_first": commits_first,
                "dedup": bool(dedup),
                "window": window,
                "known_begin": lists.room(room) if dedup else 0,
                "known_room": room,
                "plain": not (dedup or poll_interval or mortal or commits_first),
                "effect": effect,
                "whole": whole,
                "republish": m.NOBODY,
                "max_attempts": settings.max_attempts,
                "dead_letter": settings.dead_letter,
                "redo": redo,
                "commit_messages": settings.commit.messages or 0,
                "commit_every": _ns(settings.commit.every or 0.0),
                "rebalances": redo and settings.instances > 1,
                "rebalance": _ns(settings.rebalance),
                "pause": m.NOBODY,
                "acknowledge_every": settings.commit.messages or 1,
                "waiting": m.NOBODY,
                "most": NEVER if broker.max_length is None else broker.max_length,
                "drops": broker.overflow == "drop_oldest",
                "after": NEVER if settings.redeliver_after is None else _ns(settings.redeliver_after),
                "up": 1,
                "ready_head": m.NOBODY,
                "ready_tail": m.NOBODY,
                "prefetch": settings.prefetch,
                "unacknowledged": m.NOBODY,
                "bounded": broker.max_length is not None,
                "room": broker.max_length or 0,
            }
        )
        self.of_consumer.append(number)
        self.factors.append(settings.slow.factor if settings.slow else 1.0)
        self.poison.append(poison)
        self._instances(group, settings)
        return group

    def _calls(self, settings: Consumer) -> dict[str, int]:
        """The draws of a group's call backs."""
        lists, name, call = self.lists, settings.name, self.run.scenario.network.latency.call
        return {
            "more": lists.hits(f"more {name}", settings.needs_more),
            "call_there": lists.times(f"call back {name} there", call),
            "call_back": lists.times(f"call back {name} back", call),
            "call_read": lists.times(f"call back {name} read", self.run.scenario.source.read_time),
        }

    def _effects(self, number: int) -> tuple[int, int]:
        """What a handled message does to what the consumer keeps, and what an answer to a call back does."""
        carries, apply = self.run.patterns[number].carries, self.run.scenario.consumers[number].apply
        if self.run.reads[number] == "cache":
            return m.EVICT, m.EVICT
        if self.run.reads[number] not in KEPT:
            return m.NOTHING, m.NOTHING
        part, whole = (m.EXTEND, m.REFRESH) if apply == "newest_version" else (m.ACCUMULATE, m.OVERWRITE)
        return part if carries == "delta" else whole, whole

    def _instances(self, group: int, settings: Consumer) -> None:
        first, partitions = len(self.instances), self.run.scenario.broker.partitions
        may_return = settings.outages is not None
        parts: list[dict[str, Any]] = [{} for _ in range(partitions)]
        for number, mine in enumerate(range_assignment(partitions, settings.instances)):
            down = self.run.downtimes(f"{settings.name} {number}", settings.outages, number)
            self.instances.append(
                {
                    "group": group,
                    "inbox": m.NOBODY,
                    "moment": m.NOBODY,
                    "moment_kind": m.HANDLED,
                    "failed_place": m.NOBODY,
                    "last_end": -NEVER,
                    "downtimes": self.lists.downtimes(down),
                    "first_part": mine.start,
                    "end_part": mine.stop,
                    "settles": self.kind == m.QUEUE or (self.kind == m.LOG and may_return),
                    "member": 1,
                    **dict.fromkeys(("window_head", "window_tail", "handled_head", "ready_before", "ready_after"), m.NOBODY),
                }
            )
            for partition in mine:
                parts[partition] = {"owner": first + number, "ends": self.lists.empty()}
        if self.kind == m.QUEUE:  # all have room
            everyone = self.instances[first:]
            for number, instance in enumerate(everyone, first):
                instance |= {"ready": 1, "ready_before": number - 1, "ready_after": number + 1}
            everyone[0]["ready_before"] = everyone[-1]["ready_after"] = m.NOBODY
            self.groups[group] |= {"ready_head": first, "ready_tail": len(self.instances) - 1}
        self.parts.append(parts)
