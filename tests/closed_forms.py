"""Closed forms of the oracles on freshness and event stores: functions of a row's parameters (data/oracles/README.md).

Written for the tests alone: neither the shipped values nor the simulation are made from them.
"""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import lambertw

Form = Callable[[Mapping[str, float]], float]


# --- age of information, one server


def mm1(arrivals: float, service: float) -> float:
    rho = arrivals / service
    return (1 + 1 / rho + rho**2 / (1 - rho)) / service


def md1(arrivals: float, service: float) -> float:
    rho = arrivals / service
    return (1 / (2 * (1 - rho)) + 1 / 2 + (1 - rho) * math.exp(rho) / rho) / service


def root_of_dm1(rho: float) -> float:
    """The probability that an arrival finds the server busy, whose sojourn is then exponential(service rate x (1 - root))."""
    return float(-rho * lambertw(-math.exp(-1 / rho) / rho).real)


def dm1(arrivals: float, service: float) -> float:
    rho = arrivals / service
    return (1 / (2 * rho) + 1 / (1 - root_of_dm1(rho))) / service


def beyond(arrivals: float, service: float, x: float) -> float:
    """P(max(V, Y) + S > x) by integrating over S: V is the workload of M/M/1, Y exponential(arrivals), S the service."""

    def tail(m: float) -> float:
        workload = 1 - arrivals / service * math.exp(-(service - arrivals) * m)
        return 1 - workload * -math.expm1(-arrivals * m)

    inside, _ = quad(lambda s: service * math.exp(-service * s) * tail(x - s), 0, x)
    return float(inside + math.exp(-service * x))


def full_at(arrivals: float, service: float, most: int) -> tuple[float, float]:
    """M/M/1/K: the rate of those accepted, and their mean sojourn, from the distribution of how many are there."""
    weight = (arrivals / service) ** np.arange(most + 1)
    there = weight / weight.sum()
    accepted = arrivals * (1 - there[-1])
    return float(accepted), float(there @ np.arange(most + 1) / accepted)


def peak(arrivals: float, service: float, most: int) -> float:
    accepted, sojourn = full_at(arrivals, service, most)
    return sojourn + 1 / accepted


def one_buffer(arrivals: float, service: float) -> float:
    both = 2 * (arrivals + service) / (arrivals**2 + arrivals * service + service**2)
    return 1 / arrivals + 3 / service - both


def replaced(arrivals: float, service: float) -> float:
    both = 2 * (arrivals + service) / (arrivals**2 + arrivals * service + service**2)
    return 1 / arrivals + 2 / service + arrivals / (arrivals + service) ** 2 + 1 / (arrivals + service) - both


def overtaking(arrivals: float, service: float) -> float:
    """M/M/infinity: P(age > x) = exp(-arrivals x the integral of the delay's distribution function up to x), integrated over x."""
    rho, far = arrivals / service, 60 / arrivals + 60 / service
    edges = np.linspace(0, far, 400)  # in pieces: the integrand falls from 1 to 0 within a small part of the range
    parts = [quad(lambda x: math.exp(-arrivals * x - rho * math.expm1(-service * x)), a, b)[0] for a, b in pairwise(edges)]
    return float(sum(parts))


def best(age: Callable[[float, float], float]) -> tuple[float, float]:
    """The utilisation at which the *age* is least, and that age, at service rate 1."""
    found = minimize_scalar(lambda rho: age(rho, 1.0), bounds=(0.05, 0.95), method="bounded", options={"xatol": 1e-10})
    return float(found.x), float(found.fun)


def age_forms(model: str, age: Callable[[float, float], float]) -> dict[tuple[str, str, str], Form]:
    return {("AOI", model, "time-average AoI"): lambda p: age(p["lambda"], p["mu"])}


def optima(model: str, age: Callable[[float, float], float]) -> dict[tuple[str, str, str], Form]:
    return {
        ("AOIOPT", model, "rho* minimising average AoI"): lambda p: best(age)[0],
        ("AOIOPT", model, "minimum average AoI"): lambda p: best(age)[1] / p["mu"],
    }


def peaks(model: str, of: Callable[[float, float], float]) -> dict[tuple[str, str, str], Form]:
    return {("AOI", model, "mean peak AoI"): lambda p: of(p["lambda"], p["mu"])}


# --- freshness: r changes per interval, each of length interval


def polled(p: Mapping[str, float]) -> tuple[float, float]:
    """Changes per interval, and the interval."""
    return p["update_rate"] * p["poll_interval"], p["poll_interval"]


def fixed(p: Mapping[str, float]) -> tuple[float, float]:
    r, interval = polled(p)
    seen = -math.expm1(-r)
    return seen / r, interval * (1 / 2 - 1 / r + seen / r**2)


def purely_random(p: Mapping[str, float]) -> tuple[float, float]:
    r, interval = polled(p)
    return 1 / (1 + r), interval * r / (1 + r)


def random_order(p: Mapping[str, float]) -> tuple[float, float]:
    r, interval = polled(p)
    seen = -math.expm1(-r)
    return (1 - (seen / r) ** 2) / r, interval * (1 / 3 + (1 / 2 - 1 / r) ** 2 - (seen / r**2) ** 2)


def hits(p: Mapping[str, float]) -> float:
    return p["read_rate"] * p["ttl"] / (1 + p["read_rate"] * p["ttl"])


def stale_hits(p: Mapping[str, float]) -> float:
    changes = p["update_rate"] * p["ttl"]
    return hits(p) * (1 + math.expm1(-changes) / changes)


def versions_behind(p: Mapping[str, float]) -> float:
    """The k newest changes have all not arrived with probability prod over j <= k of lambda / (lambda + j mu)."""
    rate, mu = p["update_rate"], p["delay_rate"]
    return float(np.cumprod(rate / (rate + mu * np.arange(1, 10_000))).sum())


def polled_miss(p: Mapping[str, float]) -> float:
    return min(max((p["poll"] + p["apply"] - p["read_after"]) / p["poll"], 0), 1)


# --- event stores


def cheapest_interval(p: Mapping[str, float]) -> int:
    """By trying all: a snapshot costs its share of every event, and a load replays (k - 1) / 2 events on average."""
    snapshot, load = p["snapshot_cost"], p["loads_per_event"] * p["replay_cost_per_event"]
    return min(range(1, 1000), key=lambda k: snapshot / k + load * (k - 1) / 2)


def distinct(weights: np.ndarray, writes: float) -> float:
    share = weights / weights.sum()
    return float((1 - (1 - share) ** writes).sum())


def distinct_variance(p: Mapping[str, float]) -> float:
    """Of the number of empty boxes: K (K - 1) P(two given ones are empty) + mean - mean^2."""
    keys, writes = p["keys"], p["writes"]
    empty = keys * (1 - 1 / keys) ** writes
    return float(keys * (keys - 1) * (1 - 2 / keys) ** writes + empty - empty**2)


def conflict(p: Mapping[str, float]) -> float:
    return -math.expm1(-p["other_writer_rate"] * p["window"])


def left_out(p: Mapping[str, float]) -> float:
    return p["n"] - distinct(np.ones(int(p["K"])), p["n"])


# --- output analysis


def naive_coverage(p: Mapping[str, float]) -> float:
    """2 Phi(z) - 1 = erf(z / sqrt 2), z being 1.96 times how much too small the naive standard error is."""
    return math.erf(1.959964 * math.sqrt((1 - p["phi"]) / (1 + p["phi"])) / math.sqrt(2))


def first_mean_wait(p: Mapping[str, float]) -> float:
    """By a Markov chain: how many each customer finds, one more than the one before less those served in between."""
    rho, size = p["lambda"] * p["mean_service"], int(p["customers"])
    finds, total = np.eye(size + 1)[0], 0.0
    for _ in range(size):
        total += float(finds @ np.arange(size + 1)) * p["mean_service"]
        following = np.zeros(size + 1)
        for there in range(size):
            for served in range(there + 2):  # in a gap: geometric, cut off when all are served
                chance = (1 / (1 + rho)) ** served * (rho / (1 + rho) if served <= there else 1)
                following[there + 1 - served] += finds[there] * chance
        finds = following
    return total / size


def rebuild_spread(p: Mapping[str, float]) -> float:
    return math.sqrt(p["n"] * (p["lambda"] + p["mu"]) / (p["mu"] - p["lambda"]) ** 3)


SNAPSHOTS = "snapshot at every version multiple of k; load once before each of n appends"
UNIFORM, ZIPF = "compacted log size, uniform keys", "compacted log size, Zipf keys"
SAWTOOTH = "Kafka compaction sawtooth, all keys live, equal-size records"
OPTIMISTIC = "optimistic concurrency, Poisson competing appends to same stream"
BIRTHDAY = "n simultaneous commands on K equally likely aggregates"
NAIVE = "AR(1) phi, naive iid 95% CI (negative control)"
REBUILD = "projection rebuild/catch-up: backlog n, apply rate mu, live arrivals lambda"

FIXED, PURELY = "periodic refresh (fixed order), Poisson updates", "purely random (Poisson) refresh, mean interval I"
IN_TURN = "random-order refresh (once per interval at uniform time)"
TTL = "TTL cache (timer set at miss, not renewed), Poisson reads"
FIFO = "event-carried replica, FIFO constant delay d"
INDEPENDENT = "event-carried replica, independent exp(mu) delays, newest version wins"
REGIONS = "LWW two regions, same key, symmetric constant replication delay"
PROJECTOR = "CQRS projector polling every P, apply time d (unsaturated)"

CLOSED_FORMS: Mapping[tuple[str, str, str], Form] = {
    **age_forms("AoI M/M/1 FCFS", mm1),
    **age_forms("AoI M/D/1 FCFS", md1),
    **age_forms("AoI D/M/1 FCFS", dm1),
    **age_forms("AoI M/M/1/1 (drop if busy)", lambda a, s: 1 / a + 2 / s - 1 / (a + s)),
    **age_forms("AoI M/M/1/2 (one buffer, drop newest)", one_buffer),
    **age_forms("AoI M/M/1/2* (one buffer, replace waiting)", replaced),
    **age_forms("AoI M/M/inf (parallel delivery, out-of-order, keep newest)", overtaking),
    **peaks("AoI M/M/1 FCFS", lambda a, s: 1 / a + 1 / (s - a)),
    **peaks("AoI M/D/1 FCFS", lambda a, s: 1 / a + 1 / s + a / s / (2 * s * (1 - a / s))),
    **peaks("AoI D/M/1 FCFS", lambda a, s: 1 / a + 1 / (s * (1 - root_of_dm1(a / s)))),
    **peaks("AoI M/M/1/1 (drop if busy)", lambda a, s: peak(a, s, 1)),
    ("AOI", "AoI M/M/1 FCFS", "P(AoI>x) time fraction"): lambda p: beyond(p["lambda"], p["mu"], p["x"]),
    ("AOIK", "AoI M/M/1/K FCFS drop-newest", "mean peak AoI = E[T_accepted]+1/throughput"): lambda p: peak(
        p["lambda"], p["mu"], int(p["K_total"])
    ),
    **optima("AoI M/M/1 FCFS optimum", mm1),
    **optima("AoI M/D/1 FCFS optimum", md1),
    **optima("AoI D/M/1 FCFS optimum", dm1),
    ("FRESH", FIXED, "freshness F=(1-e^-r)/r"): lambda p: fixed(p)[0],
    ("FRESH", FIXED, "age A=I(1/2-1/r+(1-e^-r)/r^2)"): lambda p: fixed(p)[1],
    ("FRESH", PURELY, "freshness 1/(1+r)"): lambda p: purely_random(p)[0],
    ("FRESH", PURELY, "age I*r/(1+r)"): lambda p: purely_random(p)[1],
    ("FRESH", IN_TURN, "freshness (1/r)(1-((1-e^-r)/r)^2)"): lambda p: random_order(p)[0],
    ("FRESH", IN_TURN, "age I(1/3+(1/2-1/r)^2-((1-e^-r)/r^2)^2)"): lambda p: random_order(p)[1],
    ("TTL", TTL, "hit ratio qT/(1+qT)"): hits,
    ("TTL", TTL, "P(read served stale)=h(1-(1-e^-uT)/(uT))"): stale_hits,
    ("REPL", FIFO, "P(replica stale at random time)=1-e^{-lambda d}"): lambda p: -math.expm1(-p["update_rate"] * p["delay"]),
    ("REPL", FIFO, "mean versions behind = lambda d"): lambda p: p["update_rate"] * p["delay"],
    ("REPL", INDEPENDENT, "P(replica stale)=lambda/(lambda+mu)"): lambda p: p["update_rate"] / (p["update_rate"] + p["delay_rate"]),
    ("REPL", INDEPENDENT, "mean versions behind = sum_k prod_{j<=k} lambda/(lambda+j mu)"): versions_behind,
    ("REPL", INDEPENDENT, "in-flight messages mean lambda/mu (Poisson)"): lambda p: p["update_rate"] / p["delay_rate"],
    ("RYW", "CQRS projector as M/M/1 FCFS, read t after write", "P(read misses own write)=e^{-(mu-lambda)t}"): lambda p: math.exp(
        -(p["projector_rate"] - p["event_rate"]) * p["read_after"]
    ),
    ("POLL", PROJECTOR, "P(read misses own write)=(P+d-t)/P clipped"): polled_miss,
    ("POLL", PROJECTOR, "mean projection lag d+P/2"): lambda p: p["apply"] + p["poll"] / 2,
    ("LWW", REGIONS, "P(write at A silently overwritten by concurrent later write at B)=1-e^{-lambdaB d}"): lambda p: (
        -math.expm1(-p["rate_B"] * p["replication_delay"])
    ),
    ("LWW", REGIONS, "P(write at A is concurrent with >=1 write at B)=1-e^{-2 lambdaB d}"): lambda p: (
        -math.expm1(-2 * p["rate_B"] * p["replication_delay"])
    ),
    ("SNAP", SNAPSHOTS, "total events replayed = sum_{v<n} v mod k"): lambda p: sum(
        v % p["snapshot_every"] for v in range(int(p["events_per_aggregate"]))
    ),
    ("SNAP", "same, no snapshots", "total events replayed n(n-1)/2"): lambda p: sum(range(int(p["events_per_aggregate"]))),
    ("SNAP", "load at uniformly random version (long run)", "mean replay length (k-1)/2"): lambda p: (p["snapshot_every"] - 1) / 2,
    ("SNAP", "snapshots stored", "floor(n/k) (keep all)"): lambda p: p["events_per_aggregate"] // p["snapshot_every"],
    (
        "OPTK",
        "optimal snapshot interval: cost/event = cs/k + l*cr*(k-1)/2",
        "integer k* (continuous sqrt(2 cs/(l cr)))",
    ): cheapest_interval,
    ("CMPT", UNIFORM, "mean distinct keys K(1-(1-1/K)^n)"): lambda p: distinct(np.ones(int(p["keys"])), p["writes"]),
    ("CMPT", UNIFORM, "variance of distinct keys"): distinct_variance,
    ("CMPT", "coupon collector", "mean writes until every key present K*H_K"): lambda p: sum(
        p["keys"] / left for left in range(1, int(p["keys"]) + 1)
    ),
    ("ZIPF", ZIPF, "mean distinct keys sum 1-(1-p_i)^n"): lambda p: distinct(np.arange(1, p["keys"] + 1) ** -p["s"], p["writes"]),
    ("DRTY", SAWTOOTH, "peak log length U/(1-r)"): lambda p: p["live_keys"] / (1 - p["min_cleanable_dirty_ratio"]),
    ("DRTY", SAWTOOTH, "time-average log length U(1+r/(2(1-r)))"): lambda p: (
        p["live_keys"] * (1 + 1 / (1 - p["min_cleanable_dirty_ratio"])) / 2
    ),
    ("OCC", OPTIMISTIC, "P(version conflict)=1-e^{-lambda w}"): conflict,
    ("OCC", OPTIMISTIC, "P(all r+1 attempts conflict) (independent windows)"): lambda p: conflict(p) ** (p["retries"] + 1),
    ("OCC", OPTIMISTIC, "mean attempts until success e^{lambda w}"): lambda p: 1 / (1 - conflict(p)),
    ("BDAY", BIRTHDAY, "P(at least one collision)"): lambda p: 1 - math.perm(int(p["K"]), int(p["n"])) / p["K"] ** p["n"],
    ("BDAY", BIRTHDAY, "mean commands rejected if first wins = n-K(1-(1-1/K)^n)"): left_out,
    ("REBLD", REBUILD, "mean catch-up time n/(mu-lambda)"): lambda p: p["n"] / (p["mu"] - p["lambda"]),
    ("COV", NAIVE, "asymptotic coverage 2Phi(1.96 sqrt((1-phi)/(1+phi)))-1"): naive_coverage,
    ("REBLD", REBUILD, "sd of catch-up time sqrt(n(lambda+mu)/(mu-lambda)^3)"): rebuild_spread,
}


def closed_form(identity: str, model: str, quantity: str, p: Mapping[str, float]) -> float:
    """What a row of oracles.csv comes out as at the parameters *p*, its own or others."""
    return CLOSED_FORMS[identity.split("-")[0], model, quantity](p)
