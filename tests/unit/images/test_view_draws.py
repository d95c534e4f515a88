"""What chance decides about views, counted over many."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from ufd_ray.images import view_key
from ufd_ray.images.view_draws import ViewDraws, draw_view

NUM_IMAGES, NUM_VIEWS = 2000, 4
KEYS = [view_key(hashlib.sha256(b"%d" % number).hexdigest(), 7) for number in range(NUM_IMAGES)]
DRAWN = [draw_view(key, view, "train") for key in KEYS for view in range(1, NUM_VIEWS + 1)]
PINNED = ViewDraws(
    sigma=0.4918824015185237,
    quality=56,
    place=(0.9843487038742751, 0.21062037767842412),
    is_flipped=True,
)
# They are always the same draws: a bound that holds once holds for ever.
FAIR = 1e-3


def is_a_fair_coin(heads: list[bool]) -> bool:
    return chisquare([sum(heads), len(heads) - sum(heads)]).pvalue > FAIR


def test_half_are_blurred_half_compressed_half_flipped_each_by_itself() -> None:
    coins = [(d.sigma is not None, d.quality is not None, d.is_flipped) for d in DRAWN]
    for one in zip(*coins, strict=True):
        assert is_a_fair_coin(list(one))
    assert chisquare(list(Counter(coins).values())).pvalue > FAIR
    assert len(set(coins)) == 8


def test_blur_is_uniform_from_0_to_3() -> None:
    sigmas = [drawn.sigma for drawn in DRAWN if drawn.sigma is not None]
    assert kstest(sigmas, "uniform", (0, 3)).pvalue > FAIR
    assert 0 < min(sigmas) < 0.01
    assert 2.99 < max(sigmas) <= 3


def test_every_quality_from_30_to_100_is_equally_likely() -> None:
    counts = Counter(drawn.quality for drawn in DRAWN if drawn.quality is not None)
    assert sorted(counts) == list(range(30, 101))
    assert chisquare(list(counts.values())).pvalue > FAIR


def test_the_crop_may_lie_anywhere() -> None:
    for axis in (0, 1):
        shares = np.array([drawn.place[axis] for drawn in DRAWN if drawn.place])
        assert len(shares) == len(DRAWN)
        assert shares.max() < 1
        assert kstest(shares, "uniform").pvalue > FAIR
        places = np.bincount((shares * 33).astype(int))  # as in a side of 256, to crop 224 of
        assert len(places) == 33
        assert chisquare(places).pvalue > FAIR


def test_nothing_drawn_tells_of_anything_else() -> None:
    both = [d for d in DRAWN if d.sigma is not None and d.quality is not None and d.place]
    table = np.array([(d.sigma, d.quality, *d.place, d.is_flipped) for d in both], float)  # type: ignore[misc]
    correlations = np.corrcoef(table.T) - np.eye(5)
    assert np.abs(correlations).max() < 4 / len(both) ** 0.5


def test_what_validates_keeps_two_coins_and_nothing_else() -> None:
    drawn = Counter(draw_view(key, 1, "val") for key in KEYS)
    kinds = {
        ViewDraws(sigma, quality, None, False) for sigma in (None, 1.5) for quality in (None, 65)
    }
    assert set(drawn) == kinds
    assert chisquare(list(drawn.values())).pvalue > FAIR


def test_bytes_seed_and_number_all_count() -> None:
    a, b = (hashlib.sha256(data).hexdigest() for data in (b"a", b"b"))
    keys = [view_key(a, 0), view_key(a, 1), view_key(b, 0), view_key(a, 2**63 - 1)]
    drawn = {draw_view(key, number, "train") for key in keys for number in range(1, 65)}
    assert len(drawn) == 4 * 64
    assert {len(key) for key in keys} == {32}


def test_they_are_what_they_have_always_been() -> None:
    # A bank that is added to, or made again, has to find the same views.
    key = view_key(hashlib.sha256(b"an image").hexdigest(), 0)
    assert draw_view(key, 8, "train") == PINNED
    with pytest.raises(ValueError, match="non-hexadecimal"):
        view_key("no digest", 0)
