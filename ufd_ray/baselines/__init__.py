"""The paper's other detectors, a module for each kind: pixels → score, by torch and without Ray."""

from ufd_ray.baselines.baseline import Baseline, TrainingRecipe
from ufd_ray.baselines.inference import features_of_pixels, heat_of_pixels, score_pixels
from ufd_ray.baselines.known import BASELINES, baseline_named
from ufd_ray.baselines.saved import load_network

__all__ = [
    "BASELINES",
    "Baseline",
    "TrainingRecipe",
    "baseline_named",
    "features_of_pixels",
    "heat_of_pixels",
    "load_network",
    "score_pixels",
]
