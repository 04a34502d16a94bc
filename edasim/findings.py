"""Findings: sentences that are computed, so that they are right for whatever scenario a notebook is run with."""

from collections.abc import Mapping, Sequence
from math import sqrt

import pandas as pd

from edasim.candidates import Candidate
from edasim.estimates import Estimate, estimates, short
from edasim.journal import OUTCOMES, Journal
from edasim.markdown import code, plain
from edasim.metrics.delivery import in_window
from edasim.patterns import way_out
from edasim.scenario import Scenario
from edasim.summary import SCREEN, outside_incidents
from edasim.theory import lost_in_broker_outages


class Finding(str):
    """A sentence, or a few, in Markdown; a notebook shows it as such."""

    def _repr_markdown_(self) -> str:
        return str(self)


def what_differs(results: pd.DataFrame) -> Finding:
    """Who loses, is stale, grows and rebuilds most and least; with 95 % intervals."""
    metrics = {
        "Lost": "loss_rate",
        "Time stale": "stale_fraction",
        "Growth of storage": "storage_growth_bytes_per_day",
        "Time to rebuild": "rebuild_time",
    }
    return Finding("\n".join(f"* **{topic}**: {extremes(results, metric)}." for topic, metric in metrics.items()))


def extremes(results: pd.DataFrame, metric: str) -> str:
    """Who has most and who least of *metric*, whose intervals overlap theirs, and who none, of which kind that zero is."""
    found, options = estimates(results, metric), list(dict.fromkeys(results["option"]))
    parts = _ends({option: estimate for option, estimate in found.items() if estimate.mean != 0})
    if unseen := [option for option, estimate in found.items() if estimate.is_unseen]:
        parts.append(f"none seen with {listed(unseen)}: {max(found[option] for option in unseen)}")
    if zero := [option for option, estimate in found.items() if estimate.mean == 0 and not estimate.is_unseen]:
        parts.append(f"0 by nature with {listed(zero)}")
    if absent := [option for option in options if option not in found]:
        parts.append(f"does not apply to {listed(absent)}")
    return "; ".join(parts)


def _ends(found: Mapping[str, Estimate]) -> list[str]:
    """Who is at either end, each with those whose intervals overlap."""
    if not found:
        return []
    ends = {"most": max(found, key=lambda option: found[option].mean), "least": min(found, key=lambda option: found[option].mean)}
    close = {word: [option for option in found if found[option].overlaps(found[end])] for word, end in ends.items()}
    if len(found) == 1:
        return [f"only with {listed([*found])}: {found[ends['most']]}"]
    if close["most"] == close["least"]:
        return [f"alike with {listed(close['most'])}: {found[ends['most']]}"]
    return [f"{word} with {listed(close[word])}: {found[end]}" for word, end in ends.items()]


def listed(names: Sequence[str]) -> str:
    """Names as code, the last after "and"."""
    quoted = [code(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def the(component: str) -> str:
    """A component's name in a sentence."""
    return f"the {component}" if component in ("source", "relay", "broker", "network") else component


def consumer_to_show(results: pd.DataFrame) -> str:
    """The consumer whose readers are stale for longest, summed over the options: the one that a figure of one consumer is about."""
    rows = outside_incidents(results)
    rows = rows[rows["metric"] == "stale_fraction"]
    return str(rows.groupby("consumer", sort=False)["mean"].sum().idxmax())


def what_is_clear(differences: pd.DataFrame) -> Finding:
    """How many of the differences from the baseline are clear of chance, and how much of the variance the shared luck took away."""
    found = [estimate for metric in SCREEN for estimate in estimates(differences, metric).values()]
    clear = sum(estimate.low > 0 or estimate.high < 0 for estimate in found)
    same = sum(estimate.is_zero for estimate in found)
    return Finding(
        f"Of {len(found)} differences {clear} are clear (the 95 % interval leaves zero out), {same} are exactly zero, and "
        f"{len(found) - clear - same} may be chance. Of differences that are none, about one in twenty looks clear.{_saved(differences)}"
    )


def _saved(differences: pd.DataFrame) -> str:
    """What the shared luck was worth: by how much the variance is less than with runs on luck of their own."""
    saved = differences[differences["metric"].isin(SCREEN) & (differences["component"] == "")]["variance_saved"].dropna()
    if saved.empty:
        return ""
    half, worse = float(saved.median()), int((saved < 0).sum())
    said = f" Sharing luck took away {short(half, 'share')} of the variance of the median difference" if half > 0 else ""
    runs = f": as good as {1 / (1 - half):,.0f} times the replications on luck of their own" if 0.5 <= half < 1 else ""
    against = f"; it added to that of {worse} of {len(saved)}" if worse else ""
    return f"{said}{runs}{against}." if said else f" Sharing luck saved no variance of the median difference{against}."


def direct_option(candidates: Sequence[Candidate]) -> Candidate | None:
    """The first option that publishes directly while the broker has scheduled outages: one whose loss can be counted by hand."""
    for candidate in candidates:
        if (
            candidate.pattern.sends
            and way_out(candidate.pattern, candidate.scenario) == "direct"
            and candidate.scenario.broker.outages
            and candidate.scenario.broker.outages.windows
        ):
            return candidate
    return None


def hand_check(candidates: Sequence[Candidate], journals: Mapping[str, Journal]) -> Finding:
    """The messages that one option loses to the broker's outages in one run: simulated, and by the formula of `edasim.theory`."""
    chosen = direct_option(candidates)
    if chosen is None:
        return Finding(
            "No option publishes directly to a broker with scheduled outages, so this formula has nothing to be held against here."
        )
    journal, scenario = journals[chosen.name], chosen.scenario
    committed = journal.changes["committed"][in_window(journal)] / 1e9
    rate = committed.size / scenario.duration
    lost = journal.deliveries["outcome"] == OUTCOMES.index("lost_broker")
    simulated = int((lost & (journal.deliveries["consumer"] == 0) & in_window(journal)[journal.deliveries["change"]]).sum())
    doomed = lost_in_broker_outages(scenario, rate=1.0)
    counted = lost_in_broker_outages(scenario, committed=committed)
    ways = {
        f"{doomed:.4g} s at {rate:.3g} changes a second, the mean rate": lost_in_broker_outages(scenario, rate=rate),
        "the changes that committed in those seconds": counted,
    }
    rows = [f"| by hand: {way} | {number:,.0f} | {_agreement(simulated, number)} |" for way, number in ways.items()]
    return Finding(
        f"`{chosen.name}` loses what commits in the {doomed:.4g} s of broker outage that its retries can't bridge. In those seconds "
        f"{counted / doomed if doomed else 0:.3g} changes a second committed.\n\n"
        f"| how | messages lost | against the simulation |\n|---|---|---|\n" + "\n".join(rows) + f"\n| simulated | {simulated:,} | |\n\n"
        "The first line takes changes to come evenly, the second counts those that did come. Where the two differ, traffic in those "
        "seconds was not like the average, and it is the second line that tests the model."
    )


def _agreement(simulated: int, by_hand: float) -> str:
    """Whether two counts differ by no more than Poisson noise, and by how much."""
    noise = 1.96 * sqrt(by_hand)
    verdict = "agrees" if abs(simulated - by_hand) <= noise else "does not agree"
    return f"{verdict}: {simulated - by_hand:+,.0f}, Poisson noise is ± {noise:,.0f}"


def where_messages_went(results: pd.DataFrame, consumer: str) -> Finding:
    """How much each option loses of what is meant for *consumer*, in all and by place."""
    mine = results[results["consumer"] == consumer]
    lines = [f"* **Lost on the way to `{consumer}`**: {extremes(mine, 'loss_rate')}."]
    for outcome in OUTCOMES[2:]:
        metric = outcome if outcome.startswith("lost_") else f"{outcome}_rate"
        rows = mine[(mine["metric"] == metric) & (mine["mean"] > 0)]
        if len(rows):
            lines.append(f"* `{metric}`: {extremes(rows, metric)}.")
    return Finding("\n".join(lines))


def the_question(scenario: Scenario) -> Finding:
    """What a scenario asks, as a quotation, letter by letter as it is written; its name where it asks nothing."""
    return Finding(f"> {plain(scenario.question or scenario.name)}")
