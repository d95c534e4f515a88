"""What so few labelled images can and cannot tell, in words and numbers."""

from __future__ import annotations

import numpy as np

from ufd_ray.detectors import reals_needed
from ufd_ray.evaluation import accuracy_interval
from ufd_ray.settings import JudgingSettings

FEW = 1000
"""Training images up to which a probe is judged by cross-validation unless told otherwise."""
_SUPPOSED = 0.9


def what_so_few_tell(num_real: int, num_fake: int) -> list[str]:
    """One or two lines about what can be learned from so many images; none where they are many."""
    total = num_real + num_fake
    if not 0 < total <= FEW:
        return []
    found = accuracy_interval(np.arange(total) < round(_SUPPOSED * total))
    lines = [
        f"so few images ({num_real:,} real, {num_fake:,} fake) cannot tell much: an accuracy of"
        f" {100 * found.estimate:.0f} % found on all of them may in truth be {100 * found.low:.0f}"
        f" to {100 * found.high:.0f} %"
    ]
    bounds = JudgingSettings.model_fields
    share, confidence = bounds["max_fpr"].default, bounds["confidence"].default
    needed = reals_needed(share, confidence)
    if num_real < needed:
        lines.append(
            f"a bound of {100 * share:g} % on flagged real images needs {needed:,} real ones that"
            f" the probe was not fitted on; with {num_real:,} there will be none (--val-share 0"
            " leaves all of them to cross-validation)"
        )
    return lines
