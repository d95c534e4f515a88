"""What an evaluation is of, and by what: all that its parts are given."""

from __future__ import annotations

from dataclasses import dataclass

from ufd_ray.encoders import DeviceChoice
from ufd_ray.images import Alignment
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.comparing.compared import Compared
from ufd_ray.pipeline.encoding import EncoderPlan
from ufd_ray.pipeline.sweeping.forms import SweptForm, swept_forms
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import StorageOptions


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated, and how.

    Attributes:
        settings: the job's.
        detectors: all that are judged.
        plan: which encoder, in which precision.
        search_on: on what the bank is searched; None: there is none.
        storage: how storage is reached.
        compared: baselines that are judged as well.
    """

    settings: EvaluateSettings
    detectors: Detectors
    plan: EncoderPlan
    search_on: DeviceChoice | None
    storage: StorageOptions
    compared: tuple[Compared, ...] = ()

    @property
    def alignment(self) -> Alignment | None:
        """What images are made into; None: they stay as they are."""
        if not self.settings.align:
            return None
        size = self.settings.align_size or self.detectors.encoder.input_size
        return Alignment(size, self.settings.align_quality)

    @property
    def forms(self) -> list[SweptForm]:
        """Settings of the sweeps over forms of the images."""
        return swept_forms(self.settings, self.detectors.encoder.preprocess)
