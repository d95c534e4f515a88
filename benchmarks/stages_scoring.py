"""Encoding, judging, searching and writing, for `stages.py`: by the stages' own classes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray.data
import torch
from encoder_product import flops_per_image
from encoder_recipes import DTYPES, random_pixels
from search_data import DIM, Bank, Floats
from search_product import Product
from search_stage import choose_plan, write_bank
from stages_ceilings import copy_rate, square_product_rate, write_rate
from stages_reading import HERE, manifest
from stages_turns import Case

from ufd_ray.cpu import fast_bf16
from ufd_ray.detectors import Probe
from ufd_ray.encoders.build import build_tower
from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.images import DecodeLimits
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.detecting import DetectGenerated
from ufd_ray.pipeline.encoding import EncodeImages, EncoderPlan, rows_at_a_time
from ufd_ray.pipeline.flow import Flow
from ufd_ray.pipeline.searching import open_search
from ufd_ray.schema import DETECTION, POSITION, SCORES
from ufd_ray.settings import Device, Precision
from ufd_ray.storage import FetchLimits, embedding_column

ROWS_A_BLOCK = 256
"""Rows that a run's stages hand each other at a time."""
K = 9


def encode_cases(encoders: dict[str, int], device: Device) -> Iterator[Case]:
    """Each encoder in each precision that is worth it, so many images of each."""
    half: Precision = "fp16" if device == "cuda" else "bf16"
    precisions: list[Precision] = ["fp32", half] if device == "cuda" or fast_bf16() else ["fp32"]
    for arch, num_images in encoders.items():
        spec = EncoderSpec(arch, "random:0")
        tower, _ = build_tower(spec)
        flops, size = flops_per_image(tower), tower.input_size
        pixels = random_pixels(num_images, size).numpy()
        rows = manifest([f"/made/{number}" for number in range(num_images)])
        column = pa.array([image.tobytes() for image in pixels], pa.large_binary())
        rows = rows.append_column("pixels", column)
        del tower
        for precision in precisions:
            plan = EncoderPlan(spec, "crop", None, device, precision, "float32")
            stage = EncodeImages(plan, plan.load(HERE).identity, HERE)
            yield Case(
                stage="encode",
                of=f"{arch}, {precision}, {flops / 1e9:.1f} GFLOP",
                num_images=num_images,
                num_bytes=3 * size * size,
                run=partial(_in_blocks, stage, rows, rows_at_a_time(device, None)),
                ceiling=f"{precision} product",
                reached=partial(_products, DTYPES[precision], device, flops),
            )


def probe_case(embeddings: Floats) -> Case:
    """A probe's word on embeddings."""
    stage = _probe_stage()
    return Case(
        stage="probe",
        of=f"{DIM} numbers, {ROWS_A_BLOCK} a batch",
        num_images=len(embeddings),
        num_bytes=4 * DIM,
        run=partial(_in_blocks, stage, embedded(embeddings), ROWS_A_BLOCK),
        ceiling="copy of the embeddings",
        reached=partial(_copies, 4 * DIM),
    )


def search_cases(
    bank: Bank, queries: Floats, cluster: Cluster, folder: Path, batches: Sequence[int]
) -> Iterator[Case]:
    """Neighbours in a bank, for so many queries a batch."""
    info = write_bank(folder / "bank", bank)
    opened = open_search(choose_plan(0, info, cluster), info, HERE)
    stage = DetectGenerated(search=opened, detector=_detector("neighbors", None))
    halved = torch.bfloat16 if fast_bf16() else torch.float32
    name = "bf16" if fast_bf16() else "fp32"
    product = Product(bank, halved)
    product.prepare(queries)
    for num in batches:
        yield Case(
            stage="search",
            of=f"{len(bank.vectors):,} rows, k {K}, {num:,} a batch",
            num_images=len(queries),
            num_bytes=4 * DIM,
            run=partial(_in_blocks, stage, embedded(queries), num),
            ceiling=f"{name} product",
            reached=partial(_product_of_search, product, queries),
        )


def write_case(embeddings: Floats, folder: Path, few: int, many: int, rounds: int) -> Case:
    """Rows with scores, appended to Parquet by Ray Data: what `many` take longer than `few`.

    Args:
        embeddings: of one block.
        folder: where files may be written.
        few: blocks of the shorter flow.
        many: blocks of the longer one.
        rounds: turns of both.
    """
    block = _probe_stage()(embedded(embeddings))
    # Of all that a flow knows, only the storage is looked at.
    flow = Flow(None, None, None, None, FetchLimits(), DecodeLimits(), HERE, None)  # type: ignore[arg-type]
    names = count()

    def append(num_blocks: int) -> tuple[float, Path]:
        parts = folder / f"parts-{next(names)}"
        begun = time.perf_counter()
        flow.append(ray.data.from_arrow([block] * num_blocks), str(parts))
        return time.perf_counter() - begun, parts

    _, parts = append(few)
    size = sum(path.stat().st_size for path in parts.rglob("*.parquet")) / (few * len(block))
    num_images = (many - few) * len(block)
    case = Case(
        stage="write",
        of=f"Parquet, {len(block)} rows a file, {size:.0f} bytes a row",
        num_images=num_images,
        num_bytes=size,
        run=lambda: None,
        ceiling="plain write, one file",
    )
    for turn in range(rounds + 1):
        short, long = append(few)[0], append(many)[0]
        if turn:  # the first is for warming up
            case.seconds.append(long - short)
            case.ceilings.append(write_rate(folder, int(size * num_images)) / size)
            case.notes = [f"a flow of {few} files takes {short:.2f} s, most of it its start"]
    return case


def embedded(embeddings: Floats) -> Any:
    """Rows as an encoder leaves them."""
    num = len(embeddings)
    told = {field.name for field in DETECTION} | {"status", "duplicate_of"}
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(num)]
    ids = [found[:32] for found in hashes]
    known: dict[str, Any] = {
        "position": range(num),
        "image_id": ids,
        "uri": [f"s3://crawl/2026-11-24/{name}.jpg" for name in ids],
        "size_bytes": [90_000] * num,
        "content_hash": hashes,
        "format": ["JPEG"] * num,
        "width": [1024] * num,
        "height": [768] * num,
    }
    fields = [field for field in (POSITION, *SCORES) if field.name not in told]
    columns = [
        pa.array(known[field.name], field.type)
        if field.name in known
        else pa.nulls(num, field.type)
        for field in fields
    ]
    rows = pa.table(columns, schema=pa.schema(fields))
    return rows.append_column("embedding", embedding_column(embeddings))


def _probe_stage() -> DetectGenerated:
    weight = np.random.default_rng(0).standard_normal(DIM).astype(np.float32)
    return DetectGenerated(search=None, detector=_detector("probe", Probe(weight, np.float32(0))))


def _detector(decider: str, probe: Probe | None) -> dict[str, Any]:
    """As `Detectors.arguments` has it."""
    return {
        "probe": probe,
        "calibration": None,
        "decider": decider,
        "threshold": 0.5,
        "unsure_above": None,
        "k": K,
        "radius": None,
    }


def _in_blocks(stage: Any, rows: Any, num: int) -> None:
    for first in range(0, len(rows), num):
        stage(rows.slice(first, num))


def _products(dtype: torch.dtype, device: Device, flops: int) -> float:
    return square_product_rate(dtype, device) / flops


def _copies(num_bytes: int) -> float:
    return copy_rate() / num_bytes


def _product_of_search(product: Product, queries: Floats) -> float:
    begun = time.perf_counter()
    product.search(queries, K)
    return len(queries) / (time.perf_counter() - begun)
