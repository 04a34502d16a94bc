"""edasim: put your own workload through the event-driven patterns and see what is lost, how stale readers are, what it costs."""

from edasim.candidates import Candidate, candidates_of
from edasim.comparison import Comparison
from edasim.errors import InputError
from edasim.experiment import compare, paired_comparison, simulate
from edasim.journal import ConservationError, Journal, check_conservation
from edasim.luck import Luck
from edasim.metrics import Value, measure
from edasim.patterns import PRESETS, Pattern, pattern_of
from edasim.scenario import Option, Scenario
from edasim.statistics import Interval, interval
from edasim.summary import in_words, one_screen, worst_consumer
from edasim.sweeps import sweep
from edasim.workload import Workload, make_workload

__all__ = [
    "PRESETS",
    "Candidate",
    "Comparison",
    "ConservationError",
    "InputError",
    "Interval",
    "Journal",
    "Luck",
    "Option",
    "Pattern",
    "Scenario",
    "Value",
    "Workload",
    "candidates_of",
    "check_conservation",
    "compare",
    "in_words",
    "interval",
    "make_workload",
    "measure",
    "one_screen",
    "paired_comparison",
    "pattern_of",
    "simulate",
    "sweep",
    "worst_consumer",
]
