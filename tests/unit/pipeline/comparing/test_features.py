"""What a last layer sees of the images that are drawn, from pixels to a map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.crawl.handmade import HERE
from tests.crawl.tiny_baseline import ARCH, NAME, Tiny, save_untrained, tiny_known
from tests.unit.images.samples import noise
from tests.unit.report.figures.test_panels import comments
from ufd_ray.baselines import load_network
from ufd_ray.pipeline.comparing.compared import Compared, features_columns, read_compared
from ufd_ray.pipeline.comparing.features import draw_features
from ufd_ray.pipeline.comparing.stage import FEATURES, SCORE, ScoreByBaseline
from ufd_ray.pipeline.evaluating.listed_sets import TEST_SET
from ufd_ray.pipeline.placement import Pool
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import network_file

SIDE = Tiny(NAME, ARCH, True).test_pixels.size


@pytest.fixture
def compared(tmp_path: Path) -> Compared:
    named = f"small={save_untrained(tmp_path / 'baseline', 'seen')}"
    settings = EvaluateSettings(input=["/i"], output="/o", probe="/p", compare_baseline=[named])
    with tiny_known():
        (one,) = read_compared(settings, HERE)
    return one


def decoded(num: int) -> Any:
    """Images at every other position, the second of which could not be read."""
    pixels = [None if n == 1 else noise(SIDE, SIDE, seed=n).tobytes() for n in range(num)]
    return pa.table(
        {
            "position": [2 * n for n in range(num)],
            "image_id": [f"{n}" for n in range(num)],
            "pixels": pa.array(pixels, pa.large_binary()),
            "error_code": pa.array(["empty" if n == 1 else None for n in range(num)]),
            "error_message": pa.array(["no bytes" if n == 1 else None for n in range(num)]),
        }
    )


def test_features_are_of_the_images_that_are_drawn(
    compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = torch.get_num_threads()
    monkeypatch.setattr("ufd_ray.pipeline.comparing.stage.this_node", lambda: (here, 0))
    given = (compared.baseline, compared.info, "cpu", HERE, Pool(1, 1, 1), None)
    rows, drawn = decoded(6), np.array([1, 2, 4, 10, 99])
    found = ScoreByBaseline(*given, drawn)(rows)
    assert found[SCORE].null_count == 1
    assert found[FEATURES].is_valid().to_pylist() == [False, False, True, False, False, True]
    with network_file(compared.info, HERE) as file:
        network = load_network(compared.baseline, file)
    head = network.get_submodule("head")
    for place in (2, 5):
        features = torch.tensor(found[FEATURES][place].as_py())
        logit = head(features).item()
        assert 1 / (1 + np.exp(-logit)) == pytest.approx(found[SCORE][place].as_py(), abs=1e-6)
    none_drawn = ScoreByBaseline(*given, np.array([7]))(rows)
    assert none_drawn.schema == found.schema
    assert none_drawn[FEATURES].null_count == 6
    assert FEATURES not in ScoreByBaseline(*given)(rows).column_names


def kept(one: Compared, features: Any, sets: list[str]) -> Any:
    return pa.table(
        {
            TEST_SET: sets,
            "label": pa.array([n % 2 for n in range(len(sets))], pa.int8()),
            one.features_column: pa.array(features, pa.list_(pa.float32())),
        }
    )


def test_sets_of_its_source_are_the_seen_ones(compared: Compared) -> None:
    features = list(np.random.default_rng(0).normal(size=(14, 5)).astype(np.float32))
    features[3] *= 0  # as behind a ReLU
    sets = ["seen"] * 5 + ["new"] * 9
    drawing, facts = draw_features(compared, kept(compared, features, sets), 7)
    images = {"seen_real": 3, "seen_fake": 2, "unseen_real": 4, "unseen_fake": 5}
    assert (facts["images"], facts["seen_sets"], facts["seed"]) == (images, ["seen"], 7)
    assert {"real, seen (3)", "fake, unseen (5)"} <= set(comments(drawing))
    assert features_columns([compared]) == ["features_of_small"]
    with pytest.raises(ValueError, match="9 images have features, of 10 at least"):
        draw_features(compared, kept(compared, features[:9], sets[:9]), 0)
    features[0] = np.full(5, np.inf, np.float32)
    with pytest.raises(ValueError, match="not finite numbers"):
        draw_features(compared, kept(compared, features, sets), 0)
