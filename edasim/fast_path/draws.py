"""Draws in compiled code: those of first attempts lie in memory, those of later ones are asked for in Python, since they are rare."""

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

from numba import types
from numba.experimental import function_type  # noqa: F401  # teaches numba what Later is

from edasim.luck import Bursts, Draws

_SIGNATURE = types.int64(types.int64, types.int64, types.int64)


class Later(types.WrapperAddressProtocol):
    """What compiled code calls with a stream's number, an index and an attempt: the draw.

    An exception (an interrupt, say) can't pass through compiled code: it is kept as *failed* and raised by `check`.
    """

    def __init__(self, streams: Mapping[int, Draws | Bursts]) -> None:
        self.failed: BaseException | None = None
        self._streams = streams
        kind: Callable[..., Any] = ctypes.CFUNCTYPE(*[ctypes.c_int64] * 4)
        self._callback = kind(self._draw)

    def _draw(self, stream: int, index: int, attempt: int) -> int:
        try:
            return self._streams[stream].at(index, attempt)
        except BaseException as failed:  # noqa: BLE001
            self.failed = self.failed or failed
            return 0

    def check(self) -> None:
        """Raise what failed while compiled code ran."""
        if self.failed is not None:
            raise self.failed

    def __wrapper_address__(self) -> int:
        return ctypes.cast(self._callback, ctypes.c_void_p).value or 0

    def signature(self) -> Any:
        """The types of its arguments and of what it returns, for numba."""
        return _SIGNATURE
