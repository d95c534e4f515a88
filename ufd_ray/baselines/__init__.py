"""The paper's other detectors, one file each: pixels → score, in torch alone."""

from ufd_ray.baselines.baseline import Baseline, TrainingRecipe
from ufd_ray.baselines.known import BASELINES, baseline_named
from ufd_ray.baselines.saved import load_network

__all__ = ["BASELINES", "Baseline", "TrainingRecipe", "baseline_named", "load_network"]
