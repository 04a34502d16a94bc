"""The dotted paths that what can be observed has in a scenario."""

PROCESS, RATE = "workload.arrivals", "workload.arrivals.rate"
READS = "workload.reads.rate"
COUNT, SKEW = "workload.entities.count", "workload.entities.skew"
STATE, DELTA, NOTICE = "workload.state_bytes", "workload.delta_bytes", "workload.notice_bytes"
PUBLISH, DELIVER = "network.latency.publish", "network.latency.deliver"
NUMBERS = (RATE, READS, COUNT, SKEW)  # plain ones: no durations, sizes or distributions
