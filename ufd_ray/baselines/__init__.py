"""The paper's other detectors, one file each: pixels → score, in torch alone."""

from ufd_ray.baselines.baseline import Baseline, TrainingRecipe

__all__ = ["Baseline", "TrainingRecipe"]
