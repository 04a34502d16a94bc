"""What a consumer's copy held over time, told from the messages that it handled: by the same rules as in the simulation."""

import numpy as np
from numpy.typing import NDArray

from edasim.live.records import Records
from edasim.patterns import KEPT
from edasim.simpy_model.consumer import effects
from edasim.simpy_model.copies import Copy
from edasim.simpy_model.run import Run


def refresh(run: Run, number: int, ended: Records, version: NDArray[np.int64]) -> None:
    """Note in the run's refreshes what each message that consumer *number* handled to its end, repeats too, did to its copy.

    *version*: of each change, shape (changes,).
    """
    if run.reads[number] not in KEPT:
        return
    effect, _ = effects(Copy(run, number), run.patterns[number].carries, run.scenario.consumers[number].apply)
    versions = version.tolist()
    for change, time in zip(ended.change.tolist(), ended.time.tolist(), strict=True):
        effect(time, run.entity[change], versions[change])
