"""The dotted paths that what can be observed has in a scenario."""

PROCESS, RATE = "workload.arrivals", "workload.arrivals.rate"
READS = "workload.reads.rate"
COUNT, SKEW = "workload.entities.count", "workload.entities.skew"
STATE, DELTA, NOTICE = "workload.state_bytes", "workload.delta_bytes", "workload.notice_bytes"
PUBLISH, DELIVER = "network.latency.publish", "network.latency.deliver"
APPEND = "broker.append_time"
HANDOVER = "consumers.*.handover_time"  # of every consumer that there is: it is their client's
BASE, PER_EVENT = "event_store.load.base", "event_store.load.per_event"
REBUILD_PER_EVENT = "event_store.rebuild.per_event"
NUMBERS = (RATE, READS, COUNT, SKEW)  # plain ones: no durations, sizes or distributions
