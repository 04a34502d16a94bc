"""Does the model predict what real brokers did? Inputs are fitted to one run, and what other runs did is predicted by simulating them.

A prediction is made through the public scenario interface: a scenario with the fitted inputs is simulated, and what is read off its
journal is held against what was measured. How close it must come was written down with the measurements, before anything was predicted
(data/README.md); beyond what they can carry nothing is claimed. What misses is explained, and stays in the table.
"""

from edasim.validation.reality.all_cases import predict_all
from edasim.validation.reality.prediction import Prediction, as_frame, errors_by_metric

__all__ = ["Prediction", "as_frame", "errors_by_metric", "predict_all"]
