"""A long run with every fault on: all messages are accounted for, and nothing is kept of them but the journal's columns."""

import long_run
import pytest

from edasim.luck import BLOCK, KEPT, Draws, Luck

NUMBER = 44  # bytes of a Python number in a list: whoever keeps one a message grows by as much


@pytest.mark.slow
@pytest.mark.parametrize("kind", long_run.KINDS)
def test_a_long_run_with_every_fault_on_keeps_nothing_beside_its_columns(kind: str) -> None:
    found = long_run.long_run(kind, 600_000)  # checks conservation, too
    assert found.messages > 500_000
    assert found.repeated > 0
    assert len(found.counts) > 1, "no fault had any effect"
    assert found.growth < NUMBER


def test_draws_of_later_attempts_are_the_same_when_they_are_made_again() -> None:
    draws = Draws("handle", 1, Luck(1, 0).stream, lambda rng, size: rng.integers(0, 1 << 40, size))
    blocks = range(0, 2 * KEPT, BLOCK)  # twice as many as are kept
    first = [draws.at(change, 1) for change in blocks]
    assert [draws.at(change, 1) for change in blocks] == first
    assert len(set(first)) == len(first)
