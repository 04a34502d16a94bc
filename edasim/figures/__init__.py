"""Every figure: the only folder that imports matplotlib, and never its global state. A figure is a value with a description."""

from edasim.figures.comparison import one_screen_figure, sweep_figure
from edasim.figures.looks import Look, looks
from edasim.figures.over_time import bad_day, storage_over_time
from edasim.figures.picture import Picture
from edasim.figures.replay import replay_cost

__all__ = ["Look", "Picture", "bad_day", "looks", "one_screen_figure", "replay_cost", "storage_over_time", "sweep_figure"]
