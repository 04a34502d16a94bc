"""The fast path: what the SimPy model computes, compiled; the same journal, to the nanosecond.

Where nothing downstream changes what happens upstream, and nothing fails, a run is a few recursions over its messages, stage by stage
(`feed_forward`). Else what happens is taken in the order of time, as the SimPy model does, by one compiled loop (`event_loop`): its files
and functions have the names of the SimPy model's.
"""

from logging import getLogger
from pathlib import Path

from edasim.afterwards.inputs import Inputs
from edasim.afterwards.journal import journal_of
from edasim.errors import InputError
from edasim.journal import Journal
from edasim.luck import Luck
from edasim.patterns import PRESETS, Pattern
from edasim.scenario import Scenario
from edasim.simpy_model.limits import why_not as why_not_at_all
from edasim.workload import Workload, make_workload

LOG = getLogger(__name__)  # silent unless somebody listens: the command line does
MOST_SERVERS = 1_000_000  # of the source: each is a number in memory


def why_not(scenario: Scenario, pattern: Pattern) -> str:
    """A sentence that says why only the SimPy model can simulate the scenario with this pattern; empty when the fast path can.

    >>> from edasim.patterns import PRESETS
    >>> why_not(Scenario(), PRESETS["cqrs"])
    ''
    """
    if scenario.source.servers > MOST_SERVERS:
        return f"source.servers: the fast path has room for {MOST_SERVERS:,} servers, not {scenario.source.servers:,}"
    return ""


def simulate_run(scenario: Scenario, pattern: Pattern, workload: Workload, luck: Luck, option: str) -> Journal:
    """The journal of one run. Raises InputError for what can't be simulated, or not here."""
    if reason := why_not_at_all(scenario, pattern) or why_not(scenario, pattern):
        raise InputError(reason)
    from edasim.fast_path import event_loop, feed_forward  # to import numba takes a third of a second

    run = Inputs(scenario, pattern, workload, luck)
    found = feed_forward.found(run)
    return journal_of(run, event_loop.found(run) if found is None else found, option, "fast")


def is_compiled() -> bool:
    """Whether the machine code of the loop is kept: else the first run takes most of a minute longer."""
    from edasim.compiled import kept_in

    folder = kept_in(Path(__file__).parent)
    return folder is not None and any(folder.glob("**/loop.run-*.nbc"))


def prepare() -> None:
    """Compile what runs and their metrics need, unless it is kept: processes that begin later find it, else each would compile for itself.

    What it does and how long that takes is logged (`logging`, level INFO). Where nothing can be kept, nothing is compiled here.
    """
    from edasim.compiled import kept_in

    if is_compiled():
        return
    folder = kept_in(Path(__file__).parent)
    if folder is None:
        LOG.info("each process compiles the simulation, about a minute: its machine code can't be kept (docs/fast-path.md)")
        return
    LOG.info(f"compiling the simulation, about a minute; only this once: its machine code is kept in {folder}")
    from edasim.metrics import measure

    for kind in ("log", "queue", "pubsub"):
        scenario = Scenario(warmup=0, duration=5, drain=5, broker={"kind": kind}, workload={"reads": {"rate": 5}})
        for pattern in PRESETS.values():
            luck = Luck(scenario.seed, 0)
            measure(simulate_run(scenario, pattern, make_workload(scenario, luck), luck, pattern.name))
