"""Own reads that ask the source: who hears of a commit, as edasim/simpy_model/own_reads.py says."""

from edasim.compiled import compiled_part
from edasim.fast_path.clock import READ, schedule
from edasim.fast_path.memory import OWN_READ, World


@compiled_part
def tell_readers(w: World, change: int, done: int) -> None:
    """The *change* commits at *done*: everyone who reads own changes at the source looks for it later."""
    s = w.s[0]
    for asker in range(s.own_begin, s.own_begin + s.own_count):
        mine = w.askers[asker]
        w.reads[mine.first + change].time = w.reads[mine.first + change].asked = done + s.own_after
        schedule(w, done + s.own_after, READ, OWN_READ, asker, change)
