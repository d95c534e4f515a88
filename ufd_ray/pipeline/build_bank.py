"""Labelled images → a feature bank."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray

from ufd_ray.encoders import EncoderIdentity, EncoderSpec
from ufd_ray.errors import UfdError
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.cluster import join_cluster, our_errors_only
from ufd_ray.pipeline.encoding import EncoderPlan, plan_encoder
from ufd_ray.pipeline.flow import make_flow
from ufd_ray.pipeline.inputs import list_inputs, rehearse, storage_options
from ufd_ray.pipeline.progress import progress_lines
from ufd_ray.schema import REJECTS, bank_row
from ufd_ray.settings import BuildBankSettings
from ufd_ray.storage import (
    Parts,
    StorageOptions,
    check_writable,
    delete_folder,
    is_made_already,
    join_uri,
    new_run_id,
    utc_now,
    write_document,
    write_table,
)


def build_bank(settings: BuildBankSettings) -> Outcome:
    """Run the job. The bank exists once `bank.json` does, which is written last.

    Raises:
        SettingsError: the settings cannot be used; nothing was encoded.
        UfdError: the job failed; there is no bank.
    """
    storage = storage_options(settings)
    spec = EncoderSpec.parse(settings.encoder)
    fingerprint = settings.fingerprint()
    if is_made_already(settings.output, "bank.json", fingerprint, "a bank built", storage):
        print(f"this bank has been built already: {settings.output}")
        return Outcome.PUBLISHED
    check_writable(settings.output, storage)
    with our_errors_only():
        cluster = join_cluster()
        plan = plan_encoder(settings, spec, settings.preprocess, settings.dtype, cluster)
        # Below the bank and under a name of its own: what a killed build left is never picked up.
        scratch = join_uri(settings.output, f"building-{new_run_id()}")
        manifest, parts = join_uri(scratch, "manifest"), join_uri(scratch, "parts")
        try:
            if not settings.dry_run:
                listed = list_inputs(settings, manifest, storage, labelled=True)
            encoder = ray.get(ray.remote(_identify).options(**_room(plan)).remote(plan, storage))
            if settings.dry_run:
                rehearse(settings, encoder.preprocess, encoder.input_size, storage, labelled=True)
                print("dry run: every setting can be used; nothing was written")
                return Outcome.PUBLISHED
            flow = make_flow(settings, plan, encoder, cluster, storage)
            with progress_lines(flow.tally, "encode", listed.num_images, settings.progress_s):
                flow.append(flow.embed(manifest), parts)
            return _publish(settings, storage, plan, encoder, parts, listed.num_images)
        finally:
            delete_folder(scratch, storage)


def _identify(plan: EncoderPlan, storage: StorageOptions) -> EncoderIdentity:
    return plan.load(storage).identity


def _room(plan: EncoderPlan) -> dict[str, float]:
    return {"num_gpus": 1, "num_cpus": 0.5} if plan.device == "cuda" else {"num_cpus": 0.5}


def _publish(
    settings: BuildBankSettings,
    storage: StorageOptions,
    plan: EncoderPlan,
    encoder: EncoderIdentity,
    parts_uri: str,
    num_images: int,
) -> Outcome:
    parts = Parts(parts_uri, storage)
    parts.check_accounts(num_images)
    rejects, shards = [], []
    counts: dict[str, Counter[str]] = {n: Counter() for n in ("label", "source", "split", "view")}
    num_searchable = 0
    for number, rows in enumerate(parts.ranges(num_images, settings.rows_per_file)):
        usable = pc.is_valid(rows["embedding"])
        rejects.append(_rejected(rows.filter(pc.invert(usable))))
        shard = _shard(rows.filter(usable), encoder.dim, settings)
        for name, counter in counts.items():
            found = shard[name].value_counts().to_pylist()
            counter.update({str(entry["values"]): entry["counts"] for entry in found})
        num_searchable += pc.sum(pc.equal(shard["split"], "train")).as_py() or 0
        name = f"shards/part-{number:05d}.parquet"
        shards.append(write_table(settings.output, name, shard, storage))
    rejected = pa.concat_tables(rejects)
    files = {"rejects": write_table(settings.output, "rejects.parquet", rejected, storage)}
    num_usable = num_images - len(rejected)
    if not num_usable:
        raise UfdError("none of the images could be encoded; rejects.parquet says why")
    over = len(rejected) / num_images > settings.max_error_rate
    outcome = Outcome.PUBLISHED_WITH_ERRORS if over else Outcome.PUBLISHED
    bank = {
        "outcome": outcome.word,
        "built_at": utc_now(),
        "encoder": encoder.to_dict(),
        "encoder_id": encoder.encoder_id,
        "precision": plan.precision,
        "dim": encoder.dim,
        "dtype": settings.dtype,
        "num_rows": num_usable,
        "num_searchable": num_searchable,
        "num_rejected": len(rejected),
        "counts": {name: dict(counter) for name, counter in counts.items()},
        "shards": [asdict(shard) for shard in shards],
        "rejects": asdict(files["rejects"]),
        "fingerprint": settings.fingerprint(),
    }
    write_document(settings.output, "bank.json", bank, storage)
    print(
        f"bank of {num_usable:,} embeddings ({counts['label']['0']:,} real,"
        f" {counts['label']['1']:,} fake) by encoder {encoder.encoder_id}: {settings.output}"
    )
    if len(rejected):
        print(f"{len(rejected):,} images are not in it; rejects.parquet says why")
    return outcome


def _rejected(rows: Any) -> Any:
    schema = pa.schema(REJECTS)
    status = pa.array(["error"] * len(rows), pa.string())
    return rows.append_column("status", status).select(schema.names).cast(schema)


def _shard(rows: Any, dim: int, settings: BuildBankSettings) -> Any:
    columns = {name: rows[name] for name in ("image_id", "uri", "member", "label", "embedding")}
    nothing = pa.nulls(len(rows), pa.string())
    columns["source"] = rows["source"] if "source" in rows.column_names else nothing
    given = rows["split"] if "split" in rows.column_names else nothing
    columns["split"] = pc.coalesce(given, _draw_splits(rows["image_id"], settings.val_share))
    columns["view"] = pa.array(np.zeros(len(rows), np.int16))
    schema = bank_row(dim, settings.dtype)
    return pa.table(columns).select(schema.names).cast(schema)


def _draw_splits(image_ids: Any, val_share: float) -> Any:
    # The id decides: the same image falls on the same side whatever the order and the company.
    drawn = [int(name[:8], 16) / 2**32 for name in image_ids.to_pylist()]
    return pa.array(["val" if share < val_share else "train" for share in drawn], pa.string())
