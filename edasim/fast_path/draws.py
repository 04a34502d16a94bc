"""Draws of later attempts: they are rare, so compiled code asks Python for them."""

import ctypes
from collections.abc import Mapping

from edasim.luck import Bursts, Draws

_Drawn = ctypes.CFUNCTYPE(*[ctypes.c_int64] * 4)


class Later:
    """What compiled code calls, at *address*, with a stream's number, an index and an attempt: the draw.

    An exception (an interrupt, say) can't pass through compiled code: it is kept, and raised by `check`.
    """

    def __init__(self, streams: Mapping[int, Draws | Bursts]) -> None:
        self._failed: list[BaseException] = []
        failed = self._failed  # that the function knows no more than it needs: it would keep itself alive

        def drawn(stream: int, index: int, attempt: int) -> int:
            try:
                return streams[stream].at(index, attempt)
            except BaseException as error:
                failed.append(error)
                return 0

        self._callback = _Drawn(drawn)
        self.address = ctypes.cast(self._callback, ctypes.c_void_p).value or 0

    def check(self) -> None:
        """Raise what failed while compiled code ran."""
        if self._failed:
            raise self._failed[0]
