"""A check in words, a line for each requirement; and as JUnit XML, a test for each requirement, for whatever shows tests."""

import re
from collections.abc import Iterator, Mapping
from math import isinf, isnan
from typing import Any
from xml.etree import ElementTree

from edasim.decision.checking import Check
from edasim.markdown import printable
from edasim.verdicts import SIGNS, Verdict, rows_of, with_whose

MEANS = {"met": "meets", "violated": "violates", "undecided": "may meet"}
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2: characters


def in_words(found: Check) -> str:
    """Each option's verdicts, how many more replications would decide what is undecided, and where within what is assumed each is met."""
    lines = []
    for option, outcome in found.outcomes.items():
        rows = list(_rows(found, option))
        met = sum(row.verdict in ("met", "does not apply") for row, _ in rows)
        lines += ["", f"{found.comparison.scenario.name}: {option} {MEANS[outcome]} what is required ({met} of {len(rows)} met)"]
        width = max(len(row.verdict) for row, _ in rows)
        lines += [f"  {SIGNS[row.verdict]} {row.verdict:<{width}}  {row.requirement}{_number(row)}{beside}" for row, beside in rows]
    lines += ["", found.first.replace("*", "").replace("`", "")] if found.first else []
    return "\n".join(map(printable, [*lines, "", _how_sure(found)])).strip("\n")


def _rows(found: Check, option: str) -> Iterator[tuple[Verdict, str]]:
    """The verdicts of an option, each with what else there is to say."""
    tried = found.within.set_index(["option", "requirement"]).to_dict("index")
    mine = found.verdicts[found.verdicts["option"] == option]
    for verdict, more in zip(rows_of(mine), mine["more"], strict=True):
        said = [_unseen(verdict), _decided_by(verdict, more), _within(tried.get((option, verdict.requirement)))]
        yield verdict, "".join(f"; {part}" for part in said if part)


def _number(found: Verdict) -> str:
    """What came out, and of which consumer or in which incident, where the requirement does not name it itself."""
    return "" if found.number == found.verdict else f": {with_whose(found)}"


def _decided_by(found: Verdict, more: float) -> str:
    if found.verdict != "undecided" or found.number == "not simulated":
        return ""
    if isnan(more):
        return "how many more replications would decide it is not known"
    if not isinf(more):
        return f"about {more:,.0f} more replications would decide it"
    return "none was seen, and no number of replications shows that there is none" if found.mean == 0 else "it is at its limit"


def _unseen(found: Verdict) -> str:
    """What the bound of something that was never seen takes for granted, where the verdict rests on it."""
    whole = found.unit == "share" and found.mean == 1 > found.low
    seen = "none was seen" if found.mean == 0 < found.high else "nothing else was seen" if whole else ""
    return f"{seen}; the bound holds for what comes one at a time, of bunches there may be as many" if seen else ""


def _within(tried: Mapping[Any, Any] | None) -> str:
    if tried is None:
        return ""
    if tried["within"] in ("everywhere", "nowhere"):
        return f"met {tried['within']} within what is assumed ({tried['points']} points)"
    open_ = f", undecided at {tried['undecided']}" if tried["undecided"] else ""
    return f"within what is assumed {tried['within']}: met at {tried['met']} of {tried['points']} points{open_}"


def _how_sure(found: Check) -> str:
    runs, confidence = found.comparison.replications, found.comparison.confidence
    each = f"of {100 * confidence:.4g} %: all looks together are right with 95 %" if confidence > 0.95 else "of 95 %"
    return f"{runs} replications of at most {found.budget}; ± is half of an interval {each}."


def as_junit(found: Check) -> str:
    """The check as JUnit XML: a violated requirement is a failure, an undecided one an error, as of a test that could not be completed."""
    suites = ElementTree.Element("testsuites")
    for option in found.outcomes:
        rows = list(_rows(found, option))
        words = [row.verdict for row, _ in rows]
        counts = {"failures": str(words.count("violated")), "errors": str(words.count("undecided"))}
        name = _clean(f"{found.comparison.scenario.name}: {option}")
        suite = ElementTree.SubElement(suites, "testsuite", {"name": name, "tests": str(len(rows)), **counts})
        for row, beside in rows:
            case = ElementTree.SubElement(suite, "testcase", {"classname": name, "name": _clean(row.requirement)})
            said = _clean(f"{row.verdict}{_number(row)}{beside}")
            if row.verdict in ("violated", "undecided"):
                kind = "failure" if row.verdict == "violated" else "error"
                ElementTree.SubElement(case, kind, {"type": row.verdict, "message": said}).text = said
            else:
                ElementTree.SubElement(case, "system-out").text = said
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)


def _clean(text: str) -> str:
    """A text without what XML can't hold at all; markup in it is escaped where it is written."""
    return _NO_XML.sub("?", text)
