"""Own inputs: what a team's files tell of its workload, its handling times and its incidents, with intervals.

An example: `observe(["changes.csv", "incidents.csv"], watched="2025-01-01/2025-12-31")` finds the rate of changes, how many entities
there are, how large they are, and how often the broker is down; and it says what it did not find. `docs/observe.md` has the forms.
"""

from edasim.observe.document import Observations, Observed, ObservedFile, ObservedIncidents
from edasim.observe.joining import in_words, observe

__all__ = ["Observations", "Observed", "ObservedFile", "ObservedIncidents", "in_words", "observe"]
