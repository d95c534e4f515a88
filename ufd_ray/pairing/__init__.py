"""Bank and probe as they lie on storage, paired: of one encoder, with the thresholds asked for."""

from ufd_ray.pairing.detectors import Detectors

__all__ = ["Detectors"]
