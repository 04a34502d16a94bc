"""At which loads does splitting reads from writes pay, and why? What a sweep of `edasim.studies.split` shows, in computed words."""

from collections.abc import Mapping, Sequence
from itertools import pairwise, permutations
from math import inf

from edasim.estimates import short
from edasim.findings import Finding
from edasim.statistics import interval
from edasim.studies.split import ANSWERED, AS_DEAR, COSTLY, READS, SHARED, SPLIT, STALE, WRITES, Floats, Swept

SIDES = {READS: "reads", WRITES: "writes"}
LEAST = 0.05  # a smaller difference is no reason for anything


def verdict(swept: Swept, option: str, rival: str, load: float, metric: str) -> int:
    """Whether an option's p99 is clearly better than a *rival*'s at this load (1), clearly worse (-1), or neither (0).

    Clear: the 95 % interval of the difference, paired by run, leaves zero out, and it is at least 5 %. More reads without an answer
    are worse, whatever the others took.
    """
    if metric == READS:
        mine, theirs = (1 - swept.by_run(name, load, ANSWERED) for name in (option, rival))
        if mine.size and (found := _less(mine, theirs, 0.0)):
            return found
    mine, theirs = (swept.by_run(name, load, metric) for name in (option, rival))
    return _less(mine, theirs, LEAST * min(mine.mean(), theirs.mean())) if mine.size and mine.size == theirs.size else 0


def _less(mine: Floats, theirs: Floats, least: float) -> int:
    """1 where *mine* are clearly less, by so much at *least*; -1 where they are clearly more; else 0."""
    difference = interval(theirs - mine)
    if abs(difference.mean) < least:
        return 0
    return 1 if difference.low > 0 else -1 if difference.high < 0 else 0


def verdicts(swept: Swept, rival: str) -> dict[float, dict[str, int]]:
    """At each load the `verdict` on the split against one pool, of reads and of writes, where both apply."""
    return {load: {side: verdict(swept, SPLIT, rival, load, metric) for metric, side in SIDES.items()} for load in swept.loads}


def pays(swept: Swept, rival: str) -> dict[float, int]:
    """Whether the split pays against one pool: 1 where a side is clearly better and none even seems worse; -1 where one clearly is.

    A side that is more than 5 % slower on average, though not clearly, leaves the answer open: 0.
    """
    return {load: _pays(swept, rival, load, set(sides.values())) for load, sides in verdicts(swept, rival).items()}


def _pays(swept: Swept, rival: str, load: float, sides: set[int]) -> int:
    if -1 in sides:
        return -1
    pairs = ((swept.by_run(SPLIT, load, metric), swept.by_run(rival, load, metric)) for metric in SIDES)
    seems_worse = any(mine.size and theirs.size and mine.mean() > (1 + LEAST) * theirs.mean() for mine, theirs in pairs)
    return 1 if 1 in sides and not seems_worse else 0


def crossover(swept: Swept, rival: str) -> str:
    """At which loads splitting pays, in words; loads without a clear answer are no evidence for either, and named."""
    found = pays(swept, rival)
    clear = {load: answer for load, answer in found.items() if answer}
    paying = [load for load, answer in clear.items() if answer > 0]
    if not clear:
        return "makes no clear difference in the range"
    if not paying:
        return "never pays in the range"
    if len(paying) == len(found):
        return "pays at every load simulated"
    if len(paying) == len(clear) or sum(one != other for one, other in pairwise(clear.values())) > 1:
        unclear = [load for load, answer in found.items() if not answer]
        return f"pays at {_listed(paying)} times today's load" + (f" (unclear at {_listed(unclear)})" if unclear else "")
    before, after = max(paying[0], min(clear)), min(paying[-1], max(clear))
    if min(clear) in paying:
        beyond = next(load for load, answer in clear.items() if answer < 0)
        return f"pays up to {times(after)} times today's load{_unclear(found, after, beyond)}"
    below = max(load for load, answer in clear.items() if answer < 0)
    return f"pays from {times(before)} times today's load on{_unclear(found, below, before)}"


def _unclear(found: Mapping[float, int], start: float, end: float) -> str:
    """The loads between these two without a clear answer, in words."""
    between = [load for load, answer in found.items() if start < load < end and not answer]
    return f" (unclear at {_listed(between)})" if between else ""


def _listed(loads: Sequence[float]) -> str:
    return ", ".join(map(times, loads))


def _trades(swept: Swept, rival: str) -> str:
    """At which loads one side is clearly better and the other clearly worse."""
    found = []
    for side, other in permutations(SIDES.values()):
        mixed = [load for load, sides in verdicts(swept, rival).items() if sides[side] > 0 > sides[other]]
        if mixed:
            found.append(f"quicker {side} for slower {other} at {', '.join(map(times, mixed))} times today's load")
    return f"; it trades {' and '.join(found)}" if found else ""


def when_splitting_pays(swept: Swept) -> Finding:
    """At which loads the split pays at equal cost and at equal capacity, where each saturates, why, and what its projectors can do."""
    counted = "at the scenario's prices" if swept.priced else "each instance of a projector counted as a server"
    lines = [
        f"* **At equal cost** ({swept.servers(SPLIT)} and the projectors, or one pool of {swept.servers(COSTLY)}: {counted}) splitting "
        f"{crossover(swept, COSTLY)}{_trades(swept, COSTLY)}.",
        f"* **At equal capacity** (one pool of {swept.servers(SHARED)}) splitting {crossover(swept, SHARED)}{_trades(swept, SHARED)}.",
        *(f"* **p99 of {side}** {_beside(swept, metric)}." for metric, side in SIDES.items()),
        *_unanswered(swept),
        f"* **Saturated** {_saturated(swept)}.",
        f"* **Why**: {_why(swept)}.",
        f"* **The projectors** {_projectors(swept)}.",
    ]
    return Finding("\n".join(lines))


def busiest(swept: Swept, limit: float) -> float:
    """The highest load below *limit*, or else the lowest."""
    return max((load for load in swept.loads if load < limit), default=min(swept.loads))


def _beside(swept: Swept, metric: str) -> str:
    load = busiest(swept, swept.saturates)
    found = {
        name: swept.course(option, metric).get(load) for name, option in (("split", SPLIT), ("shared", SHARED), ("at equal cost", COSTLY))
    }
    if None in found.values():
        return "does not apply: nobody asks"
    return f"at {times(load)} times today's load: " + ", ".join(f"{estimate} {name}" for name, estimate in found.items())


def _unanswered(swept: Swept) -> list[str]:
    """How many reads have no answer in time at the highest load, if some have none."""
    last = max(swept.loads)
    found = {option: swept.by_run(option, last, ANSWERED) for option in (SPLIT, SHARED, COSTLY)}
    lost = [f"{short(1 - float(runs.mean()), 'share')} with `{option}`" for option, runs in found.items() if runs.size and runs.min() < 1]
    return [f"* **Without an answer in time** are, at {times(last)} times today's load, {' and '.join(lost)} of the reads."] if lost else []


def _saturated(swept: Swept) -> str:
    """Where by hand, or by the work of one run, each meets its limit."""
    limits = swept.limits
    split = f"the writes of the split at {times(limits[SPLIT].writes)}, its reads at {times(limits[SPLIT].reads)}"
    pools = f"one pool at {times(limits[SHARED].first)}, at equal cost at {times(limits[COSTLY].first)}"
    how = "by hand" if swept.options[SPLIT].pattern.truth == "table" else "from the work measured in one run"
    return f"are {split}; {pools} ({how}, in times today's load)"


def times(load: float) -> str:
    """How many times today's load, in words.

    >>> times(2.345), times(2000.4), times(inf)
    ('2.35', '2,000', 'no load')
    """
    return "no load" if load == inf else f"{load:,.0f}" if load >= 100 else f"{load:.3g}"


def _why(swept: Swept) -> str:
    """Which of three reasons it is that reads are quicker, or are not: cheaper reads, no writes in their way, or no pool to share."""
    load = busiest(swept, min(limits.reads for limits in swept.limits.values()))
    split, shared, dear = (swept.course(option, READS).get(load) for option in (SPLIT, SHARED, AS_DEAR))
    if split is None or shared is None:
        return "nobody reads"
    if dear is None:
        return "a read at the source replays events first, and every command does; a read model has nothing to replay"
    return (
        f"at {times(load)} times today's load p99 of a read is {split}, would be {dear} with reads as dear as at the source, and is "
        f"{shared} in one pool of equal capacity; {_reasons(swept, load)}"
    )


def _reasons(swept: Swept, load: float) -> str:
    """What keeping reads and writes apart does by itself, and what cheaper reads do besides."""
    apart, cheaper = verdict(swept, AS_DEAR, SHARED, load, READS), verdict(swept, SPLIT, AS_DEAR, load, READS)
    alone = {
        1: "keeping writes out of the readers' way makes reads quicker by itself",
        0: "keeping reads and writes apart makes no clear difference by itself",
        -1: "one pool serves equal reads better than two, because no server idles while a request waits",
    }
    if cheaper < 1 or apart == 1:
        return f"{alone[apart]}; {({1: 'cheaper reads add to that', 0: 'reads are no cheaper', -1: 'reads are dearer'})[cheaper]}"
    besides = {
        1: "it is the cheaper reads of the read model that make them quicker",
        0: "the cheaper reads of the read model just make up for that",
        -1: "the cheaper reads of the read model do not make up for that",
    }
    return f"{alone[apart]}; {besides[verdict(swept, SPLIT, SHARED, load, READS)]}"


def _projectors(swept: Swept) -> str:
    """Up to which load the read model keeps up, and how many reads are stale until then; beyond, that depends on how long one looks."""
    stale = swept.course(SPLIT, STALE)
    if not stale:
        return "feed nobody who reads"
    known = "with any load" if swept.falls_behind == inf else f"until {times(swept.falls_behind)} times today's load at most"
    kept_up = [load for load in stale if load < swept.falls_behind]
    late = f"; stale are {stale[max(kept_up)]} of the split's reads at {times(max(kept_up))} times today's load" if kept_up else ""
    return f"keep up {known}{late}" + ("; beyond that reads get ever staler, the longer it lasts" if swept.falls_behind < inf else "")
