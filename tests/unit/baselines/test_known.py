"""Names, architectures and options: found, or refused with what is close."""

from __future__ import annotations

import pickle

import pytest

from tests.unit.baselines.networks import PUBLISHED, SMALL
from ufd_ray.baselines import BASELINES, TrainingRecipe, baseline_named
from ufd_ray.errors import SettingsError


def test_every_detector_of_the_tables_is_known() -> None:
    assert tuple(BASELINES) == PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_name_alone_is_the_published_one(name: str) -> None:
    baseline = baseline_named(name)
    assert (baseline.name, baseline.is_published) == (name, True)
    train, test, validation = (
        baseline.train_pixels,
        baseline.test_pixels,
        baseline.validation_pixels,
    )
    assert train.size == validation.size == test.size
    assert test.perturbed == test.flipped == validation.flipped == 0
    assert (baseline.backbone_arch is None) == (baseline.weights_tag is None)


@pytest.mark.parametrize("name", SMALL)
def test_another_architecture_is_not(name: str) -> None:
    assert not baseline_named(name, SMALL[name]).is_published
    assert baseline_named(name, BASELINES[name].archs[0]).is_published


@pytest.mark.parametrize("name", PUBLISHED)
def test_name_architecture_and_options_make_it_again(name: str) -> None:
    last = {option: words[-1] for option, words in BASELINES[name].options.items()}
    baseline = baseline_named(name, BASELINES[name].archs[-1], last)
    again = baseline_named(baseline.name, baseline.arch, dict(baseline.options))
    assert vars(again) == vars(baseline) == vars(pickle.loads(pickle.dumps(baseline)))
    assert dict(baseline.options) == last


def test_another_option_is_not_the_published_one() -> None:
    assert not baseline_named("co-occurrence", options={"offset": "2"}).is_published
    assert baseline_named("co-occurrence", options={"offset": "1"}).is_published


@pytest.mark.parametrize(
    ("name", "arch", "options", "message"),
    [
        ("cooccurrence", None, {}, r"no baseline \(close: co-occurrence\); expected one of res"),
        (
            "spectrum",
            "torchvision/resnet43",
            {},
            r"no architecture of spectrum \(close: torchvision",
        ),
        ("spectrum", None, {"shift": "yes"}, "no option of spectrum; expected nothing"),
        ("co-occurrence", None, {"ofset": "2"}, r"no option .*close: offset"),
        ("co-occurrence", None, {"offset": "0"}, "no offset of co-occurrence.* 1, 2, 3, … 255"),
        ("patch-resnet50-layer1", None, {"scoring": "vote"}, r"no scoring .*close: votes"),
    ],
)
def test_what_is_unknown_is_refused(
    name: str, arch: str | None, options: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        baseline_named(name, arch, options)


def test_recipes() -> None:
    """The figures of the published table."""
    adam = TrainingRecipe("adam", 1e-4, 64)
    assert baseline_named("resnet50-blur-jpeg-0.1").recipe == adam
    assert baseline_named("resnet50-blur-jpeg-0.5").recipe == adam
    assert baseline_named("clip-vit-l14-tuned").recipe == TrainingRecipe("adamw", 1e-4, 256)
    for name in ("patch-resnet50-layer1", "patch-xception-block2"):
        assert baseline_named(name).recipe == TrainingRecipe("adam", 1e-3, 32, balanced=True)
    assert baseline_named("spectrum").recipe == TrainingRecipe(
        "sgd", 0.01, 16, max_epochs=20, stops_early=False, dampening=0.9, weight_decay=1e-4
    )


def test_pixels() -> None:
    """Likewise."""
    shares = [baseline_named(name).train_pixels.perturbed for name in PUBLISHED]
    assert shares == [0.1, 0.5, 0.5, 0, 0, 0, 0]
    sizes = [baseline_named(name).test_pixels.size for name in PUBLISHED]
    assert sizes == [224, 224, 224, 224, 299, 256, 224]
    resized = [baseline_named(name).test_pixels.resize for name in PUBLISHED]
    assert resized == [None, None, None, 224, 299, None, 256]
    trained = baseline_named("resnet50-blur-jpeg-0.5")
    train, validation = trained.train_pixels, trained.validation_pixels
    assert (train.resize, train.crop, train.flipped) == (256, "random", 0.5)
    assert (validation.resize, validation.fixed) == (256, True)
