"""The memory of the compiled event loop: what the objects of the SimPy model hold, as records in arrays.

A record stands for an object of the class that its comment names, its fields for that object's attributes. Lists (draws, downtimes,
histories, logs) lie in one array, `flat`, each found by its row in `lists`. An array that is full is made larger between two events.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Records = NDArray[np.void]


def _record(names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in names.split()])


SCALARS = _record(
    "now eid horizon stop_eid heap_size moments_used moment_free nodes_used node_free flat_used flat_grown entries_used "
    "items_used handed_used requests_used refreshes_used rows_used snapshots margin polls regions groups partitions changes "
    "entities kind publishes regional events write_time own_begin own_count own_after exchange_there exchange_deliver "
    "broker_down snapshot_every on_append load_base snapshot_time upcasts keeps_states payload_items payload_quantities "
    "history conflict_retries appended caches batches partition sizes messages unacknowledged may_return may_be_sent "
    "consumers later"
)
HEAP = _record("time order eid slot")  # a moment in the order of time
MOMENT = _record("kind a b c d e f")  # what happens then
LIST = _record("begin length capacity")
CHANGE = _record("entity region committed version ended service")
SOURCE = _record("down fails servers servers_count life arrived order arrivals")
STREAM = _record("begin length last known known_length covered")  # of one entity in one source: where its history lies in flat
TOPIC = _record(
    "down fails forgets append_time copies copy_count fetch_every sync_every durable most mortal sequence by_sequence "
    "first_group group_count"
)
LINE = _record("free life held oldest log batch batch_stored batch_visible")  # one partition of a topic
ENTRY = _record("sequence change stored visible gone reason")
PUBLISHER = _record(
    "topic source_down waits_for_all blind retries timeout backoff net_down lossy forgetful latency loss outage_loss "
    "ack_loss by_queue idempotent batch linger lingering linger_since plain endless relay"
)
SENT = _record("attempts acknowledged kept answered answer_stored answer_visible members member_count place connection")
RELAY = _record("poll most down connections connection_count waiting head tail commits asked will_ask died")
CONNECTION = _record("last_arrival unacknowledged batch batch_count")
GROUP = _record(
    "consumer topic first_instance instances always may_call copy more call_there call_back call_read deliver handle "
    "handover may_fail fail_rate fails slow may_slow backoff retention poll_interval commits_first dedup window known_begin "
    "known_room known_head known_count plain effect whole republish max_attempts dead_letter redo commit_messages "
    "commit_every rebalances rebalance changed pause pause_time acknowledge_every waiting waiting_count most drops after up "
    "ready_head ready_tail prefetch unacknowledged first_handed bounded room"
)
PART = _record("reaches committed owner ends")  # one partition at a log group
DELIVERY = _record("stored delivered applied attempts repeats failure calls copies known poison last_failed")
INSTANCE = _record(
    "group down stopped inbox inbox_count has_hand available sequence change place stored item begins start attempt "
    "failed_place failed_item failures moment moment_time moment_kind moment_subject last_end polls_from downtimes fault "
    "left first_part end_part uncommitted polled poll_left settles member window_head window_tail window_count handled_head "
    "handled_count ready ready_before ready_after"
)
NODE = _record("available sequence change place stored item child sibling")  # a message in a heap
ITEM = _record("sequence change stored done")  # a message in a queue
HANDED = _record("group item sent worker windowed unacknowledged came_back before after window_before window_after handled_after")
COPY = _record("held wrong cached version expires born")
ASKER = _record("consumer there back service ttl timeout retries backoff first count cache own order cursor")
READING = _record("time entity region attempts asked latency seen")
POLLER = _record("consumer times there back service count cursor seen late late_count")
ROW = _record("table a b c d e")


FIELDS: dict[str, tuple[Any, int]] = {  # name: what it consists of, and how many dimensions it has
    "s": (SCALARS, 1),  # one record
    "heap": (HEAP, 1),
    "moments": (MOMENT, 1),
    "lists": (LIST, 1),
    "flat": (np.int64, 1),
    "changes": (CHANGE, 1),
    "sources": (SOURCE, 1),
    "streams": (STREAM, 2),  # (sources, entities)
    "topics": (TOPIC, 1),
    "lines": (LINE, 2),  # (topics, partitions)
    "entries": (ENTRY, 1),
    "publishers": (PUBLISHER, 1),
    "sent": (SENT, 2),  # (publishers, changes)
    "stored": (np.int64, 2),  # (topics, changes)
    "relays": (RELAY, 1),
    "connections": (CONNECTION, 1),
    "groups": (GROUP, 1),
    "parts": (PART, 2),  # (groups, partitions)
    "deliveries": (DELIVERY, 2),  # (groups, changes)
    "instances": (INSTANCE, 1),
    "nodes": (NODE, 1),
    "items": (ITEM, 1),
    "handed": (HANDED, 1),
    "copies": (COPY, 2),  # (consumers, entities)
    "askers": (ASKER, 1),
    "reads": (READING, 1),
    "pollers": (POLLER, 1),
    "requests": (np.int64, 2),  # (rows, 6)
    "refreshes": (np.int64, 2),  # (rows, 4)
    "rows": (ROW, 1),  # of all other tables
    "states": (np.int64, 3),  # (entities, items, 2): how many, and when that was said last
    "upcasts": (np.float64, 1),  # versions that the oldest event of each entity is behind
    "factors": (np.float64, 1),  # (groups,): how much slower
    "rates": (np.float64, 1),  # nanoseconds per event of a load, and per upcast
}


class World:
    """All of it: its attributes are the arrays of FIELDS. The one argument that every function of the loop has."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, **arrays: NDArray[Any]) -> None:
        self._table = np.zeros((len(FIELDS), 4), dtype=np.int64)
        self.address = self._table.ctypes.data
        self.put(**arrays)

    def put(self, **arrays: NDArray[Any]) -> None:
        """Let these arrays take the place of those that had these names."""
        for place, name in enumerate(FIELDS):
            if name in arrays:
                array = np.ascontiguousarray(arrays[name], dtype=FIELDS[name][0])
                self._table[place, : 1 + array.ndim] = (array.ctypes.data, *array.shape)
                setattr(self, name, array)


# what happens, by number
(
    WRITE_ARRIVES,
    APPENDS,
    COMMITS,
    TOLD,
    JOINS,
    LINGERED,
    REQUEST_ARRIVES,
    RETRIES,
    QUEUED,
    RELAY_NOTES,
    RELAY_ASKS,
    ACKNOWLEDGED,
    RELAY_DIES,
    RELAY_RETURNS,
    READ_IS_DUE,
    READ_ARRIVES,
    READ_AGAIN,
    FETCHED,
    OWN_READ,
    POLL_IS_DUE,
    POLL_ARRIVES,
    POLLED,
    HANDLED,
    TRIES_AGAIN,
    CALLED,
    ANSWERED,
    CALLS_AGAIN,
    INSTANCE_FAILS,
    INSTANCE_RETURNS,
    MEMBERS_CHANGED,
    PAUSE_ENDS,
    OVERDUE,
    BROKER_DIES,
    BROKER_RETURNS,
    REACHES_BUFFER,
) = range(35)
LOADS, CONFLICTS, SNAPSHOTS, CONTENTS, EXCHANGES, PARKED = range(6)  # tables whose rows lie in `rows`
NOTHING, EVICT, REFRESH, EXTEND, OVERWRITE, ACCUMULATE = range(6)  # what a handled message does to what the consumer keeps
LOG, QUEUE, PUBSUB = range(3)
NOBODY = -1
