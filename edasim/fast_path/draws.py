"""Draws of later attempts: they are rare, so compiled code asks Python for them."""

import ctypes
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

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


@contextmanager
def interrupts_kept() -> Iterator[Callable[[], None]]:
    """Until the end an interrupt is only noted; what comes out hands on what was noted, and so does the end.

    Else one could get lost: Python looks for signals as soon as a function begins that compiled code calls, before that can catch anything,
    and the draw would be 0.
    """
    noted: list[tuple[int, FrameType | None]] = []
    handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
    if threading.current_thread() is threading.main_thread():  # no other is interrupted
        for number in (int(signal.SIGINT), int(signal.SIGTERM)):
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler
                signal.signal(number, lambda number, frame: noted.append((number, frame)))

    def hand_on() -> None:
        while noted:
            number, frame = noted.pop(0)
            handlers[number](number, frame)

    try:
        yield hand_on
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        hand_on()
