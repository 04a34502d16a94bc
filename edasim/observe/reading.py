"""What one file tells, before several are joined into one document."""

from typing import NamedTuple

from edasim.observe.document import Observed, ObservedFile, ObservedIncidents


class Read(NamedTuple):
    """The *file*, the inputs and incidents that it tells, what it should have told and did not, and what else was seen.

    *hints* are inputs that count only where no other file tells them: writes and answers of an access log are not changes and rows.
    """

    file: ObservedFile
    inputs: tuple[Observed, ...] = ()
    incidents: tuple[ObservedIncidents, ...] = ()
    not_found: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hints: tuple[Observed, ...] = ()
