"""edasim: put your own workload through the event-driven patterns and see what is lost, how stale readers are, what it costs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edasim.candidates import Candidate, candidates_of
    from edasim.comparison import Comparison
    from edasim.conservation import ConservationError, check_conservation
    from edasim.errors import InputError
    from edasim.experiment import compare, paired_comparison, simulate
    from edasim.journal import Journal
    from edasim.luck import Luck
    from edasim.metrics import Value, measure
    from edasim.patterns import PRESETS, Pattern, pattern_of
    from edasim.scenario import Option, Scenario
    from edasim.statistics import Interval, interval
    from edasim.streaming import stream
    from edasim.summary import in_words, one_screen, worst_consumer
    from edasim.sweeps import sweep
    from edasim.workload import Workload, make_workload

# Imported when first asked for: the command line must be able to say that it was interrupted while all of it is still being imported.
_MODULES = {
    "candidates": ("Candidate", "candidates_of"),
    "comparison": ("Comparison",),
    "conservation": ("ConservationError", "check_conservation"),
    "errors": ("InputError",),
    "experiment": ("compare", "paired_comparison", "simulate"),
    "journal": ("Journal",),
    "luck": ("Luck",),
    "metrics": ("Value", "measure"),
    "patterns": ("PRESETS", "Pattern", "pattern_of"),
    "scenario": ("Option", "Scenario"),
    "statistics": ("Interval", "interval"),
    "streaming": ("stream",),
    "summary": ("in_words", "one_screen", "worst_consumer"),
    "sweeps": ("sweep",),
    "workload": ("Workload", "make_workload"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

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
    "stream",
    "sweep",
    "worst_consumer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module edasim has no attribute {name}")
    return getattr(import_module(f"edasim.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
