"""Every figure: the only folder that imports matplotlib, and never its global state. A figure is a value with a description."""

from edasim.figures.backlog import backlog_after_outage, backlog_by_partition
from edasim.figures.comparison import one_screen_figure, sweep_figure
from edasim.figures.destinations import destinations
from edasim.figures.looks import Look, looks
from edasim.figures.outage import loss_against_outage
from edasim.figures.over_time import bad_day, storage_over_time
from edasim.figures.picture import Picture
from edasim.figures.replay import replay_cost

__all__ = [
    "Look",
    "Picture",
    "backlog_after_outage",
    "backlog_by_partition",
    "bad_day",
    "destinations",
    "looks",
    "loss_against_outage",
    "one_screen_figure",
    "replay_cost",
    "storage_over_time",
    "sweep_figure",
]
