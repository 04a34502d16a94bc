"""All of validation in a few lines: rows of theory that agree, how far predictions of real brokers are off, inputs that were fuzzed."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from edasim.store_fits import signed_percent
from edasim.validation.cases import Verdict
from edasim.validation.reality import Prediction, errors_by_metric
from edasim.validation.reality.prediction import NO_CLAIM, OUTSIDE, WITHIN


def in_words(verdicts: Sequence[Verdict], predictions: Sequence[Prediction], fuzzed: Mapping[str, Any] | None) -> str:
    """What `edasim validate --all` prints."""
    return "\n".join(
        [theory_in_words(verdicts), "", reality_in_words(predictions), "", *error_lines(predictions), "", fuzzed_in_words(fuzzed)]
    )


def theory_in_words(verdicts: Sequence[Verdict]) -> str:
    """How many rows agree, and which do not."""
    judged = [found for found in verdicts if found.verdict != "out of scope"]
    others = [f"{found.row} {found.verdict}" for found in judged if found.verdict != "agrees"]
    said = f"theory: {len(judged) - len(others)} of {len(judged)} rows agree"
    left_out = len(verdicts) - len(judged)
    return said + (f"; not {', '.join(others)}" if others else "") + (f"; {left_out} are out of scope" if left_out else "")


def reality_in_words(predictions: Sequence[Prediction]) -> str:
    """How many predictions are as close as is credible, how many are not, and whether something is said of each of those."""
    count = {verdict: sum(found.verdict == verdict for found in predictions) for verdict in (WITHIN, OUTSIDE, NO_CLAIM)}
    unexplained = len(unexplained_in(predictions))
    explained = "beside each stands what was found out about it" if not unexplained else f"of {unexplained} of them nothing was found out"
    return (
        f"real brokers and stores: {count[WITHIN]} of {count[WITHIN] + count[OUTSIDE]} predictions are as close as is credible, "
        f"{count[OUTSIDE]} are not ({explained}); nothing is claimed of {count[NO_CLAIM]} more"
    )


def unexplained_in(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Those that are outside of what is credible, and nobody says why."""
    return [found for found in predictions if found.verdict == OUTSIDE and not found.explanation]


def error_table(predictions: Sequence[Prediction]) -> pd.DataFrame:
    """Prediction error by broker and metric, for people."""
    found = errors_by_metric(predictions)
    percents = {name: [f"{share:.3g}" for share in 100 * found[name]] for name in ("median_error", "worst_error")}
    return pd.DataFrame(
        {
            "broker": found["broker"],
            "what": found["metric"],
            "predicted": found["predicted"],
            "as close as is credible": found["within"],
            "median error, %": percents["median_error"],
            "worst error, %": percents["worst_error"],
        }
    )


def error_lines(predictions: Sequence[Prediction]) -> list[str]:
    """The same as lines of text."""
    lines = [f"{'broker':<23} {'what':<36} {'within':>7}   {'median error':>12}  {'worst':>7}"]
    for row in errors_by_metric(predictions).itertuples():
        median, worst = (signed_percent(share).lstrip("+") for share in (row.median_error, row.worst_error))  # type: ignore[arg-type]
        lines.append(f"{row.broker:<23} {row.metric:<36} {f'{row.within}/{row.predicted}':>7}   {median:>12}  {worst:>7}")
    return lines


def fuzzed_table(fuzzed: Mapping[str, Any] | None) -> pd.DataFrame:
    """How many inputs of each kind were fuzzed; no row where nobody wrote it down."""
    kinds = {} if fuzzed is None else fuzzed.get("by kind", {})
    return pd.DataFrame({"inputs": list(kinds), "how many": [f"{count:,}" for count in kinds.values()]})


def fuzzed_in_words(fuzzed: Mapping[str, Any] | None) -> str:
    """How many inputs were fuzzed, when and of which kinds."""
    if fuzzed is None:
        return "abuse: how many inputs were fuzzed was not written down here"
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in fuzzed.get("by kind", {}).items())
    return f"abuse: {fuzzed['inputs']:,} inputs were fuzzed on {fuzzed['date']}" + (f" ({kinds})" if kinds else "")
