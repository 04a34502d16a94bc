"""The compiled event loop: all that the SimPy model does, in machine code."""

from edasim.afterwards.found import Found
from edasim.afterwards.inputs import Inputs
from edasim.fast_path.closing import found_in
from edasim.fast_path.draws import interrupts_kept
from edasim.fast_path.loop import close_instances, open_all, run
from edasim.fast_path.opening import Opening
from edasim.fast_path.world import enlarge, world_of

MOST_SERVERS = 1_000_000
SLICE = 1 << 17  # moments between which an interrupt is heard


def found(inputs: Inputs) -> Found:
    """What happens in a run of these *inputs*."""
    opening = Opening(inputs)
    world, later = world_of(inputs, opening)
    with interrupts_kept() as hand_on:
        open_all(world)
        while not run(world, SLICE):
            hand_on()
            later.check()
            enlarge(world)
        later.check()
        close_instances(world)
    return found_in(inputs, opening, world)
