"""What it costs to take a run up again, and to publish it, as a function of its rows.

For each size, a run of which every row is done is laid out as the pipeline leaves it (a manifest,
parts and checkpoints of 256 rows each). Then is measured: finding the rows that are done, and the
whole publication (accounts, duplicates, files, reading back). Peak memory is that of a process of
its own. With `--delay-ms`, all lies on the tests' S3 server (Ceph's where it is installed, else
moto), of which every answer comes that much later, as over a distance.

    python benchmarks/resume.py --rows 10000 100000 1000000
    python benchmarks/resume.py --rows 50000 --delay-ms 30
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_BLOCK = 256
ROWS_PER_MANIFEST = 500_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--delay-ms", type=float, help="on S3, every answer so late")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--endpoint", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure, given.rows[0], given.endpoint)
        return
    where = "local disk" if given.delay_ms is None else f"S3, answers {given.delay_ms:g} ms late"
    print(f"{os.cpu_count()} CPUs; {where}")
    print("| rows | rows done found in | published in | peak memory | GETs, HEADs a part |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for num_rows in given.rows:
        with tempfile.TemporaryDirectory(prefix="ufd-ray-resume-") as folder:
            lay_out(Path(folder), num_rows)
            if given.delay_ms is None:
                found = measured(folder, num_rows) | {"gets": "–"}
            else:
                with on_s3(Path(folder), given.delay_ms / 1000) as (root, proxy, environment):
                    found = measured(root, num_rows, proxy.url, environment)
                    num_parts = -(-num_rows // ROWS_PER_BLOCK)
                    counts = (proxy.num_gets / num_parts, proxy.num_heads / num_parts)
                    found["gets"] = "{:.1f}, {:.1f}".format(*counts)
        print(
            f"| {num_rows:,} | {found['done_s']:.1f} s | {found['publish_s']:.1f} s |"
            f" {found['peak_gb']:.2f} GB | {found['gets']} |"
        )


def measured(
    root: str, num_rows: int, endpoint: str = "", environment: dict[str, str] | None = None
) -> dict[str, Any]:
    command = [sys.executable, __file__, "--measure", root, "--rows", str(num_rows)]
    command += ["--endpoint", endpoint] if endpoint else []
    environment = os.environ | (environment or {})
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


@contextmanager
def on_s3(folder: Path, delay_s: float) -> Iterator[tuple[str, Any, dict[str, str]]]:
    """The run on the tests' S3 server, behind a proxy: its URI, the proxy, how to log in."""
    sys.path.append(str(Path(__file__).parents[1]))
    from tests.servers.faulty import Modes, faulty
    from tests.servers.s3 import start_s3_server

    with start_s3_server() as server, faulty(server.endpoint) as proxy:
        client, bucket = server.client(), server.make_bucket()
        for file in folder.rglob("*.parquet"):
            client.upload_file(str(file), bucket, str(file.relative_to(folder)))
        proxy.modes = Modes(delay_s=delay_s)
        yield f"s3://{bucket}", proxy, server.environment()


def measure(root: str, num_rows: int, endpoint: str | None) -> None:
    from ufd_ray.pipeline.checkpoint import rows_done
    from ufd_ray.pipeline.publishing import publish_scores
    from ufd_ray.storage import RunFolder, StorageOptions

    run = RunFolder(root, "a", StorageOptions(s3_endpoint=endpoint))
    begun = time.perf_counter()
    done = rows_done(run, num_rows)
    done_s = time.perf_counter() - begun
    assert int(done.sum()) == num_rows
    begun = time.perf_counter()
    files, census = publish_scores(run, num_rows, 100_000, "probe", {})
    publish_s = time.perf_counter() - begun
    assert census.num_images == num_rows == sum(file.num_rows for file in files)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"done_s": done_s, "publish_s": publish_s, "peak_gb": peak}))


def lay_out(folder: Path, num_rows: int) -> None:
    from ufd_ray.schema import MANIFEST, POSITION, SCORES

    run = folder / "runs" / "a"
    for name in ("manifest", "parts", "checkpoint"):
        (run / name).mkdir(parents=True)
    schema, listed = pa.schema([POSITION, *SCORES]), pa.schema(MANIFEST)
    order = np.random.default_rng(0).permutation(-(-num_rows // ROWS_PER_BLOCK))
    for start in range(0, num_rows, ROWS_PER_MANIFEST):
        rows = table(range(start, min(start + ROWS_PER_MANIFEST, num_rows)), listed)
        pq.write_table(rows, run / "manifest" / f"part-{start // ROWS_PER_MANIFEST:05d}.parquet")
    for number, block in enumerate(order.tolist()):
        first = block * ROWS_PER_BLOCK
        rows = table(range(first, min(first + ROWS_PER_BLOCK, num_rows)), schema)
        pq.write_table(rows, run / "parts" / f"{number:06d}-0.parquet")
        pq.write_table(rows.select(["position"]), run / "checkpoint" / f"{number:06d}.parquet")


def table(positions: range, schema: pa.Schema) -> pa.Table:
    """Rows as they are scored by a probe; of every hundredth image the bytes occur twice."""
    number = len(positions)
    uris = [f"s3://crawl/2026-11-24/{position:09d}.jpg" for position in positions]
    contents = [hashlib.sha256(str(p - (p % 100 == 1)).encode()).hexdigest() for p in positions]
    scores = np.random.default_rng(positions.start).random(number, np.float32)
    known = {
        "position": pa.array(positions, pa.int64()),
        "image_id": [hashlib.sha256(uri.encode()).hexdigest()[:32] for uri in uris],
        "uri": uris,
        "etag": [content[:32] for content in contents],
        "size_bytes": np.full(number, 90_000),
        "status": ["scored"] * number,
        "content_hash": contents,
        "format": ["JPEG"] * number,
        "probe_logit": scores,
        "probe_score": scores,
        "verdict": ["real"] * number,
    }
    columns = [
        pa.array(known[field.name], field.type)
        if field.name in known
        else pa.nulls(number, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


if __name__ == "__main__":
    main()
