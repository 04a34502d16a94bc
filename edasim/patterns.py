"""Patterns: each is an answer to three questions, so it is a value and a comparison is a loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from edasim.errors import InputError, suggestion
from edasim.scenario import Consumer, Scenario

Truth = Literal["table", "events"]
Carries = Literal["nothing", "notice", "state", "delta"]
Reads = Literal["source", "cache", "copy", "read_model"]
KEPT = ("copy", "read_model")  # who answers reads from data of the consumer's own
QUESTIONS = {"truth": get_args(Truth), "carries": get_args(Carries), "reads": get_args(Reads)}


@dataclass(frozen=True)
class Pattern:
    """Where is truth kept, what does an event carry, who answers a read?

    >>> Pattern("table", "notice", "cache").name
    'table/notice/cache'

    Raises InputError for an unknown answer, and for a combination that can't work, with the reason.
    """

    truth: Truth
    carries: Carries
    reads: Reads

    def __post_init__(self) -> None:
        for question, allowed in QUESTIONS.items():
            answer = getattr(self, question)
            if answer not in allowed:
                raise InputError(f"pattern.{question}: {answer} is not allowed: {suggestion(str(answer), allowed)}")
        reason = _why_incoherent(self)
        if reason:
            raise InputError(f"pattern {self.truth}/{self.carries}/{self.reads} is incoherent: {reason}")

    @property
    def name(self) -> str:
        """The preset's name, or the three answers."""
        return next((name for name, preset in PRESETS.items() if preset == self), f"{self.truth}/{self.carries}/{self.reads}")

    @property
    def keeps_copy(self) -> bool:
        """Whether each consumer stores the data again."""
        return self.reads in KEPT

    @property
    def sends(self) -> bool:
        """Whether changes are published as messages."""
        return self.carries != "nothing"


def _why_incoherent(pattern: Pattern) -> str:
    """One sentence saying why the combination can't work, or nothing."""
    if pattern.reads == "read_model" and not pattern.sends:
        return "a read model is fed by events, and these carry nothing; use carries: notice, state or delta"
    if pattern.reads == "copy" and not pattern.sends and pattern.truth == "events":
        return "a polled copy reads current rows in bulk, and an event store keeps none; use carries: delta or state"
    if pattern.reads in ("source", "cache") and pattern.carries in ("state", "delta"):
        return f"the events carry {pattern.carries} but nobody keeps it; use reads: copy or read_model, or carries: notice"
    return ""


PRESETS: Mapping[str, Pattern] = {
    "request_response": Pattern("table", "nothing", "source"),
    "cached_reads": Pattern("table", "nothing", "cache"),
    "polling": Pattern("table", "nothing", "copy"),
    "event_notification": Pattern("table", "notice", "copy"),
    "event_carried_state_transfer": Pattern("table", "state", "copy"),
    "event_sourcing": Pattern("events", "nothing", "source"),
    "cqrs": Pattern("table", "state", "read_model"),
    "event_sourcing_cqrs": Pattern("events", "delta", "read_model"),
    "event_sourcing_state_transfer": Pattern("events", "state", "copy"),
}


def patterns_of(pattern: Pattern, scenario: Scenario) -> list[Pattern]:
    """The pattern at each consumer: its own `carries` and `reads` where it has some, else those of the option's *pattern*.

    Raises InputError, naming the consumer, when the two are incoherent.
    """
    found = []
    for consumer in scenario.consumers:
        try:
            found.append(Pattern(pattern.truth, consumer.carries or pattern.carries, consumer.reads or pattern.reads))
        except InputError as error:
            raise InputError(f"consumers.{consumer.name}: {error}") from None
    return found


def always_calls(pattern: Pattern, consumer: Consumer) -> bool:
    """Whether each message makes the *consumer*'s handler ask the source: a notice brings no data, unless it is enough or only evicts."""
    return pattern.carries == "notice" and pattern.reads != "cache" and consumer.on_notice == "call_back"


def answers_reads(pattern: Pattern, consumer: Consumer) -> str:
    """Who answers the consumer's reads: as its *pattern* says; "nothing" where it only reacts: it keeps no data and asks for none."""
    reacts = pattern.keeps_copy and pattern.carries == "notice" and consumer.on_notice == "react"
    return "nothing" if reacts else pattern.reads


def pattern_of(value: "Pattern | str | Mapping[str, str]") -> Pattern:
    """The pattern meant by a preset's name, three answers ``truth/carries/reads``, a mapping of them, or a Pattern.

    Raises InputError with close matches.
    """
    if isinstance(value, Pattern):
        return value
    if isinstance(value, Mapping):
        if set(value) != set(QUESTIONS):
            raise InputError(f"pattern {dict(value)} is not allowed: give truth, carries and reads, or a preset's name")
        return Pattern(**cast(dict[str, Any], dict(value)))
    if value in PRESETS:
        return PRESETS[value]
    if value.count("/") == 2:
        truth, carries, reads = value.split("/")
        return Pattern(cast(Truth, truth), cast(Carries, carries), cast(Reads, reads))
    raise InputError(f"pattern {value} is not known: {suggestion(value, PRESETS)}, or truth/carries/reads")
