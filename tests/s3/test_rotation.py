"""A key pair that is revoked while a job runs, after another one has taken its place."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.crawl.handmade import make_probe
from tests.crawl.items import contents
from tests.crawl.runs import run_script
from tests.s3.profiles import KeyService
from tests.s3.waiting import until
from tests.servers.s3 import S3Server
from ufd_ray.encoders import Encoder, EncoderSpec


@pytest.mark.slow
def test_a_run_outlives_the_key_that_it_began_with(
    s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    client = s3_server.client()
    for item in contents():
        client.put_object(Bucket=bucket, Key=item.name, Body=item.data)
    encoder = Encoder.load(EncoderSpec.parse("timm/test_resnet:random:1"))
    probe = make_probe(tmp_path / "probe", encoder.identity)
    first, second = s3_server.create_access_key(), s3_server.key
    service = KeyService.start(tmp_path, s3_server, first)
    flags = (f"--input=s3://{bucket}/odd", f"--probe={probe}", f"--output=s3://{bucket}/out")
    run = "out/runs/long/"

    def has(name: str) -> bool:
        listed = client.list_objects_v2(Bucket=bucket, Prefix=run + name)
        return bool(listed["KeyCount"])

    with ThreadPoolExecutor() as pool:
        job = pool.submit(
            run_script,
            "score",
            *flags,
            "--run-id=long",
            "--max-error-rate=1",
            env=service.environment,
        )
        assert until(lambda: has("manifest/") or job.done())
        # The listing is written. What is fetched, appended and published comes after.
        service.hand_out(second)
        s3_server.remove_access_key(first)
        assert not has("_SUCCESS")
        ended = job.result()
    assert (ended.status, ended.err) == (0, "")
    data = client.get_object(Bucket=bucket, Key=f"{run}scores/part-00000.parquet")["Body"].read()
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    codes = {row["uri"].partition("/odd/")[2]: row["error_code"] for row in rows}
    assert codes == {item.name.removeprefix("odd/"): item.code for item in contents()}
