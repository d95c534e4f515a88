"""What is varied beside the detectors as they are: figures of every setting, their tables."""

from ufd_ray.evaluation.sweeps.judged_sweep import Setting, Sweep, SweepRow, judge_sweep
from ufd_ray.evaluation.sweeps.kinds import KINDS, Kind
from ufd_ray.evaluation.sweeps.section import mean_figures, mean_intervals, sweep_lines

__all__ = [
    "KINDS",
    "Kind",
    "Setting",
    "Sweep",
    "SweepRow",
    "judge_sweep",
    "mean_figures",
    "mean_intervals",
    "sweep_lines",
]
