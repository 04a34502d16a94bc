"""Claims about how the outcome of a message is decided, from records alone: no broker is needed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edasim.journal import (
    APPLIED,
    IN_FLIGHT,
    LOST_BROKER,
    LOST_CONSUMER,
    LOST_DISCONNECTED,
    LOST_OVERFLOW,
    LOST_RETENTION,
    NONE,
    OUTCOMES,
)
from edasim.live.outcomes import Rules, Sent, connections, deliveries
from edasim.live.records import BEGUN, CONNECTED, ENDED, GONE, NO_CHANGE, TAKEN, Diary, Records, file_of, read_records

HORIZON, OVER, LONG = 1000, 900, 10**6


def records(*rows: tuple[int, ...]) -> Records:
    """Records of (kind, change, time), of instance 0 and life 0 unless they say more."""
    filled = [(*row, *(0,) * (5 - len(row))) for row in rows]
    return Records(*np.array(sorted(filled, key=lambda row: row[2]), dtype=np.int64).reshape(-1, 5).T)


def sent(*, confirmed: int = 30, refused: bool = False, gave_up: bool = False, reached: bool = True, blind: bool = False) -> Sent:
    """One change, committed at 10 and sent at 10."""
    flags = (np.array([flag]) for flag in (refused, gave_up, reached))
    return Sent(np.array([10]), np.array([10]), np.array([confirmed]), *flags, blind)


def fate(of: Sent, *rows: tuple[int, ...], waiting: bool = False, **rules: object) -> dict[str, int]:
    settings = {"kind": "queue", "horizon": HORIZON, "over": OVER, "retention": LONG} | rules
    found = deliveries(of, records(*rows), {0} if waiting else set(), Rules(**settings))  # type: ignore[arg-type]
    return {name: int(column[0]) for name, column in found.items()}


def outcome(of: Sent, *rows: tuple[int, ...], waiting: bool = False, **rules: object) -> str:
    return OUTCOMES[fate(of, *rows, waiting=waiting, **rules)["outcome"]]


def test_a_message_is_applied_when_its_first_complete_handling_ends() -> None:
    found = fate(sent(), (BEGUN, 0, 40), (BEGUN, 0, 60), (ENDED, 0, 70), (BEGUN, 0, 80), (ENDED, 0, 90))
    assert found == {"stored": 20, "delivered": 40, "applied": 70, "attempts": 3, "copies": 2, "outcome": APPLIED}


def test_a_message_is_stored_in_the_middle_but_never_after_its_handling_began() -> None:
    assert fate(sent(confirmed=30), (BEGUN, 0, 15), (ENDED, 0, 25))["stored"] == 15
    assert fate(sent(confirmed=NONE), (BEGUN, 0, 35), (ENDED, 0, 45))["stored"] == 35  # nobody said so, but it was there
    assert fate(sent(confirmed=NONE, gave_up=True))["stored"] == NONE
    assert fate(sent(confirmed=NONE, blind=True))["stored"] == 10  # the sending itself
    of_a_relay = replace(sent(confirmed=10), committed=np.array([12]))  # it was faster than the answer to who committed
    assert fate(of_a_relay)["stored"] == 12


def test_what_the_broker_still_holds_is_in_flight_whatever_its_publisher_believes() -> None:
    assert outcome(sent(), waiting=True) == "in_flight"
    assert outcome(sent(confirmed=NONE, gave_up=True), waiting=True) == "in_flight"
    assert outcome(sent(), (BEGUN, 0, 40), waiting=True) == "in_flight"


def test_what_was_refused_to_the_last_is_lost_by_overflow_and_what_nobody_answered_by_the_broker() -> None:
    assert outcome(sent(confirmed=NONE, refused=True, gave_up=True)) == "lost_overflow"
    assert outcome(sent(confirmed=NONE, gave_up=True)) == "lost_broker"
    assert outcome(sent(confirmed=NONE)) == "in_flight"  # its publisher still tries
    assert outcome(sent(confirmed=NONE, refused=True)) == "in_flight"


def test_who_asks_for_no_answer_loses_what_was_refused_by_overflow_and_what_met_no_broker_by_the_broker() -> None:
    assert outcome(sent(confirmed=NONE, refused=True, blind=True)) == "lost_overflow"
    assert outcome(sent(confirmed=NONE, reached=False, blind=True)) == "lost_broker"


def test_what_was_acknowledged_before_a_kill_is_lost_with_the_consumer() -> None:
    assert outcome(sent(), (TAKEN, 0, 40), (BEGUN, 0, 41)) == "lost_consumer"
    assert outcome(sent(), (TAKEN, 0, 40), (BEGUN, 0, 41), (ENDED, 0, 50)) == "applied"


def test_a_bounded_queue_that_tells_nobody_has_dropped_what_is_nowhere_any_more() -> None:
    assert outcome(sent(), drops_oldest=True) == "lost_overflow"
    assert outcome(sent(), drops_oldest=True, broker_down=((50, 60),)) == "lost_overflow"  # a kill loses nothing that is durable
    assert outcome(sent(), drops_oldest=True, durable=False, broker_down=((50, 60),)) == "lost_broker"


def test_what_is_too_old_in_the_end_is_lost_by_retention() -> None:
    assert outcome(sent(), kind="log", retention=500) == "lost_retention"
    assert outcome(sent(), kind="log", retention=HORIZON) == "lost_broker"


def test_what_was_confirmed_and_is_nowhere_was_lost_by_the_broker() -> None:
    assert outcome(sent()) == "lost_broker"


@pytest.mark.parametrize(
    ("life", "down", "expected"),
    [
        ([(CONNECTED, NO_CHANGE, 0)], {0: [(15, 100)]}, "lost_disconnected"),  # stored at 20, while it was away
        ([(CONNECTED, NO_CHANGE, 0)], {0: [(50, 100)]}, "lost_consumer"),  # killed before it handled it
        (
            [(CONNECTED, NO_CHANGE, 0), (GONE, NO_CHANGE, 50)],
            {0: [(49, 100)]},
            "lost_disconnected",
        ),  # left unread when it stopped
        ([(CONNECTED, NO_CHANGE, 0), (GONE, NO_CHANGE, OVER + 10)], {}, "in_flight"),  # the run was over before it came to it
        ([(CONNECTED, NO_CHANGE, 0), (GONE, NO_CHANGE, OVER - 10)], {}, "lost_disconnected"),  # cut off while it still ran
        ([(CONNECTED, NO_CHANGE, 200)], {}, "lost_disconnected"),  # not there yet
    ],
)
def test_a_subscriber_misses_what_passes_while_it_is_away(life: list[tuple[int, int, int]], down: object, expected: str) -> None:
    assert outcome(sent(), *life, kind="pubsub", down=down) == expected


def test_what_a_dying_broker_had_not_sent_to_a_subscriber_is_lost_with_it() -> None:
    life = [(CONNECTED, NO_CHANGE, 0), (GONE, NO_CHANGE, 26), (CONNECTED, NO_CHANGE, 40), (GONE, NO_CHANGE, OVER)]
    assert outcome(sent(), *life, kind="pubsub", broker_down=((25, 39),)) == "lost_broker"


def test_a_connection_ends_with_its_broker_however_long_its_client_reads_what_had_come() -> None:
    slow = [(CONNECTED, NO_CHANGE, 0), (GONE, NO_CHANGE, 300), (CONNECTED, NO_CHANGE, 301), (GONE, NO_CHANGE, OVER)]
    assert outcome(sent(), *slow, kind="pubsub", broker_down=((25, 39),)) == "lost_broker"
    assert outcome(sent(), *slow, kind="pubsub", broker_down=((15, 18),)) == "lost_disconnected"  # stored at 20, by the one that came back


def test_a_subscribers_message_is_judged_by_the_instance_that_owns_its_partition() -> None:
    life = records((CONNECTED, NO_CHANGE, 0, 0, 0), (GONE, NO_CHANGE, OVER, 0, 0), (CONNECTED, NO_CHANGE, 500, 1, 0))
    rules = Rules("pubsub", HORIZON, OVER, LONG)
    found = [int(deliveries(sent(), life, set(), rules, np.array([owner]))["outcome"][0]) for owner in (0, 1)]
    assert found == [IN_FLIGHT, LOST_DISCONNECTED]


def test_a_connection_without_an_end_was_killed_when_its_instance_went_down() -> None:
    lives = records((CONNECTED, NO_CHANGE, 0, 0, 0), (CONNECTED, NO_CHANGE, 100, 0, 1), (GONE, NO_CHANGE, 900, 0, 1))
    found = connections(lives, {0: [(60, 100)]}, HORIZON)
    assert [(link.since, link.until, link.killed) for link in found] == [(0, 60, True), (100, 900, False)]
    twice = records((CONNECTED, NO_CHANGE, 0, 0, 0), (CONNECTED, NO_CHANGE, 100, 0, 1))
    assert [link.until for link in connections(twice, {0: [(60, 100), (300, 400)]}, HORIZON)] == [60, 300]


def test_every_message_that_nobody_handled_has_an_outcome_that_is_none_of_applied() -> None:
    for kind in ("log", "queue", "pubsub"):
        for one in (sent(), sent(confirmed=NONE), sent(confirmed=NONE, gave_up=True, refused=True), sent(blind=True)):
            assert fate(one, kind=kind)["outcome"] in (
                *(IN_FLIGHT, LOST_BROKER, LOST_CONSUMER),
                *(LOST_DISCONNECTED, LOST_OVERFLOW, LOST_RETENTION),
            )


def test_a_torn_last_record_does_not_count(tmp_path: Path) -> None:
    diary = Diary(file_of(tmp_path, "consumer0", 1, 2))
    diary.note(BEGUN, 7, 100)
    diary.note_all(TAKEN, [8, 9], 200)
    diary.close()
    with file_of(tmp_path, "consumer0", 1, 2).open("ab") as file:
        file.write(b"torn")
    found = read_records(tmp_path, "consumer0")
    assert [column.tolist() for column in found] == [[BEGUN, TAKEN, TAKEN], [7, 8, 9], [100, 200, 200], [1, 1, 1], [2, 2, 2]]
    assert read_records(tmp_path, "consumer1").kind.size == 0


def test_nobody_writes_into_the_diary_of_another_life(tmp_path: Path) -> None:
    Diary(file_of(tmp_path, "consumer0", 0, 0)).close()
    with pytest.raises(FileExistsError):
        Diary(file_of(tmp_path, "consumer0", 0, 0))
