"""Views through Ray: the same bytes however they are spread, and a bank that holds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray.data

from tests.crawl.runs import run_here
from tests.unit.images.samples import encoded, picture
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.images import DecodeLimits, Views, decode, to_pixels, view_key
from ufd_ray.images.views import make_views
from ufd_ray.pipeline.banking.plan import BankPlan
from ufd_ray.pipeline.build_bank import build_bank
from ufd_ray.pipeline.reading import decode_images
from ufd_ray.settings import BuildBankSettings
from ufd_ray.storage import StorageOptions, read_bank_info, read_searchable

pytestmark = pytest.mark.usefixtures("ray_cluster")
NUM_VIEWS, SEED = 3, 5


def files(num: int) -> list[bytes]:
    kinds = ("PNG", "JPEG", "WEBP")
    return [
        encoded(picture(200 + 9 * seed, 260 - 7 * seed, seed=seed), kinds[seed % 3])
        for seed in range(num)
    ]


def through_ray(data: Sequence[bytes], *, num_tasks: int, batch_size: int) -> dict[str, str]:
    """SHA-256 of each file's bytes → that of its views."""
    hashes = [hashlib.sha256(file).hexdigest() for file in data]
    rows = pa.table(
        {
            "uri": [f"/{place}.png" for place in range(len(data))],
            "content_hash": hashes,
            "data": pa.array(data, pa.large_binary()),
        }
    )
    stage = partial(
        decode_images,
        mode="crop",
        size=64,
        limits=DecodeLimits(),
        bank=BankPlan(0.3, NUM_VIEWS, SEED),
    )
    decoded = (
        ray.data.from_arrow([rows])
        .repartition(num_tasks)
        .map_batches(
            stage,
            batch_size=batch_size,
            num_cpus=0.25,
            batch_format="pyarrow",
            zero_copy_batch=True,
        )
    )
    found = decoded.take_all()
    assert {row["split"] for row in found} == {"train", "val"}
    return {row["content_hash"]: hashlib.sha256(row["view_pixels"]).hexdigest() for row in found}


def test_views_are_the_same_bytes_however_they_are_spread() -> None:
    data = files(14)
    one = through_ray(data, num_tasks=1, batch_size=14)
    two = through_ray(data[::-1], num_tasks=2, batch_size=3)
    four = through_ray(data[7:] + data[:7], num_tasks=4, batch_size=1)
    assert one == two == four
    assert len(set(one.values())) == len(data)


@pytest.mark.slow
def test_a_bank_holds_them_beside_the_images(tmp_path: Path) -> None:
    for label, some in (("0_real", files(8)[:4]), ("1_fake", files(8)[4:])):
        for place in ("train", "val"):
            (tmp_path / place / label).mkdir(parents=True)
        for number, file in enumerate(some):
            place = "val" if number == 3 else "train"
            (tmp_path / place / label / f"{number}.img").write_bytes(file)
    strip = encoded(picture(9000, 1), "PNG")  # view 0 is sound, no view can be made
    (tmp_path / "train" / "0_real" / "strip.png").write_bytes(strip)
    bank = tmp_path / "bank"
    flags = ("--input", f"{tmp_path}/train", "--val-input", f"{tmp_path}/val")
    flags += ("--encoder", "timm/test_resnet:random:1", "--precision", "fp32", "--batch-size", "5")
    flags += ("--views", str(NUM_VIEWS), "--seed", str(SEED), "--rows-per-file", "20")
    ended = run_here(BuildBankSettings, build_bank, *flags, "--output", str(bank))
    assert (ended.status, ended.err) == (3, "")  # one of nine failed
    assert "bank of 8 embeddings (4 real, 4 fake) and 20 of augmented views" in ended.out

    document = json.loads((bank / "bank.json").read_text())
    assert document["counts"] == {
        "label": {"0": 4, "1": 4},
        "source": {},
        "split": {"train": 6, "val": 2},
        "view": {"0": 8, "1": 8, "2": 6, "3": 6},
    }
    counted = [document[name] for name in ("num_images", "num_rows", "num_searchable")]
    assert [*counted, document["views"], document["seed"]] == [8, 28, 6, NUM_VIEWS, SEED]
    (reject,) = pq.read_table(bank / "rejects.parquet").to_pylist()
    assert (reject["error_code"], reject["width"]) == ("too_many_pixels", 9000)
    sizes = [shard["num_rows"] for shard in document["shards"]]
    assert sum(sizes) == 28
    assert max(sizes) <= 20
    assert len(sizes) == 2

    rows = pq.read_table([bank / shard["name"] for shard in document["shards"]])
    encoder = Encoder.load(EncoderSpec.parse("timm/test_resnet:random:1"))
    for row in rows.to_pylist():
        expected = encode_by_hand(encoder, row)
        assert np.abs(expected - row["embedding"]).max() <= 1e-5 * np.abs(expected).max()
    searched = read_searchable(read_bank_info(str(bank), StorageOptions()), StorageOptions())
    assert len(searched) == len(set(searched["uri"].to_pylist())) == 6
    assert all("/train/" in uri for uri in searched["uri"].to_pylist())


def encode_by_hand(encoder: Encoder, row: dict[str, Any]) -> Any:
    """A bank's row, without Ray and without the other views."""
    data = Path(row["uri"]).read_bytes()
    image, size = decode(data, max_pixels=10**8), encoder.input_size
    if row["view"] == 0:
        return encoder.encode(to_pixels(image, mode="crop", size=size)[None])[0]
    key = view_key(hashlib.sha256(data).hexdigest(), SEED)
    views = make_views(image, Views(row["view"], row["split"], key), size)
    return encoder.encode(views[-1:])[0]
