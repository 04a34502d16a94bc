"""The compiled event loop: all that the SimPy model does, in machine code."""

from edasim.afterwards.found import Found
from edasim.afterwards.inputs import Inputs
from edasim.fast_path.closing import found_in
from edasim.fast_path.draws import interrupts_kept
from edasim.fast_path.loop import close_instances, open_all, run
from edasim.fast_path.opening import Opening
from edasim.fast_path.world import enlarge, world_of

SLICE = 1 << 17  # moments between which an interrupt is heard


def found(inputs: Inputs) -> Found:
    """What happens in a run of these *inputs*."""
    opening = Opening(inputs)
    world, later = world_of(inputs, opening)
    open_all(world)
    run(world, 0)  # if it has to be compiled, then here, where an interrupt is heard
    with interrupts_kept() as hand_on:
        while not run(world, SLICE):
            hand_on()
            later.check()
            enlarge(world)
        later.check()
    close_instances(world)
    return found_in(inputs, opening, world)
