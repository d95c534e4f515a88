"""OpenAI's own files are programs; their tensors are read, and nothing of them is run."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.unit.encoders.inputs import random_pixels
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.encoders.torchscript import is_torchscript, read_torchscript
from ufd_ray.errors import SettingsError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]

SMALL = "timm/mobilenetv3_small_050"


CONFIG = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 32},
    "text_cfg": {"context_length": 7, "vocab_size": 20, "width": 64, "heads": 1, "layers": 1},
}


@pytest.fixture(scope="module", autouse=True)
def known_to_open_clip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """open_clip has an architecture `ViT-T-32`, for as long as these tests run."""
    folder = tmp_path_factory.mktemp("configs")
    (folder / "ViT-T-32.json").write_text(json.dumps(CONFIG))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_clip.factory, "_MODEL_CONFIGS", {})
        patch.setattr(open_clip.factory, "_MODEL_CONFIG_PATHS", [])
        open_clip.add_model_config(folder)
        yield


def tiny_clip() -> nn.Module:
    """CLIP in OpenAI's layout, its sizes beside its weights, all in half precision."""
    torch.manual_seed(3)
    model: nn.Module = open_clip.model.CLIP(**CONFIG).half().eval()
    for name, number in (("input_resolution", 64), ("context_length", 7), ("vocab_size", 20)):
        if hasattr(model, name):
            delattr(model, name)
        model.register_buffer(name, torch.tensor(number))
    return model


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("openai") / "ViT-T-32.pt"
    pixels, words = torch.zeros(1, 3, 64, 64).half(), torch.zeros(1, 7, dtype=torch.long)
    torch.jit.save(torch.jit.trace(tiny_clip(), (pixels, words), check_trace=False), file)
    return file


def state_by_torch(file: Path) -> dict[str, Tensor]:
    """What torch says, which compiles the program to say it."""
    state: dict[str, Tensor] = torch.jit.load(file, "cpu").state_dict()
    return state


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype, name
        assert torch.equal(ours[name], tensor), name


def test_the_tensors_are_those_that_torch_finds(clip: Path) -> None:
    assert is_torchscript(clip)
    tensors = read_torchscript(clip)
    same(tensors, state_by_torch(clip))
    assert tensors["visual.conv1.weight"].dtype == torch.float16
    assert {"input_resolution", "context_length", "vocab_size"} <= tensors.keys()


class Odd(nn.Module):
    """What a module may hold beside plain weights."""

    def __init__(self) -> None:
        super().__init__()
        self.turned = nn.Parameter(torch.arange(12.0).view(3, 4).t())
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
        self.second.weight = self.first.weight  # one tensor under two names
        self.norm = nn.BatchNorm2d(4).double()
        self.register_buffer("empty", torch.zeros(0, 5))
        self.register_buffer("flags", torch.tensor([True, False]))
        self.register_buffer("part", torch.arange(20, dtype=torch.bfloat16)[5:9])
        self.sizes, self.name, self.share = [1, 2], "odd", 0.5

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x)


def test_every_kind_of_tensor_is_read(tmp_path: Path) -> None:
    file = tmp_path / "odd.pt"
    torch.jit.save(torch.jit.script(Odd()), file)
    tensors = read_torchscript(file)
    same(tensors, state_by_torch(file))
    assert tensors["turned"].stride() == (1, 4)


@pytest.mark.parametrize("arch", [SMALL, "torchvision/mobilenet_v3_small"])
def test_every_library_takes_such_a_file(arch: str, tmp_path: Path) -> None:
    seeded = Encoder.load(EncoderSpec(arch, "random:2"))
    library, _, name = arch.partition("/")
    with torch.random.fork_rng():
        torch.manual_seed(2)
        own = _model(library, name)
    file = tmp_path / "w.pt"
    torch.jit.save(torch.jit.trace(own, torch.zeros(1, 3, 64, 64)), file)
    loaded = Encoder.load(EncoderSpec(arch, str(file)))
    assert loaded.identity.encoder_id == seeded.identity.encoder_id


def _model(library: str, name: str) -> nn.Module:
    import timm
    import torchvision

    if library == "timm":
        return timm.create_model(name).eval()  # type: ignore[no-any-return]
    return torchvision.models.get_model(name).eval()  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", ["tensors.pt", "wrapped.pth", "tensors.safetensors", "image.bin"])
def test_the_formats_of_clip_give_one_encoder(kind: str, clip: Path, tmp_path: Path) -> None:
    state = tiny_clip().state_dict()
    file = tmp_path / kind
    match kind:
        case "tensors.safetensors":
            save_file({name: tensor.contiguous() for name, tensor in state.items()}, file)
        case "wrapped.pth":
            wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
            torch.save({"epoch": 1, "state_dict": wrapped}, file)
        case "image.bin":  # the image tower by itself
            visual = {k.removeprefix("visual."): v for k, v in state.items() if "visual." in k}
            torch.save(visual, file)
        case _:
            torch.save(state, file)
    other = Encoder.load(EncoderSpec("ViT-T-32", str(file)))
    published = Encoder.load(EncoderSpec("ViT-T-32", str(clip)))
    assert other.identity.encoder_id == published.identity.encoder_id
    assert torch.equal(published._tower.conv1.weight, state["visual.conv1.weight"].float())  # type: ignore[union-attr,arg-type]
    assert published.encode(random_pixels(1, 64)).any()
    assert published.weights_file is not None
    assert other.weights_file is not None
    assert published.weights_file.sha256 == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert other.weights_file.to_dict() == {
        "source": str(file),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "size_bytes": file.stat().st_size,
    }


# What somebody may have made of such a file


def repack(
    source: Path, target: Path, change: Callable[[str, bytes], bytes | None], **options: Any
) -> Path:
    """A copy of the archive in which each record is what `change` makes of it; None: left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", **options) as new:
        for entry in old.infolist():
            data = change(entry.filename.partition("/")[2], old.read(entry))
            if data is not None:
                new.writestr(entry.filename, data, entry.compress_type)
    return target


def with_pickle(data: bytes) -> Callable[[str, bytes], bytes | None]:
    return lambda name, old: data if name == "data.pkl" else old


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


PROTO, STOP = b"\x80\x02", b"."
MODULE = b"c__torch__\nM\n)\x81"


def number(value: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", value)


def tensor(numel: int, size: int, stride: int, offset: int = 0) -> bytes:
    """Opcodes of one tensor in the record `data/0`."""
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu"
    storage += number(numel) + b"tQ"
    shape = b"(" + number(size) + b"t(" + number(stride) + b"t"
    rest = b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + shape + rest + b"tR"


def module_with(value: bytes) -> bytes:
    return PROTO + MODULE + b"}(X\x01\0\0\0w" + value + b"ub" + STOP


NUMEL = 224
"""Of the record `data/0` as 32-bit numbers."""
NO_TENSORS = "data.pkl holds other things than tensors"
HOSTILE = {
    "a number of elements beyond the record": (
        module_with(tensor(2**40, 4, 1)),
        "record data/0 has 896 bytes; expected 4,398,046,511,104",
    ),
    "a shape beyond the storage": (module_with(tensor(NUMEL, 2**40, 1)), "in a storage of 224"),
    "strides that repeat": (module_with(tensor(NUMEL, 2**40, 0)), "in a storage of 224"),
    "strides that reach too far": (module_with(tensor(NUMEL, 3, 112)), "in a storage of 224"),
    "an offset beyond the storage": (module_with(tensor(NUMEL, 1, 1, NUMEL)), "in a storage of"),
    "a negative offset": (module_with(tensor(NUMEL, 1, 1, -1)), "no whole numbers"),
    "a negative stride": (module_with(tensor(NUMEL, 2, -1, 5)), "no whole numbers"),
    "no tensor where one is named": (
        module_with(b"ctorch._utils\n_rebuild_tensor_v2\n)R"),
        NO_TENSORS,
    ),
    "a function of Python": (
        module_with(b"cbuiltins\neval\n(X\x01\0\0\0" + b"1tR"),
        r"it names builtins\.eval; only tensors are read",
    ),
    "a function of torch": (
        module_with(b"ctorch\nload\n(X\x01\0\0\0" + b"1tR"),
        r"it names torch\.load; only tensors are read",
    ),
    "a module named as one of Python's": (
        module_with(b"c__torch__.os\nsystem\n(X\x01\0\0\0" + b"1tR"),
        "no tensors in it",
    ),
    "no tensors": (PROTO + MODULE + b"}b" + STOP, "no tensors in it"),
    "a list": (PROTO + b"]" + STOP, "no tree of at most"),
    "a module without an end": (
        PROTO + MODULE + b"q\0}(X\x01\0\0\0mh\0ub" + STOP,
        "no tree of at most",
    ),
    "bytes that take room before they come": (
        b"\x80\x05\x96" + struct.pack("<Q", 2**33) + STOP,
        NO_TENSORS,
    ),
    "a module that holds itself by many names": (
        PROTO
        + MODULE
        + b"q\0}("
        + b"".join(b"X\x04\0\0\0%04dh\0" % name for name in range(5000))
        + b"ub"
        + STOP,
        "no tree of at most",
    ),
    "a memo of billions": (PROTO + b"]r\xff\xff\xff\xff" + STOP, "no tree of at most"),
    "nothing": (b"", "damaged archive"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_pickle_is_refused_in_one_line(kind: str, clip: Path, tmp_path: Path) -> None:
    data, reason = HOSTILE[kind]
    file = repack(clip, tmp_path / "w.pt", with_pickle(data))
    complaint = f"no checkpoint of plain tensors; expected .*{reason}"
    with pytest.raises(SettingsError, match=complaint) as caught:
        Encoder.load(EncoderSpec(SMALL, str(file)))
    assert "\n" not in str(caught.value)


def test_the_tensor_of_these_tests_is_one(clip: Path, tmp_path: Path) -> None:
    # Else the refusals above would be about something else.
    file = repack(clip, tmp_path / "w.pt", with_pickle(module_with(tensor(NUMEL, 2, 111, 112))))
    tensors = read_torchscript(file)
    assert {name: tuple(found.shape) for name, found in tensors.items()} == {"w": (2,)}


def test_no_command_is_run(clip: Path, tmp_path: Path) -> None:
    marker = tmp_path / "run"
    for protocol in range(6):
        data = pickle.dumps(Payload(marker), protocol=protocol)
        file = repack(clip, tmp_path / "w.pt", with_pickle(data))
        with pytest.raises(SettingsError, match=r"it names \w+\.system; only tensors are read"):
            Encoder.load(EncoderSpec(SMALL, str(file)))
    assert not marker.exists()
    os.system(f"touch {marker}")
    assert marker.exists()  # the command would have worked


def test_a_pickle_that_changes_what_it_is_given_changes_nothing_else(
    clip: Path, tmp_path: Path
) -> None:
    # BUILD with a slot state sets attributes of what a name stands for, here of a function.
    poison = b"ctorch._utils\n_rebuild_tensor_v2\nN}X\x0c\0\0\0__qualname__X\x01\0\0\0xs\x86b"
    data = PROTO + MODULE + b"}(X\x01\0\0\0f" + poison + b"X\x01\0\0\0w" + tensor(8, 2, 1) + b"ub."
    file = repack(clip, tmp_path / "w.pt", with_pickle(data))
    with pytest.raises(ValueError, match="expected at most 32"):  # it came as far as the record
        read_torchscript(file)
    assert torch._utils._rebuild_tensor_v2.__qualname__ == "_rebuild_tensor_v2"
    same(read_torchscript(clip), state_by_torch(clip))


def test_a_missing_record_is_named(clip: Path, tmp_path: Path) -> None:
    for record in ("data/3", "data.pkl"):
        gone = repack(clip, tmp_path / "w.pt", lambda n, d, gone=record: None if n == gone else d)  # type: ignore[misc]
        with pytest.raises(SettingsError, match=f"no record {record} in it"):
            Encoder.load(EncoderSpec(SMALL, str(gone)))


def test_a_record_of_another_length_is_named(clip: Path, tmp_path: Path) -> None:
    for cut in (lambda data: data[:-2], lambda data: data + b"\0\0"):
        file = repack(clip, tmp_path / "w.pt", lambda n, d, c=cut: c(d) if n == "data/3" else d)  # type: ignore[misc]
        with pytest.raises(SettingsError, match=r"record data/3 has [\d,]+ bytes; expected"):
            Encoder.load(EncoderSpec(SMALL, str(file)))


def test_a_compressed_record_is_refused(clip: Path, tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    with zipfile.ZipFile(clip) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    with pytest.raises(SettingsError, match="not compressed"):
        Encoder.load(EncoderSpec(SMALL, str(file)))


def test_a_damaged_archive_is_refused(clip: Path, tmp_path: Path) -> None:
    whole = clip.read_bytes()
    with zipfile.ZipFile(clip) as archive:
        entry = archive.getinfo("ViT-T-32/data/3")
    flipped = bytearray(whole)
    flipped[entry.header_offset + 200] ^= 1
    for data in (whole[: len(whole) // 2], whole[:-10], bytes(flipped)):
        file = tmp_path / "w.pt"
        file.write_bytes(data)
        with pytest.raises(SettingsError, match="no checkpoint of plain tensors") as caught:
            Encoder.load(EncoderSpec(SMALL, str(file)))
        assert "\n" not in str(caught.value)


def test_a_plain_checkpoint_is_no_torchscript(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    torch.save({"w": torch.zeros(1)}, file)
    assert not is_torchscript(file)
    shutil.copyfile(__file__, file)
    assert not is_torchscript(file)
    torch.save({"w": torch.zeros(1)}, buffer := io.BytesIO())
    file.write_bytes(buffer.getvalue()[:-4])
    assert not is_torchscript(file)
