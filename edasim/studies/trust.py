"""Does the simulation deserve to be believed? Rows of theory, simulated, and how far off they are, in words."""

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from edasim.findings import Finding, listed
from edasim.validation import LIMIT, Case, Verdict
from edasim.validation.judging import BOUND

OUT_OF_SCOPE = "out of scope"


def in_standard_errors(found: Verdict) -> float:
    """How far the simulated number is off, in its own standard errors; NaN where nothing is random or nothing was simulated."""
    spread = (found.high - found.low) / (2 * LIMIT)
    return (found.simulated - found.expected) / spread if spread > 1e-12 * max(abs(found.simulated), 1.0) else math.nan


def theory_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Each row simulated: what theory says, what came out, how far that is off, and the verdict."""
    rows = [(found.row, found.quantity, f"{found.expected:.5g}", *_simulated(found), _verdict(found)) for found in verdicts]
    return pd.DataFrame(rows, columns=["row", "what", "by theory", "simulated", "off by, in standard errors", "verdict"])


def _verdict(found: Verdict) -> str:
    return f"{found.verdict}: {found.note}" if found.note == BOUND else found.verdict


def _simulated(found: Verdict) -> tuple[str, str]:
    """What came out and how far off that is; dashes where nothing was simulated."""
    return ("-", "-") if found.verdict == OUT_OF_SCOPE else (f"{found.simulated:.5g}", _off(found))


def _off(found: Verdict) -> str:
    off = in_standard_errors(found)
    return "nothing random" if math.isnan(off) else f"{off:+.2f}"


def how_well_theory_is_met(verdicts: Sequence[Verdict], rows: Iterable[Case | Verdict]) -> Finding:
    """How many of the rows that were simulated agree, which do not, and how many more there are, with the command that simulates them."""
    verdicts = [found for found in verdicts if found.verdict != OUT_OF_SCOPE]
    agree = sum(found.verdict == "agrees" for found in verdicts)
    others = [found.row for found in verdicts if found.verdict != "agrees"]
    off = [abs(in_standard_errors(found)) for found in verdicts if found.note != BOUND and not math.isnan(in_standard_errors(found))]
    known = [row for row in rows if isinstance(row, Case)]
    said = [f"**{agree} of {len(verdicts)} rows agree with theory**{f'; not {listed(others)}' if others else ''}."]
    if off:
        said.append(f"The furthest is {max(off):.3g} standard errors off; where all is right, about one in three is off by more than one.")
    families = {row.row.split("-")[0] for row in known}
    said.append(f"There are {len(known)} rows in {len(families)} families; `edasim validate` simulates all of them.")
    return Finding(" ".join(said))
