"""Real brokers under a scenario's own workload: what happened is a journal with the columns of a simulated one."""

from edasim.live.measuring import measure

__all__ = ["measure"]
