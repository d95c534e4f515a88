"""From a detector's number to a probability: how often an image with that number is fake.

Sources: Platt, "Probabilistic outputs for support vector machines" (1999), with his smoothed
targets; Lin, Lin and Weng, "A note on Platt's probabilistic outputs" (2007), for solving it by
Newton's method; Guo et al., "On calibration of modern neural networks" (2017), for the temperature.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors.probe import sigmoid
from ufd_ray.errors import SettingsError
from ufd_ray.schema import FAKE, REAL

Method = Literal["platt", "temperature"]

_MAX_STEPS = 200
_SMALLEST_STEP = 2.0**-40


@dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(scale · value + shift).

    Attributes:
        method: how it was fitted.
        scale: over 0, so that no two images change places.
        shift: finite.

    Raises:
        SettingsError: scale or shift cannot be used, or there is no such method.
    """

    method: Method
    scale: float
    shift: float

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise SettingsError(
                f"calibration: method {self.method!r} is none of {', '.join(get_args(Method))}"
            )
        for name in ("scale", "shift"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise SettingsError(f"calibration: {name} must be a number, got {number!r}")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise SettingsError(f"calibration: scale must be a number over 0, got {self.scale}")
        if not math.isfinite(self.shift):
            raise SettingsError(f"calibration: shift must be finite, got {self.shift}")

    def probabilities(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Row by row, in float64, rounded once.

        Args:
            values: (n,) floating: logits or margins, whichever it was fitted on.

        Returns:
            (n,) float32, 0 … 1; for a given value the same bits whatever the others are.
        """
        # A copy that lies together, so that the same instructions run whatever `values` is part of.
        exact = np.array(values, np.float64, order="C")
        with np.errstate(over="ignore"):  # Out there the probability is 0 or 1 anyway.
            return sigmoid(self.scale * exact + self.shift).astype(np.float32)

    @property
    def midpoint(self) -> float:
        """The value at which the probability is one half."""
        return -self.shift / self.scale

    def to_dict(self) -> dict[str, Any]:
        """As it is kept in JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises:
            SettingsError: it cannot be used; the key at fault is named.
        """
        try:
            return cls(method=data["method"], scale=data["scale"], shift=data["shift"])
        except KeyError as error:
            raise SettingsError(f"calibration: {error} is missing") from error
        except TypeError as error:
            raise SettingsError(f"calibration: expected an object, got {data!r}") from error


def fit_calibration(
    values: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    method: Method,
    fake_share: float | None = None,
) -> Calibration:
    """Find scale and shift on labelled images that the detector was not fitted on.

    Wanted are not 0 and 1 but Platt's smoothed targets: 1 / (r + 2) for r reals and
    (f + 1) / (f + 2) for f fakes. The optimum is then finite even where the classes do not overlap,
    and four images do not promise a certainty that four images cannot give.

    Args:
        values: (n,) floating, logits or margins, higher for fake.
        labels: (n,) integers, 0 real, 1 fake.
        method: `platt` fits scale and shift; `temperature` the scale alone, so that the value 0
            stays one half.
        fake_share: share of fakes where the probabilities will be read, if it is another one than
            among these images: the odds are multiplied by what the two shares' odds differ by.

    Raises:
        ValueError: shapes do not fit.
        SettingsError: a class has no images, a value is not finite, or the values do not rise from
            real to fake.
    """
    num_real, num_fake = check_labelled(values, labels, "values")
    if fake_share is not None and not 0 < fake_share < 1:
        raise SettingsError(f"the share of fakes must lie between 0 and 1, got {fake_share}")
    exact, fake = values.astype(np.float64), labels == FAKE
    mean_real, mean_fake = float(exact[~fake].mean()), float(exact[fake].mean())
    if not mean_fake > mean_real:
        raise SettingsError(
            "nothing to calibrate: fakes do not rank above real images, fakes lie at"
            f" {mean_fake:.4g} on average and real images at {mean_real:.4g}"
        )
    targets = np.where(fake, (num_fake + 1) / (num_fake + 2), 1 / (num_real + 2))
    # In units of their own spread: margins differ in the third digit, logits in the first.
    center = float(exact.mean()) if method == "platt" else 0.0
    spread = float(np.sqrt(np.mean((exact - center) ** 2)))
    columns = [(exact - center) / spread] + [np.ones_like(exact)] * (method == "platt")
    found = _minimise(np.stack(columns, axis=1), targets)
    scale = float(found[0]) / spread
    if not scale > 0:
        raise SettingsError(
            "no temperature fits: fakes lie higher than real images, but not on either side of 0;"
            " calibrate with platt, which shifts them as well"
        )
    shift = float(found[1]) - scale * center if method == "platt" else 0.0
    if fake_share is not None:
        shift += _log_odds(fake_share) - math.log(num_fake / num_real)
    return Calibration(method, scale, shift)


def check_labelled(
    values: NDArray[np.floating], labels: NDArray[np.integer], what: str
) -> tuple[int, int]:
    """Refuse labelled numbers from which nothing can be learned.

    Returns:
        Numbers of real and of fake images, both at least 1.

    Raises:
        ValueError: shapes do not fit.
        SettingsError: a class has no images, labels are others, or a number is not finite.
    """
    if values.ndim != 1 or labels.shape != values.shape:
        raise ValueError(f"{what} {values.shape} and labels {labels.shape} must be equally long")
    num_real, num_fake = (int(np.count_nonzero(labels == label)) for label in (REAL, FAKE))
    if num_real + num_fake < len(labels):
        raise SettingsError(f"labels must be {REAL} or {FAKE}, got others")
    if not (num_real and num_fake):
        raise SettingsError(
            f"labelled images of both classes are needed, got {num_real} real and {num_fake} fake"
        )
    num_bad = int(np.count_nonzero(~np.isfinite(values)))
    if num_bad:
        raise SettingsError(f"{num_bad} of {len(values)} {what} are NaN or infinite")
    return num_real, num_fake


def _log_odds(share: float) -> float:
    return math.log(share) - math.log1p(-share)


def _minimise(columns: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's method on the mean cross-entropy, which is convex; steps that rise are halved.

    Args:
        columns: (n, 1) or (n, 2) float64.
        targets: (n,) float64, strictly between 0 and 1.
    """
    found = np.zeros(columns.shape[1])
    loss = _loss(columns @ found, targets)
    for _ in range(_MAX_STEPS):
        p = sigmoid(columns @ found)
        gradient = columns.T @ (p - targets) / len(targets)
        hessian = (columns.T * (p * (1 - p))) @ columns / len(targets)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (new := _loss(columns @ (found - size * step), targets)) > loss:
            size /= 2
            if size < _SMALLEST_STEP:  # Rounding is all that is left.
                return found
        found, gained, loss = found - size * step, loss - new, new
        if gained == 0 or float(gradient @ step) < 1e-24:
            return found
    raise SettingsError(f"the calibration did not settle in {_MAX_STEPS} steps: check the values")


def _loss(logits: NDArray[np.float64], targets: NDArray[np.float64]) -> float:
    return float(np.mean(np.logaddexp(0, logits) - targets * logits))
