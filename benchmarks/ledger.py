"""What `--incremental` costs: n listed images against a ledger of n, a hundredth new or changed.

    python benchmarks/ledger.py [--sizes 100_000 1_000_000 10_000_000]

Writes its own published run and its own manifest into a temporary folder (about 200 bytes an image,
and as much for spilling), then has a child process for each size select and write what is new.
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
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ufd_ray.schema import SCORES
from ufd_ray.storage import Ledger, StorageOptions, write_manifest

ROWS_PER_FILE = 100_000
DETECTOR = "detector"
NOON = 1_795_521_600_000_000  # µs


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--measure", metavar="FOLDER", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(Path(given.measure))))
        return
    print(f"{os.cpu_count()} cores\n")
    print("| images | reading | scan and join | writing | in all | peak memory |")
    print("|---|---|---|---|---|---|")
    for size in given.sizes:
        with tempfile.TemporaryDirectory(prefix="ufd-ray-ledger-") as folder:
            make(Path(folder), size)
            command = [sys.executable, __file__, "--measure", folder]
            child = subprocess.run(command, check=True, capture_output=True, text=True)
            found = json.loads(child.stdout)
        check(found, size)
        seconds = " | ".join(f"{s:.1f} s" for s in found["seconds"])
        print(f"| {size:,} | {seconds} | {found['peak_bytes'] / 1e9:.2f} GB |", flush=True)


def check(found: dict[str, Any], size: int) -> None:
    """The counts have to come out right: every image is new, changed or unchanged."""
    numbers = np.arange(size)
    num_taken = int((is_new(numbers, size) | is_changed(numbers)).sum())
    assert (found["num_images"], found["num_unchanged"]) == (num_taken, size - num_taken), found


def is_new(numbers: Any, size: int) -> Any:
    return numbers < size // 100


def is_changed(numbers: Any) -> Any:
    return numbers % 100 == 50


def measure(folder: Path) -> dict[str, Any]:
    """In a process of its own, whose peak memory is that of the work alone."""
    options = StorageOptions()
    begun = time.perf_counter()
    ledger = TimedLedger(str(folder), options, DETECTOR)
    info = write_manifest(f"{folder}/new", listed(folder), options, ledger=ledger)
    ended = time.perf_counter()
    times = [begun, ledger.begun, ledger.ended, ended]
    return {
        "num_images": info.num_images,
        "num_unchanged": info.num_unchanged,
        "seconds": [*np.diff(times).tolist(), ended - begun],
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


class TimedLedger(Ledger):
    """Knows when it was asked and when it had answered."""

    begun = ended = 0.0

    def holding_runs(self, *given: Any) -> Any:
        self.begun = time.perf_counter()
        answer = super().holding_runs(*given)
        self.ended = time.perf_counter()
        return answer


def listed(folder: Path) -> Iterator[Any]:
    for batch in pq.ParquetFile(folder / "listed.parquet").iter_batches(50_000):
        yield pa.Table.from_batches([batch])


def make(folder: Path, size: int) -> None:
    """A published run of the images size/100 … size*101/100, and a listing of 0 … size."""
    run = folder / "runs" / "before"
    (run / "scores").mkdir(parents=True)
    files = []
    for start in range(0, size, ROWS_PER_FILE):
        numbers = np.arange(start, min(start + ROWS_PER_FILE, size)) + size // 100
        name = f"scores/part-{len(files):05d}.parquet"
        pq.write_table(scores(numbers), run / name, compression="zstd")
        files.append({"name": name})
    document = {"format_version": 1, "run_id": "before", "started_at": "2026-11-24T12:00:00+00:00"}
    (run / "run.json").write_text(json.dumps(document | {"detector_id": DETECTOR, "files": files}))
    (run / "_SUCCESS").touch()
    with pq.ParquetWriter(folder / "listed.parquet", images(np.arange(1)).schema) as sink:
        for start in range(0, size, ROWS_PER_FILE):
            numbers = np.arange(start, min(start + ROWS_PER_FILE, size))
            sink.write_table(images(numbers, is_changed(numbers)))


def images(numbers: Any, changed: Any = False) -> Any:
    versions = numbers + np.asarray(changed, np.int64)
    etags = [hashlib.md5(b"%d" % n, usedforsecurity=False).hexdigest() for n in versions.tolist()]
    return pa.table(
        {
            "uri": [
                f"s3://crawl/2026-11-24/shard-{n // 1000:05d}/{n}.jpg" for n in numbers.tolist()
            ],
            "etag": etags,
            "size_bytes": pa.array(numbers % 1_000_000, pa.int64()),
            "last_modified": pa.array(NOON + numbers, pa.timestamp("us", tz="UTC")),
        }
    )


def scores(numbers: Any) -> Any:
    rows = images(numbers)
    ids = [hashlib.sha256(f"{u}\0".encode()).hexdigest()[:32] for u in rows["uri"].to_pylist()]
    rows = rows.append_column("image_id", pa.array(ids))
    rows = rows.append_column("status", pa.array(["scored"] * len(rows)))
    score = pa.array(np.modf(numbers * 0.618)[0], pa.float32())
    for field in SCORES:
        if field.name not in rows.column_names:
            values = score if field.name == "probe_score" else pa.nulls(len(rows), field.type)
            rows = rows.append_column(field, values)
    return rows.select([field.name for field in SCORES])


if __name__ == "__main__":
    main()
