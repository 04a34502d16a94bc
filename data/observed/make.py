"""Make the presets in this folder from the measurements beside it: what a broker and its client take, as `edasim observe` would say it.

    python data/observed/make.py            # write data/observed/*.yaml again
    edasim scenario new my-system.yaml --from own.yaml --from data/observed/rabbitmq.yaml

Transit and handover of RabbitMQ and Redis streams are those of the two half-loaded runs with one consumer (5 ms and 20 ms of work); what a
load takes is the fit of edasim/stores.py to every other size. The others are what `edasim observe` says of a run in data/measurements/runs.
docs/validation.md says how far off they are for other runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edasim.distributions import read_table
from edasim.observe import Observations, Observed, ObservedFile, observe
from edasim.observe.journals import journal_at
from edasim.observe.paths import BASE, DELIVER, HANDOVER, PER_EVENT, PUBLISH
from edasim.observe.sizes import observed_spread, spread_of
from edasim.store_fits import measured_rows
from edasim.stores import PRESETS
from edasim.validation.reality.handover import fitted
from edasim.validation.reality.waiting import FITTED_ON, recordings

HERE = Path(__file__).parent
MEASURED = HERE.parent / "measurements"
MACHINE = "Debian 12 in a virtual machine, AMD EPYC, 2 shared cores, loopback, 2026-11-23"
SESSIONS = {"rabbitmq": ("rabbit", "rabbitS20"), "redis-streams": ("redis", "redisS20")}
STORES = {"redis-streams": "redis-streams", "postgresql": "postgres", "sqlite": "sqlite"}  # by preset of edasim/stores.py
VERSIONS = {"rabbitmq": "RabbitMQ 3.10.8, pika 1.4", "redis-streams": "Redis 7.0.15, redis 8.1 with hiredis", "postgresql": "PostgreSQL 15.18", "sqlite": "SQLite 3.40.1"}  # fmt: skip # noqa: E501
RUNS = {"kafka": "kafka-half", "redis-pubsub": "redis-pubsub-half", "postgresql-outbox": "postgres-half", "postgresql-events": "postgres-events-half"}  # fmt: skip # noqa: E501
STARTED = {"rabbitmq": "rabbit", "redis-streams": "redis", "postgresql": "postgres"}


def documents() -> dict[str, Observations]:
    """Each preset by its name."""
    return {name: _document(name) for name in VERSIONS} | {name: _of_run(MEASURED / "runs" / run) for name, run in RUNS.items()}


def _of_run(folder: Path) -> Observations:
    """What a measured run tells, and where it was measured."""
    found, said = observe([folder]), journal_at(folder).facts["measured"]
    versions = ", ".join(f"{name} {version}" for name, version in said["versions"].items())
    about = f"{versions}; {said['cpu']}, {said['cores']} cores, {said['os']}, loopback, {said['date'][:10]}"
    inputs = tuple(observed.model_copy(update={"source": f"{observed.source} ({about})"}) for observed in found.inputs)
    return found.model_copy(update={"inputs": inputs, "not_found": ()})


def _document(name: str) -> Observations:
    inputs = (*_transit(name), *_loads(name))
    rows = max(observed.seen for observed in inputs)
    files = tuple(ObservedFile(name=file, form="measurements of edasim's own", rows=rows) for file in _files(name))
    return Observations(files=files, inputs=inputs, notes=(f"{VERSIONS[name]}; {MACHINE}", *_starts(name)))


def _files(name: str) -> Iterator[str]:
    yield from (f"m1_trace_{session}_{FITTED_ON}.csv.gz" for session in SESSIONS.get(name, ()))
    yield from (preset.file for preset in PRESETS if preset.key == "load" and preset.store == STORES.get(name))


def _transit(name: str) -> Iterator[Observed]:
    """From sent to the beginning of handling, and from one end to the next beginning, where they were measured."""
    runs = [run for run in recordings(MEASURED) if run.session in SESSIONS.get(name, ()) and run.name == FITTED_ON]
    if not runs:
        return
    fits = [fitted(run.stamps) for run in runs]
    about = f"{', '.join(run.file.name for run in runs)} ({VERSIONS[name]}; {MACHINE})"
    transit, handover = (np.concatenate([getattr(fit, what) for fit in fits]) for what in ("transit", "handover"))
    yield Observed(path=PUBLISH, value=0, unit="s", source=f"{about}: in network.latency.deliver", seen=transit.size)
    yield observed_spread(DELIVER, spread_of(transit), "s", f"{about}: from sent to the beginning of handling, met an idle consumer")
    yield observed_spread(HANDOVER, spread_of(handover), "s", f"{about}: from the end of one message to the beginning of the next")


def _loads(name: str) -> Iterator[Observed]:
    """What loading an entity from its events takes."""
    for preset in PRESETS:
        if preset.key == "load" and preset.store == STORES.get(name):
            about = f"{preset.file}: {preset.rows} ({VERSIONS[name]}; {MACHINE}); every other size, as event_store.load.preset has it"
            seen = int(measured_rows(MEASURED / preset.file, preset.rows)["reps"].sum())
            for path, value in ((BASE, preset.values["base"]), (PER_EVENT, preset.values["per_event"])):
                yield Observed(path=path, value=value, unit="s", source=about, seen=seen)


def _starts(name: str) -> Iterator[str]:
    """How long the server takes to start: the least that its restart takes."""
    table = read_table(str(MEASURED / "startup.csv"))
    took = table[table["broker"] == STARTED.get(name)]["start_s"]
    if len(took):
        yield f"the server started in {took.min():.3g} to {took.max():.3g} s ({len(took)} times): the least that a restart takes"


def main() -> None:
    """Write them."""
    for name, found in documents().items():
        (HERE / f"{name}.yaml").write_text(found.as_yaml(), encoding="utf-8")


if __name__ == "__main__":
    main()
