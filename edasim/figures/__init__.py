"""Every figure: the only folder that imports matplotlib, and never its global state. A figure is a value with a description."""

from edasim.figures.answers import freshness_curve
from edasim.figures.comparison import CALLS_OR_COPIES, one_screen_figure
from edasim.figures.conflicts import conflicts_over_delay
from edasim.figures.destinations import destinations
from edasim.figures.healing import healing_over_time
from edasim.figures.incidents import incident_costs_figure, incident_over_time
from edasim.figures.looks import Look, looks
from edasim.figures.outage import loss_against_outage
from edasim.figures.outcome import outcome_known
from edasim.figures.picture import Picture
from edasim.figures.projection import projection_lag
from edasim.figures.reality import predictions_figure
from edasim.figures.rebuilding import replay_against_history
from edasim.figures.sensitivity import influence_figure, tornado_figure
from edasim.figures.snapshots import load_against_interval
from edasim.figures.source_load import load_on_source
from edasim.figures.split import share_or_split
from edasim.figures.stores import replay_times
from edasim.figures.tipping import tipping_figure
from edasim.figures.tipping_points import tipping_points_figure
from edasim.figures.validation import mm1_figure, theory_figure
from edasim.figures.verdicts import verdicts_figure
from edasim.figures.warm_up import warm_up_figure
from edasim.figures.years import storage_years

__all__ = [
    "CALLS_OR_COPIES",
    "Look",
    "Picture",
    "conflicts_over_delay",
    "destinations",
    "freshness_curve",
    "healing_over_time",
    "incident_costs_figure",
    "incident_over_time",
    "influence_figure",
    "load_against_interval",
    "load_on_source",
    "looks",
    "loss_against_outage",
    "mm1_figure",
    "one_screen_figure",
    "outcome_known",
    "predictions_figure",
    "projection_lag",
    "replay_against_history",
    "replay_times",
    "share_or_split",
    "storage_years",
    "theory_figure",
    "tipping_figure",
    "tipping_points_figure",
    "tornado_figure",
    "verdicts_figure",
    "warm_up_figure",
]
