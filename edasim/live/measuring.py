"""Measure: one option of a scenario on a real broker, under the scenario's own workload and luck."""

import secrets
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from edasim.candidates import Candidate, candidate_named
from edasim.conservation import check_conservation
from edasim.errors import InputError
from edasim.journal import Journal
from edasim.live.course import Course, threads_needed
from edasim.live.limits import why_not
from edasim.live.private import start_private
from edasim.live.protocol import Down, Names, Private, Target, Technology, without_password
from edasim.live.technologies import technology, technology_of
from edasim.live.writing import journal_of, machine
from edasim.luck import Luck
from edasim.patterns import Pattern
from edasim.scenario import Scenario
from edasim.simpy_model.run import Run
from edasim.workload import make_workload


def measure(
    scenario: Scenario,
    option: Pattern | str,
    *,
    on: str | None = None,
    url: str | None = None,
    start: bool = False,
    seed: int | None = None,
) -> Journal:
    """The journal of one *option* (of the scenario, or a pattern) on a real broker: the one at *url*, or one that is started for it.

    *on*: the technology, by default the scenario's `broker.preset`. The changes, their sizes and the handling times are those of
    replication 0 of a simulation with the same seed. It takes as long as the scenario says. docs/measure.md says what is measured.

    Raises InputError for what can't be measured, and for a broker that can't be reached, before anything is started there.
    """
    candidate, name, offered = measurable(scenario, option, on=on, url=url, start=start)
    luck = Luck(scenario.seed if seed is None else seed, 0)
    run = Run(candidate.scenario, candidate.pattern, make_workload(candidate.scenario, luck), luck)
    with ThreadPoolExecutor(threads_needed(run)) as pool, _broker(name, candidate.scenario, url) as (where, private):
        target = Target(name, where, f"edasim-{secrets.token_hex(4)}-", candidate.pattern.truth)
        names = offered.names(target, candidate.scenario)
        with _made(names, target, private), tempfile.TemporaryDirectory(prefix="edasim-") as folder:
            measured = {"technology": name, "versions": dict(offered.versions(target)), "started": start, **machine()}
            happened = Course(run, offered, target, names, private, Path(folder)).happen(pool)
    journal = journal_of(run, candidate.name, happened, commits=offered.commits, measured=measured)
    check_conservation(journal)
    return journal


def measurable(
    scenario: Scenario, option: Pattern | str, *, on: str | None, url: str | None, start: bool
) -> tuple[Candidate, str, Technology]:
    """The option that is meant, and the technology, by name and itself; see `measure`. Raises InputError where it can't be measured."""
    candidate = candidate_named(scenario, option)
    name = technology_of(candidate.scenario, on)
    offered = technology(name)
    if start == (url is not None):
        raise InputError("say which broker: --url of one that runs or --start for one of its own, and not both")
    if reason := why_not(candidate.scenario, candidate.pattern, offered, private=start):
        raise InputError(f"option {candidate.name}: {reason}")
    return candidate, name, offered


@contextmanager
def _broker(name: str, scenario: Scenario, url: str | None) -> Iterator[tuple[str, Private | None]]:
    """Where the broker is; one of our own, too, where no *url* is given, which is ended whatever happens."""
    if url is not None:
        yield url, None
        return
    private = cast(Private, start_private(name, scenario))
    try:
        yield private.url, private
    finally:
        with _undisturbed():
            private.stop()


@contextmanager
def _made(names: Names, target: Target, private: Private | None) -> Iterator[None]:
    """The names are there, and gone afterwards, whatever happens, even if only some were made. With a broker of our own they go with it.

    Raises InputError where they can't be made.
    """
    try:
        _make(names, target)
        yield
    finally:
        if private is None:
            with _undisturbed():
                _remove(names, target)


def _make(names: Names, target: Target) -> None:
    try:
        with _undisturbed():
            names.make()
    except Down as error:
        raise InputError(f"--url {without_password(target.url)} can't be reached: {error}") from None


def _remove(names: Names, target: Target) -> None:
    try:
        names.remove()
    except Down as error:
        raise Down(f"{error}; what begins with {target.prefix} may be left at {without_password(target.url)}") from None


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Interrupts wait until this is done. A mask would not hold them: another thread would take the signal, and this one the exception."""
    if threading.current_thread() is not threading.main_thread():  # no other is interrupted
        yield
        return
    held: list[int] = []
    usual = {number: signal.signal(number, lambda number, _: held.append(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])
