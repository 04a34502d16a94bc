"""Conservation: every message that was sent ends in exactly one way. Checked on every run."""

import numpy as np

from edasim.journal import APPLIED, OUTCOMES, Journal


class ConservationError(RuntimeError):
    """A run in which a (change, consumer) did not end in exactly one outcome: a bug in the engine."""


def check_conservation(journal: Journal) -> None:
    """Every (committed change, consumer) of an option that sends ends in exactly one outcome, and the times agree with it.

    Raises ConservationError saying which rule was broken. Exact, on every run.
    """
    from edasim.compiled.accounts import broken_rules
    from edasim.compiled.sorting import whole

    deliveries, sends = journal.deliveries, np.array(journal.facts["sends"], dtype=np.bool_)
    outcome = np.ascontiguousarray(deliveries["outcome"]).view()
    outcome.setflags(write=False)
    change, consumer, applied, copies = (whole(deliveries[name]) for name in ("change", "consumer", "applied", "copies"))
    committed = whole(journal.changes["committed"])
    broken = broken_rules(change, consumer, applied, copies, outcome, committed, sends, APPLIED, len(OUTCOMES))
    for rule, is_broken in zip(RULES, broken.tolist(), strict=True):
        if is_broken:
            raise ConservationError(f"{journal.facts['option']}, replication {journal.facts['replication']}: {rule}")


RULES = (
    "a (change, consumer) is missing or there twice",
    "an outcome is none of those that exist",
    "applied without a time, or with one but not applied",
    "applied without a copy, or with one but not applied",
    "applied before it was committed",
)
