"""Claims about the publishing side of a measured run, against a broker that does as it is told and a clock that nobody waits for."""

from collections.abc import Callable, Sequence

import pytest

from edasim.journal import NONE
from edasim.live import publisher as module
from edasim.live.protocol import Down
from edasim.live.publisher import RECONNECT_NS, Publisher
from edasim.scenario import Producer

S = 1_000_000_000


class Clock:
    """Time passes when somebody waits, and a nanosecond when it is looked at."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * S)


class Broker:
    """Answers each sending after *delay*, as *answers* say in turn (True, False, None: never); down in [*down*)."""

    def __init__(self, clock: Clock, answers: Sequence[bool | None], delay: int, down: tuple[int, int] = (0, 0)) -> None:
        self.clock, self.answers, self.delay, self.down = clock, list(answers), delay, down
        self.sent: list[tuple[int, int, bytes]] = []  # when, change, body
        self.pending: list[tuple[int, int, bool]] = []
        self.loads: list[tuple[int, int, int, int]] = []

    def connect(self) -> "Broker":
        self._check()
        return self

    def _check(self) -> None:
        if self.down[0] <= self.clock.now < self.down[1]:
            raise Down("down")

    def publish(self, change: int, entity: int, body: bytes) -> None:
        self._check()
        self.sent.append((self.clock.now, change, body))
        answer = self.answers.pop(0) if self.answers else True
        if answer is not None:
            self.pending.append((self.clock.now + self.delay, change, answer))

    def attend(self, until: int, answered: Callable[[int, bool], None]) -> None:
        while self.pending and self.pending[0][0] <= until:
            when, change, stored = self.pending.pop(0)
            self.clock.now = max(self.clock.now, when)
            answered(change, stored)
        self.clock.now = max(self.clock.now, until)
        self._check()

    def close(self) -> None:
        self.pending = []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module.time, "sleep", clock.sleep)
    return clock


def published(clock: Clock, broker: Broker, times: Sequence[int], until: int, **settings: object) -> Publisher:
    made = Publisher(broker.connect, [0] * len(times), lambda change: b"%d" % change, Producer(**settings), clock)  # type: ignore[arg-type]
    made.open()
    made.schedule(times)
    made.run(until)
    return made


def near(found: Sequence[int], expected: Sequence[float]) -> bool:
    """Whether *found* (ns) are the *expected* seconds, to the looks at the clock."""
    return len(found) == len(expected) and all(abs(one / S - other) < 1e-6 for one, other in zip(found, expected, strict=True))


def test_each_change_has_its_turn_at_its_time_however_slow_the_broker_is(clock: Clock) -> None:
    broker = Broker(clock, [], delay=int(0.9 * S))
    made = published(clock, broker, [1 * S, 2 * S, int(2.1 * S)], 5 * S)
    assert near(made.turn, [1, 2, 2.1])
    assert near(made.acknowledged, [1.9, 2.9, 3.0])
    assert made.attempts == [1, 1, 1]


def test_what_nobody_confirms_is_sent_again_after_the_timeout_and_the_backoff_so_often_and_no_more(clock: Clock) -> None:
    broker = Broker(clock, [None] * 9, delay=0)
    made = published(clock, broker, [S], 20 * S, retries=2, ack_timeout=1, backoff=0.5)
    assert near([when for when, *_ in broker.sent], [1, 2.5, 4.0])
    assert (made.attempts, made.gave_up, made.acknowledged, made.is_done) == ([3], [True], [NONE], True)


def test_a_refusal_is_known_at_once_and_tried_again_after_the_backoff(clock: Clock) -> None:
    broker = Broker(clock, [False, False, True], delay=0)
    made = published(clock, broker, [S], 20 * S, retries=3, ack_timeout=1, backoff=0.5)
    assert near([when for when, *_ in broker.sent], [1, 1.5, 2.0])
    assert (made.refused, made.gave_up) == ([False], [False])


def test_a_refusal_is_tried_again_once_however_long_the_backoff_is(clock: Clock) -> None:
    broker = Broker(clock, [False, True], delay=0)
    made = published(clock, broker, [S], 20 * S, retries=3, ack_timeout=1, backoff=3)
    assert near([when for when, *_ in broker.sent], [1, 4.0])
    assert made.attempts == [2]


def test_the_patience_of_an_attempt_begins_with_that_attempt(clock: Clock) -> None:
    broker = Broker(clock, [False, None, True], delay=0)
    published(clock, broker, [S], 20 * S, retries=3, ack_timeout=1, backoff=0.5)
    assert near([when for when, *_ in broker.sent], [1, 1.5, 3.0])


def test_who_is_refused_to_the_last_has_given_up(clock: Clock) -> None:
    made = published(clock, Broker(clock, [False] * 9, delay=0), [S], 20 * S, retries=1, backoff=0.5)
    assert (made.attempts, made.refused, made.gave_up, made.stored) == ([2], [True], [True], [NONE])


def test_a_confirmation_that_comes_too_late_counts_as_none_but_tells_that_the_message_was_stored(clock: Clock) -> None:
    made = published(clock, Broker(clock, [True], delay=int(1.05 * S)), [S], 20 * S, retries=0, ack_timeout=1)
    assert made.acknowledged == [NONE]
    assert near(made.stored, [2.05])


def test_who_asks_for_no_answer_sends_once_and_believes_that_it_arrived(clock: Clock) -> None:
    made = published(clock, Broker(clock, [False], delay=0), [S], 20 * S, acks=0)
    assert near(made.acknowledged, [1])
    assert (made.attempts, made.gave_up, made.refused) == ([1], [False], [True])


def test_while_the_broker_is_down_nothing_reaches_it_and_what_still_has_a_try_left_afterwards_does(clock: Clock) -> None:
    broker = Broker(clock, [], delay=0, down=(2 * S, 4 * S))
    made = published(clock, broker, [S, int(2.5 * S), int(3.5 * S)], 10 * S, retries=1, ack_timeout=1, backoff=0.1)
    assert made.attempts == [1, 2, 2]
    assert made.gave_up == [False, True, False]
    assert near([made.stored[0], made.stored[2]], [1, 4.6])
    assert made.reached == [True, False, True]
    assert made.losses == 1


def test_a_lost_connection_is_tried_again_but_not_all_the_time(clock: Clock) -> None:
    broker = Broker(clock, [], delay=0, down=(2 * S, 4 * S))
    tried: list[int] = []
    connect = broker.connect
    broker.connect = lambda: (tried.append(clock.now), connect())[1]  # type: ignore[method-assign,func-returns-value]
    published(clock, broker, [2 * S + number * 1_000_000 for number in range(1000)], 10 * S, retries=0)
    assert len(tried) <= 1 + 2 * S / RECONNECT_NS
