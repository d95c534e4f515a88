"""A baseline that is trained from a bucket into a bucket, and read from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.crawl.runs import run_here
from tests.crawl.tiny_baseline import NAME, tiny_known, write_pictures
from tests.crawl.training_here import trained_in_this_process
from tests.s3.test_s3_run import read_prefix, upload
from tests.servers.s3 import S3Server
from ufd_ray.baselines import baseline_named, load_network, score_pixels
from ufd_ray.pipeline.train_baseline import train_baseline
from ufd_ray.settings import TrainBaselineSettings
from ufd_ray.storage import StorageOptions, network_file, read_baseline_info


@pytest.mark.usefixtures("ray_cluster")
def test_from_a_bucket_into_a_bucket(
    s3_server: S3Server,
    log_in: Callable[[Mapping[str, str]], None],
    tmp_path: Path,
) -> None:
    log_in(s3_server.environment())
    bucket, client = s3_server.make_bucket(), s3_server.client()
    images = upload(client, bucket, write_pictures(tmp_path / "images", 8), "images")
    output = f"s3://{bucket}/models/tiny"
    flags = ("--baseline", NAME, "--input", images, "--output", output, "--val-share", "0.3")
    with tiny_known():
        with trained_in_this_process():
            ended = run_here(TrainBaselineSettings, train_baseline, *flags)
        assert (ended.status, ended.err) == (0, "")
        names = set(read_prefix(client, bucket, "models/tiny/"))
        assert names == {"baseline.json", "baseline.safetensors", "curve.png", "rejects.parquet"}
        info = read_baseline_info(output, "--compare-baseline", StorageOptions())
        baseline = baseline_named(info.name)
        with network_file(info, StorageOptions()) as file:
            network = load_network(baseline, file)
    size = baseline.test_pixels.size
    scores = score_pixels(baseline, network, np.zeros((2, size, size, 3), np.uint8))
    assert np.isfinite(scores).all()
    assert scores[0] == scores[1]
