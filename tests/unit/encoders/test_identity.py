from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from ufd_ray.encoders import EncoderIdentity, require_same
from ufd_ray.encoders.digest import weights_digest
from ufd_ray.errors import IdentityError

CLIP = EncoderIdentity(
    arch="ViT-L-14-quickgelu",
    weights="openai",
    preprocess="crop",
    input_size=224,
    mean=(0.48, 0.46, 0.41),
    std=(0.27, 0.26, 0.28),
    dim=768,
    weights_digest="ab" * 32,
)


def test_round_trip_through_json() -> None:
    stored = json.loads(json.dumps(CLIP.to_dict()))
    assert EncoderIdentity.from_dict(stored) == CLIP
    assert stored["encoder_id"] == CLIP.encoder_id


def test_the_id_is_short_and_stays_what_it_is() -> None:
    # Banks out there carry it: a change here orphans them all.
    assert CLIP.encoder_id == "9040ce75a34421f7"


@pytest.mark.parametrize(
    "change",
    [
        {"arch": "ViT-L-14"},
        {"preprocess": "resize"},
        {"input_size": 336},
        {"mean": (0.48, 0.46, 0.42)},
        {"std": (0.5, 0.5, 0.5)},
        {"weights_digest": "cd" * 32},
    ],
)
def test_whatever_decides_an_embedding_changes_the_id(change: dict[str, Any]) -> None:
    other = replace(CLIP, **change)
    assert other.encoder_id != CLIP.encoder_id
    with pytest.raises(IdentityError) as caught:
        require_same(CLIP, other, "the bank /b", "the probe /p")
    message = str(caught.value)
    assert "\n" not in message
    assert f"the bank /b by ViT-L-14-quickgelu:openai (encoder_id {CLIP.encoder_id})" in message
    assert f"the probe /p by {other.spec} (encoder_id {other.encoder_id})" in message
    assert message.partition("differ in ")[2].startswith(next(iter(change)) + " ")


def test_where_the_weights_came_from_decides_nothing() -> None:
    moved = replace(CLIP, weights="/elsewhere/ViT-L-14.pt")
    assert moved.encoder_id == CLIP.encoder_id
    require_same(CLIP, moved, "a", "b")


@pytest.mark.parametrize("name", [n for n in CLIP.to_dict() if n != "encoder_id"])
def test_a_missing_field_is_named(name: str) -> None:
    stored = CLIP.to_dict()
    del stored[name]
    with pytest.raises(IdentityError, match=f"lacks {name}"):
        EncoderIdentity.from_dict(stored)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"preprocess": "squash"}, "preprocess 'squash'"),
        ({"mean": [0.5, 0.5]}, "cannot be read"),
        ({"dim": None}, "cannot be read"),
        ({"input_size": 336}, "was changed"),
    ],
)
def test_a_wrong_field_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(IdentityError, match=complaint):
        EncoderIdentity.from_dict(CLIP.to_dict() | change)


def test_random_weights_are_flagged() -> None:
    assert not CLIP.is_random
    assert replace(CLIP, weights="random:0").is_random


def test_the_digest_sees_names_shapes_types_and_values() -> None:
    def module(name: str, tensor: torch.Tensor) -> nn.Module:
        made = nn.Module()
        made.register_buffer(name, tensor)
        return made

    zeros = torch.zeros(2, 3)
    one = zeros.clone()
    one[1, 2] = 1e-30
    digests = {
        weights_digest(module("a", zeros)),
        weights_digest(module("b", zeros)),
        weights_digest(module("a", torch.zeros(3, 2))),
        weights_digest(module("a", zeros.to(torch.int32))),
        weights_digest(module("a", one)),
    }
    assert len(digests) == 5
    # The same values in another layout of memory are the same weights.
    transposed = torch.zeros(3, 2).T
    transposed[1, 2] = 1e-30
    assert weights_digest(module("a", transposed)) == weights_digest(module("a", one))


def test_the_digest_passes_over_the_count_of_batches_seen() -> None:
    norm = nn.BatchNorm2d(4)
    before = weights_digest(norm)
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked += 1
    assert weights_digest(norm) == before
