from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ufd_ray.detectors import Probe, import_published, is_published, tell_whose
from ufd_ray.errors import SettingsError

WEIGHT = torch.linspace(-1, 1, 768).reshape(1, 768)
BIAS = torch.tensor([-0.5167])


def saved(content: object, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def state_dict(weight: object = WEIGHT, bias: object = BIAS) -> OrderedDict[str, object]:
    return OrderedDict(weight=weight, bias=bias)


def checkpoint() -> dict[str, object]:
    """As the authors' training saves it: the whole network, and the optimiser of the layer."""
    layer = torch.nn.Linear(768, 1)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(2, 768)).sum().backward()
    optimizer.step()
    model = OrderedDict(
        {"model.visual.proj": torch.ones(4, 4), "model.logit_scale": torch.ones(())}
    )
    model.update({"fc.weight": WEIGHT, "fc.bias": BIAS})
    return {"model": model, "optimizer": optimizer.state_dict(), "total_steps": 123}


def as_if_saved_from_a_gpu(data: bytes) -> bytes:
    """The same archive with its storages said to lie on cuda:0."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            entry = old.read(name)
            if name.endswith("data.pkl"):
                changed = entry.replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0")
                assert changed != entry
                entry = changed
            new.writestr(name, entry)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        saved(state_dict()),
        saved(state_dict(), _use_new_zipfile_serialization=False),
        as_if_saved_from_a_gpu(saved(state_dict())),
        saved(state_dict(torch.nn.Parameter(WEIGHT), torch.nn.Parameter(BIAS))),
        saved(checkpoint()),
    ],
    ids=["state dict", "legacy", "from a GPU", "parameters", "checkpoint"],
)
def test_both_formats_are_read(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "fc_weights.pth"
    path.write_bytes(data)
    for source in (data, path, str(path)):
        probe = import_published(source)
        assert probe.weight.dtype == np.float32
        np.testing.assert_array_equal(probe.weight, WEIGHT[0].numpy())
        assert probe.bias == np.float32(-0.5167)


def test_another_length_must_be_asked_for() -> None:
    data = saved(state_dict(torch.ones(1, 1024)))
    with pytest.raises(SettingsError, match=r"weight is torch.float32 \(1, 1024\), expected .*768"):
        import_published(data)
    assert len(import_published(data, dim=1024).weight) == 1024


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (state_dict(torch.ones(2, 768)), r"weight is torch.float32 \(2, 768\), expected"),
        (state_dict(torch.ones(768)), r"weight is torch.float32 \(768,\), expected"),
        (state_dict(WEIGHT.double()), r"weight is torch.float64 \(1, 768\), expected"),
        (state_dict(WEIGHT.to_sparse()), "weight is"),
        (state_dict(bias=torch.ones(2)), r"bias is torch.float32 \(2,\), expected .*\(1,\)"),
        (state_dict([1.0] * 768), "weight is a list, expected a tensor"),
        (state_dict(WEIGHT * torch.nan), "768 of its 769 weights"),
        (state_dict(bias=torch.tensor([torch.inf])), "1 of its 769 weights"),
        ({"weight": WEIGHT}, "holds weight; expected a state dict"),
        ({"model": {"fc.weight": WEIGHT}}, r"holds fc\.weight; expected"),
        ({"model": {f"layer{i}": WEIGHT for i in range(20)}}, "and 12 more; expected"),
        ({}, "holds nothing"),
        (WEIGHT, "holds a Tensor"),
        (torch.nn.Linear(768, 1), "no file of tensors and plain values"),
    ],
)
@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
def test_other_contents_are_refused(content: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        import_published(saved(content))


@pytest.mark.parametrize(
    "data", [b"", b"not a checkpoint", saved(state_dict())[:900]], ids=["empty", "text", "cut"]
)
def test_damaged_files_are_refused(data: bytes) -> None:
    with pytest.raises(SettingsError, match="no file of tensors"):
        import_published(data)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.pth cannot be read: .*No such file"):
        import_published(tmp_path / "absent.pth")


class Payload:
    """Runs a command of its maker's choice when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    target = tmp_path / "created"
    payload = Payload(target)
    attacks = [
        pickle.dumps(payload),
        saved(payload),
        saved(payload, _use_new_zipfile_serialization=False),
        saved(state_dict(bias=payload)),
        saved({**checkpoint(), "total_steps": payload}),
    ]
    for attack in attacks:
        with pytest.raises(SettingsError, match="no file of tensors"):
            import_published(attack)
        assert not target.exists()
    pickle.loads(attacks[0])
    assert target.exists()  # the payload is a live one


# The weights that the authors publish


def alike() -> Probe:
    """A probe with the digits that are known of the published one."""
    weight = np.full(768, 1.0)
    weight[:3] = -0.319579, -0.113311, -0.178390
    weight[3:] *= np.sqrt((6.2001**2 - (weight[:3] ** 2).sum()) / 765)
    return Probe(weight.astype(np.float32), np.float32(-0.5167))


def changed(place: int, by: float) -> Probe:
    weight = alike().weight.copy()
    weight[place] += np.float32(by)
    return Probe(weight, alike().bias)


def test_the_published_weights_are_recognised() -> None:
    assert is_published(alike())
    assert not is_published(Probe(WEIGHT[0].numpy(), np.float32(-0.5167)))
    assert not any(is_published(changed(place, 1e-5)) for place in range(3))
    assert not is_published(changed(500, 0.02))
    assert not is_published(Probe(alike().weight, np.float32(-0.5169)))
    assert not is_published(Probe(np.ones(2, np.float32), np.float32(0)))


def test_whose_they_are_is_told() -> None:
    ours = "ViT-L-14-quickgelu"
    said = tell_whose(alike(), ours, "crop")
    assert said == f"these are the weights that the paper's authors publish, for encoder {ours}"
    other = tell_whose(Probe(WEIGHT[0].numpy(), np.float32(0)), "RN50", "resize")
    assert other.startswith("these are not the weights that the paper's authors publish; taken for")


@pytest.mark.parametrize(("arch", "how"), [("ViT-B-16", "crop"), ("ViT-L-14-quickgelu", "resize")])
def test_the_published_weights_are_for_their_own_encoder_alone(arch: str, how: str) -> None:
    with pytest.raises(SettingsError, match=f"the bank's are of {arch} .preprocess {how}.: build"):
        tell_whose(alike(), arch, how)
