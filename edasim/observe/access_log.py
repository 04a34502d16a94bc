"""Access logs of a web server, in the common or the combined format: who reads, who writes, how large answers are.

    203.0.113.7 - - [10/Oct/2025:13:55:36 +0000] "GET /orders/17 HTTP/1.1" 200 2326 "-" "curl/8"

GET and HEAD are reads, POST, PUT, PATCH and DELETE are writes; what was answered with 4xx or 5xx counts as a read, because it was asked,
and not as a write, because nothing changed. Addresses and paths are not kept.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edasim.errors import InputError
from edasim.observe.arrivals import arrivals_of, observed_arrivals
from edasim.observe.document import Observed, ObservedFile, Read, written
from edasim.observe.paths import READS, STATE
from edasim.observe.rates import rate_of
from edasim.observe.sizes import observed_spread, spread_of
from edasim.observe.texts import name_of, opened
from edasim.units import LARGEST_BYTES

LINE = re.compile(r'\S+ \S+ .*?\[([^\]]+)\] "([A-Z]+) [^"]*" (\d{3}) (\d+|-)')
READING, WRITING = ("GET", "HEAD"), ("POST", "PUT", "PATCH", "DELETE")
TIME = "%d/%b/%Y:%H:%M:%S %z"
MOST_UNREADABLE = 0.05  # share of the lines; with more it is no access log

Requests = tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.int64], NDArray[np.float64]]


def is_access_log(line: str) -> bool:
    """Whether this is a line of an access log.

    >>> is_access_log('::1 - - [10/Oct/2025:13:55:36 +0000] "GET / HTTP/1.1" 200 23'), is_access_log("time,key")
    (True, False)
    """
    return LINE.match(line) is not None


def access_log_of(path: Path) -> Read:
    """What an access log tells. Raises InputError where more than one line in twenty is none of an access log."""
    found = [_request(line) for line in _lines(path)]
    requests = sorted(request for request in found if request)
    unreadable = len(found) - len(requests)
    if unreadable > max(1, MOST_UNREADABLE * len(found)):
        raise InputError(f"{name_of(path)}: {unreadable:,} of {len(found):,} lines are none of an access log")
    times = _within_seconds(np.array([request[0] for request in requests]))
    methods, status = np.array([request[1] for request in requests]), np.array([request[2] for request in requests])
    sizes = np.array([request[3] for request in requests], dtype=np.float64)
    if (sizes > LARGEST_BYTES).any():
        raise InputError(f"{name_of(path)}: an answer of more than {LARGEST_BYTES:g} bytes can't be: no server has so many")
    reads, writes = np.isin(methods, READING), np.isin(methods, WRITING) & (status < 400)
    name = name_of(path)
    hints = list(_writes(times[writes], name))
    answered = reads & (methods == "GET") & (status == 200) & (sizes > 0)
    if answered.any():
        said = f"{name}: a hint only: bytes of {int(answered.sum()):,} answers to GET, which may be lists or pages and not one entity"
        hints.append(observed_spread(STATE, spread_of(sizes[answered]), "bytes", said))
    notes = (f"{unreadable:,} lines that can't be read left out",) if unreadable else ()
    return Read(
        ObservedFile(name=name, form="access log", rows=len(requests), notes=notes), tuple(_reads(times[reads], name)), hints=tuple(hints)
    )


def _lines(path: Path) -> Iterator[str]:
    with opened(path) as file:
        yield from (line for line in file if line.strip())


def _request(line: str) -> tuple[float, str, int, float] | None:
    """Time, method, status and bytes of a request; None where the line is none."""
    match = LINE.match(line)
    if match is None:
        return None
    try:
        time = datetime.strptime(match[1], TIME).timestamp()
    except ValueError:
        return None
    return time, match[2], int(match[3]), 0.0 if match[4] == "-" else float(match[4])


def _within_seconds(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stamps of whole seconds spread evenly within them: they would look like groups that arrive together."""
    _, first, shared = np.unique(times, return_index=True, return_counts=True)
    return times + (np.arange(times.size) - np.repeat(first, shared)) / np.repeat(shared, shared)


def _reads(times: NDArray[np.float64], name: str) -> Iterator[Observed]:
    if times.size >= 2 and times[-1] > times[0]:
        rate = rate_of(times)
        said = f"{name}: {times.size:,} reads (GET, HEAD); divide where more than one consumer reads through this server"
        low, high = written(rate.low, "1/s"), written(rate.high, "1/s")
        yield Observed(path=READS, value=written(rate.value, "1/s"), low=low, high=high, unit="1/s", source=said, seen=rate.seen)


def _writes(times: NDArray[np.float64], name: str) -> Iterator[Observed]:
    found = arrivals_of(times)
    if found is not None:
        said = f"{name}: {times.size:,} writes (POST, PUT, PATCH, DELETE) that were not refused, each taken for one change"
        yield from observed_arrivals(found, said)
