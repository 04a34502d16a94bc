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
ASKED = {"truth": "Where is truth kept?", "carries": "What does an event carry?", "reads": "Who answers a read?"}
FOLLOWS = {  # from an answer, whatever the other two are
    "table": "Only what is true now is kept: a table grows when something is born, and its past is gone.",
    "events": "Nothing is ever overwritten: storage grows for ever, loading an entity costs its tail, any past state can be rebuilt.",
    "nothing": "No message is sent, so none can be lost; nobody is told either: who wants to know has to ask.",
    "notice": "Messages are the smallest, but each costs the source a call back, which fails or queues when the source is down or busy.",
    "state": "Messages are the largest; a lost one heals at the entity's next change; late ones must not overwrite newer state.",
    "delta": "Messages are small; a lost or reordered one leaves the copy wrong until rebuilt: order and no gaps are needed.",
    "source": "A read is never stale, and each costs the source a call, which fails when the source is down.",
    "cache": "A read is a call at times, and as stale as the cache lets it be; without the source it is answered until the entry expires.",
    "copy": "Reads survive the source's outages and cost it nothing; they are stale, and the data is stored again at every consumer.",
    "read_model": "Reads survive the source's outages and cost it nothing, on servers of their own; they are stale, data is stored again.",
}
EVICTS = (
    "Messages are the smallest: each evicts an entry, and the next read of that entity calls; a lost one leaves it stale until it expires."
)


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


def what_follows(pattern: Pattern) -> tuple[str, ...]:
    """What follows from each of the three answers, a sentence each.

    >>> what_follows(PRESETS["event_sourcing"])[2]
    'A read is never stale, and each costs the source a call, which fails when the source is down.'
    """
    carries = EVICTS if (pattern.carries, pattern.reads) == ("notice", "cache") else FOLLOWS[pattern.carries]
    return FOLLOWS[pattern.truth], carries, FOLLOWS[pattern.reads]


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


def way_out(pattern: Pattern, scenario: Scenario) -> str:
    """How a committed change leaves the source: as the scenario says, else by subscription where truth is events, or directly.

    >>> way_out(PRESETS["cqrs"], Scenario()), way_out(PRESETS["event_sourcing_cqrs"], Scenario())
    ('direct', 'subscription')
    """
    return scenario.source.publish or ("subscription" if pattern.truth == "events" else "direct")


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
