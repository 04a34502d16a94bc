"""Real brokers beside what was predicted for them: misses with their reasons, all predictions, and whether what was kept is still true."""

from collections.abc import Sequence
from math import isclose

import pandas as pd

from edasim.estimates import short
from edasim.findings import Finding
from edasim.provenance import version
from edasim.store_fits import signed_percent
from edasim.validation import Verdict
from edasim.validation.kept import Kept
from edasim.validation.reality import Prediction, errors_by_metric
from edasim.validation.reality.prediction import NO_CLAIM, OUTSIDE
from edasim.validation.summary import reality_in_words

SAME = 1e-6  # relative: what is kept has ten digits


def predictions_table(predictions: Sequence[Prediction]) -> pd.DataFrame:
    """Every prediction: for what, fitted on what, measured, predicted, how far off, how close is credible, the verdict."""
    rows = [
        (
            f"{found.broker}: {found.metric}",
            found.case,
            found.fitted_on,
            _amount(found.measured, found.unit),
            _amount(found.predicted, found.unit),
            _error(found),
            found.credible,
            found.verdict,
        )
        for found in predictions
    ]
    columns = ["what", "case", "fitted on", "measured", "predicted", "error", "credible", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def misses_table(predictions: Sequence[Prediction]) -> pd.DataFrame:
    """Each miss, by the number that it has in the figure, with what explains it."""
    missed = [found for found in predictions if found.verdict == OUTSIDE]
    table = predictions_table(missed)[["what", "case", "measured", "predicted", "error", "credible"]]
    table.insert(0, "miss", [str(number) for number in range(1, len(missed) + 1)])
    return table.assign(why=[found.explanation for found in missed])


def unclaimed_table(predictions: Sequence[Prediction]) -> pd.DataFrame:
    """What was predicted beyond what the measurements can carry, and why nothing is claimed of it."""
    left_out = [found for found in predictions if found.verdict == NO_CLAIM]
    table = predictions_table(left_out)[["what", "case", "measured", "predicted", "error"]]
    return table.assign(why=[found.explanation for found in left_out])


def _amount(value: float, unit: str) -> str:
    return short(value, unit) if unit in ("s", "bytes", "share") else f"{value:.4g}"


def _error(found: Prediction) -> str:
    return signed_percent(found.error) if found.measured else f"{found.predicted:+.3g}" if found.predicted else "0"


def how_well_brokers_are_predicted(predictions: Sequence[Prediction]) -> Finding:
    """How many predictions are as close as is credible, and where the median error is largest."""
    errors = errors_by_metric(predictions)
    worst = errors.sort_values("median_error").iloc[-1]
    near = int((errors["within"] == errors["predicted"]).sum())
    said = reality_in_words(predictions).partition(": ")[2]
    return Finding(
        f"**{said}.** By broker and metric {near} of {len(errors)} are so in every case; furthest off by its median is "
        f"*{worst['metric']}* of {worst['broker']}: {signed_percent(float(worst['median_error'])).lstrip('+')}."
    )


def what_was_kept(kept: Kept, judged: Sequence[Verdict], predicted: Sequence[Prediction]) -> Finding:
    """When everything was simulated and by which code, and what comes out otherwise when it is simulated again now."""
    verdicts, known = {found.row: found for found in kept.verdicts}, {_place(found): found for found in kept.predictions}
    rows = [found.row for found in judged if found.row not in verdicts or not _agree(verdicts[found.row].simulated, found.simulated)]
    cases = [
        _place(found) for found in predicted if _place(found) not in known or not _agree(known[_place(found)].predicted, found.predicted)
    ]
    said = [f"Everything was simulated on {kept.made['date']}"]
    same = kept.made["code"] == version()["code"]
    said.append(", by this very code." if same else "; the code has changed since.")
    again = f"{len(judged)} rows and {len(predicted)} predictions were simulated again just now"
    if rows or cases:
        differ = ", ".join([*rows, *(" / ".join(case) for case in cases)])
        said.append(
            f" **{again}, and {len(rows) + len(cases)} of them come out otherwise: {differ}.** `edasim validate --all` makes all anew."
        )
    else:
        said.append(f" {again}: each comes out as it was kept.")
    return Finding("".join(said))


def how_much_was_fuzzed(kept: Kept) -> Finding:
    """How many random inputs were tried, when."""
    if kept.fuzzed is None:
        return Finding("How many inputs were fuzzed was not written down here.")
    return Finding(f"**{kept.fuzzed['inputs']:,} inputs** were fuzzed on {kept.fuzzed['date']}; each ended in a result or in one line.")


def _place(found: Prediction) -> tuple[str, str, str]:
    return found.broker, found.metric, found.case


def _agree(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=SAME, abs_tol=1e-12) or (one != one and other != other)
