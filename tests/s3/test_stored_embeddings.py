"""Embeddings in a bucket, scored into it."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.crawl.handmade import TINY, make_probe
from tests.crawl.runs import run_here
from tests.servers.s3 import S3Server
from tests.unit.pipeline.stored_files import vectors, write_embeddings
from ufd_ray.pipeline.score import score
from ufd_ray.settings import ScoreSettings


@pytest.mark.usefixtures("ray_cluster", "s3_env")
def test_files_below_a_prefix_are_scored(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    probe, client = make_probe(tmp_path / "probe"), s3_server.client()
    told = {"ufd_ray.encoder_id": TINY.encoder_id}
    for number in range(3):
        path = tmp_path / f"{number}.parquet"
        write_embeddings(path, vectors(50, TINY.dim, seed=number), rows_per_group=20, metadata=told)
        client.upload_file(str(path), bucket, f"in/a b/{number}.parquet")
    root = f"s3://{bucket}/out"
    flags = (f"--embeddings=s3://{bucket}/in", f"--probe={probe}", f"--output={root}")
    ended = run_here(ScoreSettings, score, *flags, "--run-id=r")
    assert ended.status == 0, ended.err
    data = client.get_object(Bucket=bucket, Key="out/runs/r/scores/part-00000.parquet")
    rows = pq.read_table(io.BytesIO(data["Body"].read())).to_pylist()
    assert [(row["uri"], row["member"]) for row in rows] == [
        (f"s3://{bucket}/in/a b/{number}.parquet", str(row))
        for number in range(3)
        for row in range(50)
    ]
    assert {row["status"] for row in rows} == {"scored"}
    assert all(row["etag"] for row in rows)
