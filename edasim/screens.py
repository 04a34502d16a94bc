"""The tables of a notebook: inputs, options, differences; all as text, with no more digits than the interval carries."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import pandas as pd

from edasim.candidates import Candidate
from edasim.estimates import Estimate, column, estimates, short
from edasim.metrics.storage import COPIES
from edasim.ranges import value_at
from edasim.scenario import Scenario, TraceArrivals
from edasim.summary import ABSENT, SCREEN
from edasim.units import seconds

if TYPE_CHECKING:
    from great_tables import GT
    from IPython.display import HTML

MOST_INPUTS = 8
NAME = 30  # letters of a name that stays on one line
USUAL_INPUTS = (
    "workload.arrivals",
    "workload.entities.count",
    "workload.reads",
    "workload.state_bytes",
    "broker.kind",
    "broker.outages",
    "source.outages",
    "source.producer.retries",
)


def inputs_table(scenario: Scenario) -> pd.DataFrame:
    """The inputs that matter most, at most eight: those the scenario calls assumptions, each with its value, and how sure it is."""
    said = {assumption.path: assumption for assumption in scenario.assumptions}
    arrivals = scenario.workload.arrivals
    keyed = isinstance(arrivals, TraceArrivals) and arrivals.columns.entity is not None  # brings its own entities
    usual = [path for path in USUAL_INPUTS if not (keyed and path.startswith("workload.entities"))]
    paths = [*said, *(path for path in usual if not any(known.startswith(path) or path.startswith(known) for known in said))]
    rows = []
    for path in paths[:MOST_INPUTS]:
        assumption = said.get(path)
        between = "" if assumption is None or assumption.range is None else " to ".join(map(str, assumption.range))
        why = ("not said", "") if assumption is None else (assumption.basis, assumption.source)
        rows.append((path, value_at_path(scenario, path), between, *why))
    table = pd.DataFrame(rows, columns=["input", "value here", "may lie in", "basis", "source"])
    return table.loc[:, (table != "").any()]


def value_at_path(scenario: Scenario, path: str) -> str:
    """The value at a dotted *path*, for people.

    >>> value_at_path(Scenario(), "consumers.consumer.handle_time"), value_at_path(Scenario(), "broker.outages")
    ('exponential, mean 10ms', 'none')
    >>> deploy = {"windows": [[60, 80]], "rolling": True}
    >>> value_at_path(Scenario(consumers=[{"name": "billing", "outages": deploy}]), "consumers.billing.outages")
    '20 s at 1 min, on restart redo, rolling'
    """
    return shorten(_value_in_words(value_at(scenario, path)), 70, placeholder=" ...")


def _value_in_words(value: Any) -> str:
    if isinstance(value, dict):
        if value.get("file"):
            return f"{value.get('process', 'file')} {Path(value['file']).name}"
        return ", ".join(_part_in_words(key, item) for key, item in value.items() if item is not None and item is not False)
    if isinstance(value, list) and value and isinstance(value[0], list):
        spans = [[seconds(moment) for moment in pair] for pair in value]
        return "; ".join(f"{short(end - start, 's')} at {short(start, 's')}" for start, end in spans)
    return "none" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _part_in_words(key: str, item: Any) -> str:
    if key in ("dist", "process", "windows"):
        return _value_in_words(item)
    name = key.replace("_", " ")
    return name if item is True else f"{name} {_value_in_words(item)}"


def options_table(candidates: Iterable[Candidate]) -> pd.DataFrame:
    """Each option's answers to the three questions, and what it changes in the scenario."""
    rows = []
    for candidate in candidates:
        pattern = candidate.pattern
        own = next((option.set for option in candidate.scenario.options if option.name == candidate.name), {})
        changed = "; ".join(f"{path}: {value}" for path, value in own.items())
        rows.append((candidate.name, pattern.truth, pattern.carries, pattern.reads.replace("_", " "), pattern.name, changed))
    columns = ["option", "truth is kept in", "an event carries", "a read is answered by", "pattern", "changes in the scenario"]
    table = pd.DataFrame(rows, columns=columns)
    named = (table["pattern"] != table["option"]).any()
    return table if named else table.drop(columns=["pattern", "changes in the scenario"])


def copies_table(results: pd.DataFrame) -> pd.DataFrame:
    """The bytes of each consumer's copy at the end, a column a consumer, and how often all data is stored again; a row an option.

    Options that keep no copy are left out; a dash: this consumer keeps none. Each as mean ± half of its 95 % interval.
    """
    copies = results[(results["metric"] == "storage_bytes") & (results["consumer"] != "") & results["component"].isin(COPIES)]
    options = [option for option in dict.fromkeys(results["option"]) if option in set(copies["option"])]
    table = pd.DataFrame(index=pd.Index(options, name="option"))
    for consumer, rows in copies.assign(component="").groupby("consumer", sort=False):
        table[f"copy of {consumer}"] = column(estimates(rows, "storage_bytes"), options)
    table["all copies for each byte of the truth"] = column(estimates(results, "duplication_factor"), options)
    return table


def differences_table(differences: pd.DataFrame) -> pd.DataFrame:
    """Option minus baseline, paired by replication, for the metrics of the one screen: of several consumers the worst change."""
    table = pd.DataFrame(index=pd.Index(list(dict.fromkeys(differences["option"])), name="option"))
    for metric, title in SCREEN.items():
        if found := estimates(differences, metric):
            table[title] = [difference_in_words(found[option]) if option in found else ABSENT for option in table.index]
    return table


def difference_in_words(found: Estimate) -> str:
    """A difference with its sign; shares differ by percentage points, and one whose interval contains zero is unclear.

    >>> difference_in_words(Estimate(-0.02, -0.03, -0.01, "share")), difference_in_words(Estimate(2.0, -1.0, 5.0, "s"))
    ('-2.0 ± 1.0 pp', '+2.0 ± 3.0 s (unclear)')
    """
    size = Estimate(-found.mean, -found.high, -found.low, found.unit) if found.mean < 0 else found
    sign = "+" if found.mean > 0 else "-" if found.mean < 0 else ""
    unclear = found.mean != 0 and found.low <= 0 <= found.high
    return sign + str(size).replace(" %", " pp") + (" (unclear)" if unclear else "")  # of shares: percentage points


def as_table(frame: pd.DataFrame, title: str, note: str = "") -> "GT":
    """*frame* as a table for a page: its first column (or a named index) names the rows; a wide one scrolls."""
    from great_tables import GT, loc, md, style

    frame = frame.reset_index() if frame.index.name else frame
    frame = unbroken(frame)
    table = GT(frame, rowname_col=str(frame.columns[0]), id="".join(filter(str.isalnum, title)))
    table = table.tab_header(title=title).tab_stubhead(label=str(frame.columns[0])).opt_align_table_header("left")
    table = table.cols_align("left")
    if frame.iloc[:, 0].str.len().max() <= NAME:
        table = table.tab_style(style.css("white-space: nowrap"), loc.stub())
    table = table.tab_options(table_font_size="13px", table_font_names="inherit", table_margin_left="0")
    return table.tab_source_note(md(note)) if note else table


def folded(frame: pd.DataFrame, title: str) -> "HTML":
    """The same, closed until somebody opens it: for a table that is longer than a page."""
    from IPython.display import HTML

    table = as_table(frame, f"{title}, {len(frame):,} rows").as_raw_html()
    return HTML(f"<details><summary>{escape(title)}: {len(frame):,} rows</summary>{table}</details>")  # type: ignore[no-untyped-call]


def unbroken(frame: pd.DataFrame) -> pd.DataFrame:
    """*frame* as text whose numbers break before their interval at most, never before their unit."""
    return frame.astype(str).replace(r"(?<=[\d<±]) (?![±(])", "\u00a0", regex=True)
