"""Runs: every option in every replication, in parallel and in order; what was finished once is not done again.

The unit of work is one replication of one option. The options of a replication have the same luck, which each process draws for itself:
processes share nothing, so any of them, on this machine or on a cluster, can do any, and the results are the same whoever does. What
a process has drawn it keeps for the next option of the same replication, which is usually what it does next.
"""

import gc
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from platform import node
from signal import SIG_BLOCK, SIG_SETMASK, SIGINT, pthread_sigmask
from time import process_time
from typing import Generic, TypeVar, cast
from warnings import catch_warnings, simplefilter, warn

from joblib import Parallel, delayed, effective_n_jobs
from tqdm import tqdm

from edasim import fast_path, simpy_model
from edasim.candidates import Candidate
from edasim.conservation import check_conservation
from edasim.drawn import luck_of, workload_of
from edasim.errors import InputError
from edasim.heap import give_back, keep_freed_memory
from edasim.journal import Journal
from edasim.luck import Luck
from edasim.provenance import version
from edasim.results_cache import CacheWarning, ResultsCache, usual_cache
from edasim.workload import Workload

REPLICATIONS = 10
LONG = 0.5  # seconds of work: what shorter tasks leave behind is little, and looking for it would take longer than they do
SLICE = 160  # runs a process that are under way at most: what is finished is handed on before more is begun
SHARES = 4  # parts a process of what is left, of which the next is handed out: large ones first, so that all end at about the same time

Found = TypeVar("Found")
Act = Callable[[Candidate, Luck], Found]


def journal_of(candidate: Candidate, luck: Luck, workload: Workload | None = None) -> Journal:
    """One run of an option, under its scenario's *workload* if no other is given.

    Raises ConservationError where a message has more or less than one outcome.
    """
    keep_freed_memory()
    workload = workload_of(candidate.scenario, luck) if workload is None else workload
    simulate_run = fast_path.simulate_run if candidate.made_by == "fast" else simpy_model.simulate_run
    journal = simulate_run(candidate.scenario, candidate.pattern, workload, luck, candidate.name)
    check_conservation(journal)
    return journal


def look_at(candidate: Candidate, luck: Luck, look: Callable[[Journal], Found]) -> Found:
    """What *look* returns for the journal of one run."""
    return look(journal_of(candidate, luck))


def over_replications(
    candidates: Sequence[Candidate],
    look: Callable[[Journal], Found],
    *,
    seed: int,
    replications: int = REPLICATIONS,
    jobs: int = -1,
    progress: bool = False,
) -> dict[str, list[Found]]:
    """What *look* returns for the journal of every option in every replication: by option, a list by replication.

    All options of a replication share its luck, and no journal is kept. *look* goes to other processes, so it must be a function
    of a module, or a `functools.partial` of one. Runs are spread over *jobs* processes (-1: one a core).

    >>> from edasim import Scenario, candidates_of, measure
    >>> candidates = candidates_of(Scenario(duration=10, warmup=0), ["polling", "cqrs"])
    >>> over_replications(candidates, measure, seed=1, replications=2, jobs=1).keys()
    dict_keys(['polling', 'cqrs'])

    Raises InputError for numbers of replications or jobs that are not possible.
    """
    checked(replications, jobs)
    act: Act[Found] = partial(look_at, look=look)
    return next(at_points([candidates], act, seed=seed, replications=range(replications), jobs=jobs, progress=progress))


def checked(replications: int, jobs: int) -> int:
    """The number of *replications*. Raises InputError where it, or that of *jobs*, is not possible."""
    if replications < 1:
        raise InputError(f"replications: {replications} is not allowed: must be at least 1")
    if jobs == 0 or jobs < -1:
        raise InputError(f"jobs: {jobs} is not allowed: must be at least 1, or -1 for one a core")
    return replications


def at_points(
    points: Iterable[Sequence[Candidate]],
    act: Act[Found],
    *,
    seed: int | None,
    replications: Sequence[int],
    jobs: int = -1,
    progress: bool = False,
    total: int = 1,
) -> Iterator[dict[str, list[Found]]]:
    """For each of *points*, the options that are compared there, what *act* makes of each in these *replications*, in the points' order.

    As `over_replications`, but *act* is given an option and the luck of a replication, and simulates what it needs. Without a *seed*
    each point has that of its scenario. However many points there are (*total*, for the time left), only some are in memory at any
    time. Where *act* returns metrics they are kept in the cache and not made again.
    """
    checked(len(replications), jobs)
    under_way: deque[Sequence[Candidate]] = deque()

    def begun() -> Iterator[Task[Found]]:
        for candidates in points:
            if not candidates:
                raise InputError("options: there is none to simulate")
            under_way.append(candidates)
            luck = candidates[0].scenario.seed if seed is None else seed
            yield from (Task(candidate, act, luck, number) for number in replications for candidate in candidates)

    with tqdm(total=total * len(replications), desc="replications", leave=False, disable=not progress) as bar:
        found: list[Found] = []
        for of_task in in_order(begun(), jobs):
            found.append(of_task)
            options = len(under_way[0])
            if len(found) % options == 0:
                bar.update()
            if len(found) == options * len(replications):
                yield {candidate.name: found[place::options] for place, candidate in enumerate(under_way.popleft())}
                found = []


@dataclass(frozen=True)
class Task(Generic[Found]):
    """One replication of one option."""

    candidate: Candidate
    act: Act[Found]
    seed: int
    replication: int

    def key(self, cache: ResultsCache | None) -> str | None:
        """What the cache calls this; None where it does not keep such a thing."""
        return cache.key(self.candidate, self.act, self.seed, self.replication) if cache else None

    def kept(self, cache: ResultsCache | None, said: list[str]) -> Found | None:
        """What the cache holds, if it does; what was wrong with that is *said*."""
        key = self.key(cache)
        return cast(Found, cache.read(key, said)) if cache and key else None

    def done(self, cache: ResultsCache | None, asked_by: Mapping[str, object]) -> tuple[Found, list[str]]:
        """What comes out, made if the cache does not hold it, and what went wrong with keeping it.

        Raises InputError where this process runs another version than the one that asks.
        """
        if version() != asked_by:
            raise InputError(
                f"the worker on {node()} runs another version of edasim, or of what its numbers depend on: was it changed meanwhile?"
            )
        begun = process_time()
        said: list[str] = []
        found, key = self.kept(cache, said), self.key(cache)
        if found is None:
            found = self.act(self.candidate, luck_of(self.seed, self.replication))
            if cache and key:
                cache.write(key, found, said)
        if process_time() - begun > LONG:
            gc.collect()  # the components of a run refer to each other: without this a worker keeps several long runs in memory
            give_back()
        return found, said

    def keep(self, found: Found, cache: ResultsCache | None, said: list[str]) -> None:
        """Make sure that the cache holds what was *found*: a worker on another machine may have kept it in a folder of its own."""
        key = self.key(cache)
        if cache and key and not said and not cache.file(key).exists():
            cache.write(key, found, said)


def in_order(tasks: Iterable[Task[Found]], jobs: int) -> Iterator[Found]:
    """What came out of each of *tasks*, in their order. Slice by slice: memory stays bounded.

    What went wrong with the cache is a CacheWarning, once: results are right all the same.
    """
    cache, processes = usual_cache(), effective_n_jobs(jobs)
    tasks, heard = iter(tasks), set[str]()
    while batch := list(islice(tasks, SLICE * processes)):
        for found, said in _slice(batch, processes, cache):
            for complaint in dict.fromkeys(said):
                if complaint not in heard:
                    warn(complaint, CacheWarning, stacklevel=2)
            heard.update(said)
            yield found


def _slice(batch: list[Task[Found]], processes: int, cache: ResultsCache | None) -> Iterator[tuple[Found, list[str]]]:
    complaints: list[list[str]] = [[] for _ in batch]
    kept = [task.kept(cache, said) for task, said in zip(batch, complaints, strict=True)]
    made = _made([task for task, found in zip(batch, kept, strict=True) if found is None], processes, cache)
    for task, found, said in zip(batch, kept, complaints, strict=True):
        if found is None:
            found, more = next(made)
            said = said + more
            task.keep(found, cache, said)
        yield found, said


def _made(tasks: Sequence[Task[Found]], processes: int, cache: ResultsCache | None) -> Iterator[tuple[Found, list[str]]]:
    """What comes out of each of *tasks*, as soon as those before it are done, by whatever `joblib.parallel_config` says."""
    if not tasks:
        return
    if any(task.candidate.made_by == "fast" for task in tasks):
        fast_path.prepare()
    calls = (delayed(_done)(part, cache, version()) for part in parts(tasks, processes))
    workers = min(processes, len(tasks))
    try:
        parallel = Parallel(n_jobs=workers, return_as="generator", batch_size=1)
    except ValueError:  # this kind of workers (a Dask cluster) hands over a slice as a whole
        for of_part in Parallel(n_jobs=workers)(calls):
            yield from of_part
        return
    with ExitStack() as at_the_end:
        with interrupts_held_back():
            begun = parallel(calls)
            at_the_end.callback(_end, begun)
        for of_part in begun:
            yield from of_part


def parts(tasks: Sequence[Task[Found]], processes: int) -> Iterator[Sequence[Task[Found]]]:
    """*tasks* in their order, in parts that one process does: of one replication, so that it is drawn once, smaller towards the end."""
    done = 0
    while done < len(tasks):
        most = max(1, (len(tasks) - done) // (SHARES * processes))
        first = tasks[done]
        same = takewhile(lambda task: (task.seed, task.replication) == (first.seed, first.replication), tasks[done : done + most])  # noqa: B023
        part = list(same)
        yield part
        done += len(part)


def _done(part: Sequence[Task[Found]], cache: ResultsCache | None, asked_by: Mapping[str, object]) -> list[tuple[Found, list[str]]]:
    return [task.done(cache, asked_by) for task in part]


def _end(begun: Generator[object]) -> None:
    """End what was *begun*, done or not, without the advice that joblib has for those who stop before the end: they have their reason."""
    with catch_warnings():
        simplefilter("ignore", UserWarning)
        begun.close()


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Processes that are begun meanwhile never see an interrupt; this one sees it, where it has no other threads only afterwards.

    Ctrl-C reaches all processes of a terminal. The one that hands out the work ends its workers and says so in a line; a worker that was
    interrupted between two tasks would print where it was.
    """
    before = pthread_sigmask(SIG_BLOCK, {SIGINT})
    try:
        yield
    finally:
        pthread_sigmask(SIG_SETMASK, before)
