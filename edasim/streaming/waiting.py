"""What waits at a stage until everything that may come before it is known."""

import numpy as np

from edasim.fast_path.recursions import arrival_order
from edasim.streaming.draws import Columns


class Waiting:
    """Rows between two stages. A *watermark* is a time before which nothing comes that is not known yet.

    A change that is made later than the last one of a block commits, arrives at the broker, is there for a consumer and is applied no
    earlier than that. So at every stage the rows before the watermark are complete, and go on in order of time; the others wait for
    those that may overtake them. What waits is what is under way, however long the run is.
    """

    def __init__(self) -> None:
        self._kept: Columns = {}

    def __len__(self) -> int:
        """How many rows wait."""
        return next((values.size for values in self._kept.values()), 0)

    def until(self, more: Columns, by: str, watermark: int) -> Columns:
        """Of what was kept and *more* the rows whose time *by* lies before the watermark, in its order, as they came where it is equal."""
        rows = {name: np.concatenate([self._kept[name], values]) for name, values in more.items()} if self._kept else more
        times = rows[by]
        if np.any(times[1:] < times[:-1]):
            order = arrival_order(times)
            count = int(np.searchsorted(times[order], watermark))
            self._kept = {name: values[order[count:]] for name, values in rows.items()}
            return {name: values[order[:count]] for name, values in rows.items()}
        count = int(np.searchsorted(times, watermark))
        self._kept = {name: values[count:].copy() for name, values in rows.items()}
        return {name: values[:count] for name, values in rows.items()}
