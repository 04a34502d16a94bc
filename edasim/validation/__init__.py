"""Does the model agree with theory? Published rows of numbers, each simulated through the public scenario interface.

Acceptance: at least 20 independent replications, |error| <= 3.5 standard errors, and the standard error at most a third of the
tolerance, so that a noisy test can't pass by being wide. Where nothing is random the error must be within the tolerance.
"""

from edasim.validation.cases import Case, Verdict
from edasim.validation.estimators import ESTIMATORS
from edasim.validation.judging import LIMIT, as_text, judge, validate
from edasim.validation.output_analysis import STATISTICS
from edasim.validation.quick import quick_rows
from edasim.validation.rows import read_oracles

__all__ = ["ESTIMATORS", "LIMIT", "STATISTICS", "Case", "Verdict", "as_text", "judge", "quick_rows", "read_oracles", "validate"]
