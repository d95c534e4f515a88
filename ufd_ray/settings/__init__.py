"""The settings of every job: frozen, validated, each with its unit and default in one place.

A field's name with dashes is its flag, as it stands its key in a `--config` file.
"""

from ufd_ray.settings.build_bank import BuildBankSettings
from ufd_ray.settings.calibrate import CalibrateSettings
from ufd_ray.settings.current import CurrentSettings
from ufd_ray.settings.deciding import SCALES, Decider, DecidingSettings, Threshold
from ufd_ray.settings.demo import DemoSettings
from ufd_ray.settings.evaluate import EvaluateSettings
from ufd_ray.settings.export import ExportSettings
from ufd_ray.settings.fit_probe import FitProbeSettings
from ufd_ray.settings.images import (
    Device,
    ImageSettings,
    Precision,
    PreprocessMode,
    ReadingSettings,
)
from ufd_ray.settings.inputs import InputSettings
from ufd_ray.settings.job import JobSettings
from ufd_ray.settings.judging import JudgingSettings
from ufd_ray.settings.places import RUN_NAME, Place, RunId
from ufd_ray.settings.plan import PlanSettings
from ufd_ray.settings.prune import PruneSettings
from ufd_ray.settings.report import ReportSettings
from ufd_ray.settings.review import ReviewSettings
from ufd_ray.settings.score import ScoreSettings
from ufd_ray.settings.searching import SearchDeviceSettings, SearchMode, SearchSettings
from ufd_ray.settings.splitting import SplitSettings
from ufd_ray.settings.sweeping import OWN, SweepSettings
from ufd_ray.settings.train_baseline import TrainBaselineSettings
from ufd_ray.settings.verify import VerifySettings

__all__ = [
    "OWN",
    "RUN_NAME",
    "SCALES",
    "BuildBankSettings",
    "CalibrateSettings",
    "CurrentSettings",
    "Decider",
    "DecidingSettings",
    "DemoSettings",
    "Device",
    "EvaluateSettings",
    "ExportSettings",
    "FitProbeSettings",
    "ImageSettings",
    "InputSettings",
    "JobSettings",
    "JudgingSettings",
    "Place",
    "PlanSettings",
    "Precision",
    "PreprocessMode",
    "PruneSettings",
    "ReadingSettings",
    "ReportSettings",
    "ReviewSettings",
    "RunId",
    "ScoreSettings",
    "SearchDeviceSettings",
    "SearchMode",
    "SearchSettings",
    "SplitSettings",
    "SweepSettings",
    "Threshold",
    "TrainBaselineSettings",
    "VerifySettings",
]
