"""The page about the authors' probe, with a file made in their format; theirs is not at hand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.docs.pages import block
from tests.docs.room import Room

KEYS = (
    "docs/published-probe.md#three-commands",
    "docs/published-probe.md#other-labelled-images",
)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_from_their_file_to_scores(
    make_room: Callable[[str, Room | None], Room], pages_bucket: Room
) -> None:
    room = make_room("published-probe", pages_bucket)
    weight = np.random.default_rng(0).normal(size=(1, 1280)).astype(np.float32)
    content = OrderedDict(weight=torch.from_numpy(weight), bias=torch.zeros(1))
    torch.save(content, f"{room.names.folder}/fc_weights.pth")
    said = ""
    for key in KEYS:
        for ended in room.run_shell(block(key)):
            assert ended.status == 0, ended.out + ended.err
            said += ended.out
    assert "these are not the weights that the paper's authors publish" in said
    assert "threshold max-fpr: none" in said
