"""Networks whose numbers are not drawn, since they are loaded over."""

from __future__ import annotations

import threading

import pytest
import timm.layers
import torch
from torch import nn

from ufd_ray.encoders.tower import NoRandomNumbers


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (-0.1, 0.1), (1.5, 3.0), (2.0, 2.5)])
@pytest.mark.parametrize("truncate", [nn.init.trunc_normal_, timm.layers.trunc_normal_])
@pytest.mark.parametrize("was", [0.0, 1e9, float("nan")])
def test_what_draws_until_all_are_within_bounds_comes_to_an_end(
    was: float,
    truncate: object,
    bounds: tuple[float, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the memory held: it is by that that it once ended or did not."""
    numbers = torch.full((50,), was)
    monkeypatch.setattr(torch, "empty_like", lambda like: torch.full_like(like, was))

    def fill() -> None:
        with NoRandomNumbers():
            assert callable(truncate)
            truncate(numbers, 0.0, 1.0, *bounds)

    filling = threading.Thread(target=fill, daemon=True)
    filling.start()
    filling.join(60)
    assert not filling.is_alive()
    assert numbers.isfinite().all()


def test_numbers_are_not_drawn() -> None:
    with NoRandomNumbers():
        assert (torch.full((9,), 7.0).normal_(3.0, 1.0) == 3).all()
        assert (torch.full((9,), 7.0).uniform_(-1.0, 1.0) == -1).all()
        assert (nn.init.normal_(nn.Parameter(torch.ones(9)), mean=2.0) == 2).all()
        assert (nn.init.uniform_(nn.Parameter(torch.ones(9)), 4.0, 5.0) == 4).all()
        before = torch.get_rng_state()
        nn.init.kaiming_uniform_(nn.Parameter(torch.ones(9, 9)))
        nn.MultiheadAttention(8, 2)
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.randn(9).std() > 0
