"""Labelled images → a feature bank."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import ray

from ufd_ray.detectors import tell_bound
from ufd_ray.encoders import EncoderIdentity, EncoderSpec, WeightsFile
from ufd_ray.errors import UfdError
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.banking.evidence import find_evidence
from ufd_ray.pipeline.banking.finished import look_again
from ufd_ray.pipeline.banking.plan import BankPlan
from ufd_ray.pipeline.banking.shard import bank_shard
from ufd_ray.pipeline.cluster import Cluster, join_cluster
from ufd_ray.pipeline.encoding import EncoderPlan, plan_encoder
from ufd_ray.pipeline.few_images import what_so_few_tell
from ufd_ray.pipeline.flow import make_flow
from ufd_ray.pipeline.inputs import check_apart, list_inputs, rehearse
from ufd_ray.pipeline.placement import Placement
from ufd_ray.pipeline.progress import progress_lines, start_tally
from ufd_ray.pipeline.ray_errors import our_errors_only, work_begun
from ufd_ray.pipeline.searching import Encoding, choose_search_device, plan_on
from ufd_ray.pipeline.waiting import find_place
from ufd_ray.schema import FAKE, REAL, REJECTS
from ufd_ray.settings import BuildBankSettings
from ufd_ray.storage import (
    BankInfo,
    Parts,
    StorageOptions,
    check_writable,
    join_uri,
    new_run_id,
    outcome_of_earlier,
    tidy_up,
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
    storage = StorageOptions.of(settings)
    check_apart(settings.input, settings.output)
    check_apart(settings.val_input, settings.output, "--val-input")
    spec = EncoderSpec.parse(settings.encoder)
    fingerprint = settings.fingerprint()
    earlier = outcome_of_earlier(settings.output, "bank.json", fingerprint, "a bank built", storage)
    if earlier is not None:
        return look_again(settings, earlier, storage)
    check_writable(settings.output, storage)
    storage = replace(storage, patient=True)
    with our_errors_only():
        cluster = join_cluster()
        plan = plan_encoder(settings, spec, settings.preprocess, settings.dtype, cluster)
        # Not beside the encoders: what they take of a GPU is free by then.
        search_on = choose_search_device(settings.search_device, Encoding(plan.device), cluster)
        # Below the bank and under a name of its own: what a killed build left is never picked up.
        scratch = join_uri(settings.output, f"building-{new_run_id()}")
        manifest, parts = join_uri(scratch, "manifest"), join_uri(scratch, "parts")
        try:
            if settings.dry_run:
                encoder, _, _ = _load_somewhere(settings, plan, cluster, storage)
                rehearse(settings, encoder.preprocess, encoder.input_size, storage, labelled=True)
                print("dry run: settings, input and output can be used; nothing was written")
                return Outcome.PUBLISHED
            num_images = list_inputs(settings, manifest, storage, labelled=True).num_images
            encoder, weights, placement = _load_somewhere(settings, plan, cluster, storage)
            flow = make_flow(
                settings, plan, encoder, placement, storage, start_tally(), BankPlan.of(settings)
            )
            with work_begun():
                with progress_lines(flow.tally, "encode", num_images, settings.progress_s):
                    flow.append(flow.embed(flow.read(manifest)), parts)
                rows = Parts(parts, manifest, storage)
                bank = _write_shards(settings, storage, plan, encoder, weights, rows, num_images)
                info = BankInfo.from_dict(settings.output, bank)
                found = find_evidence(
                    settings,
                    info,
                    plan_on(search_on, settings, info, cluster, settings.wait_for_gpus_s),
                    placement.detectors,
                    storage,
                    scratch,
                    settings.out_of_bank_quantile,
                )
                print(*tell_bound(found), sep="\n")
                return _publish(settings, storage, bank | {"leave_one_out": found.to_dict()})
        finally:
            tidy_up(scratch, storage)


def _load_somewhere(
    settings: BuildBankSettings, plan: EncoderPlan, cluster: Cluster, storage: StorageOptions
) -> tuple[EncoderIdentity, WeightsFile | None, Placement]:
    """The encoder's identity and file, as one of the workers finds them; where workers run."""
    placement = find_place(settings, plan.device, cluster)
    print(f"encoders: {placement.encoders}")
    load = ray.remote(**placement.encoders.resources)(_identify)
    return *ray.get(load.remote(plan, storage)), placement


def _identify(
    plan: EncoderPlan, storage: StorageOptions
) -> tuple[EncoderIdentity, WeightsFile | None]:
    encoder = plan.load(storage)
    return encoder.identity, encoder.weights_file


def _write_shards(
    settings: BuildBankSettings,
    storage: StorageOptions,
    plan: EncoderPlan,
    encoder: EncoderIdentity,
    weights: WeightsFile | None,
    parts: Parts,
    num_images: int,
) -> dict[str, Any]:
    """Write all rows; what `bank.json` says of them."""
    parts.check_accounts(num_images)
    rejects, shards = [], []
    counts: dict[str, Counter[str]] = {n: Counter() for n in ("label", "source", "split", "view")}
    searchable: Counter[int] = Counter()
    images_per_file = max(1, settings.rows_per_file // BankPlan.of(settings).num_pictures)
    for number, rows in enumerate(parts.ranges(num_images, images_per_file)):
        usable = pc.is_valid(rows["embedding"])
        rejects.append(_rejected(rows.filter(pc.invert(usable))))
        shard = bank_shard(rows.filter(usable), encoder.dim, settings.dtype)
        images = shard.filter(pc.equal(shard["view"], 0))
        for name, counter in counts.items():
            counted = shard if name == "view" else images
            found = counted[name].drop_null().value_counts().to_pylist()
            counter.update({str(entry["values"]): entry["counts"] for entry in found})
        searchable.update(images.filter(pc.equal(images["split"], "train"))["label"].to_pylist())
        name = f"shards/part-{number:05d}.parquet"
        shards.append(write_table(settings.output, name, shard, storage))
    rejected = pa.concat_tables(rejects)
    rejects_file = write_table(settings.output, "rejects.parquet", rejected, storage)
    num_usable = num_images - len(rejected)
    if not (searchable[REAL] and searchable[FAKE]):
        raise UfdError(
            f"of split train {searchable[REAL]:,} real and {searchable[FAKE]:,} fake images could"
            " be encoded; a bank needs both. rejects.parquet says what became of the others"
        )
    over = len(rejected) / num_images > settings.max_error_rate
    outcome = Outcome.PUBLISHED_WITH_ERRORS if over else Outcome.PUBLISHED
    return {
        "outcome": outcome.word,
        "built_at": utc_now(),
        "encoder": encoder.to_dict(),
        "encoder_id": encoder.encoder_id,
        "weights_are_random": encoder.is_random,
        "weights_file": weights.to_dict() if weights else None,
        "precision": plan.precision,
        "dim": encoder.dim,
        "dtype": settings.dtype,
        "num_images": num_usable,
        "num_rows": counts["view"].total(),
        "num_searchable": searchable.total(),
        "searchable": {str(label): searchable[label] for label in (REAL, FAKE)},
        "num_rejected": len(rejected),
        "views": settings.views,
        "seed": settings.seed,
        "counts": {name: dict(counter) for name, counter in counts.items()},
        "shards": [shard.to_dict() for shard in shards],
        "rejects": rejects_file.to_dict(),
        "fingerprint": settings.fingerprint(),
    }


def _publish(settings: BuildBankSettings, storage: StorageOptions, bank: dict[str, Any]) -> Outcome:
    write_document(settings.output, "bank.json", bank, storage)
    num_views = bank["num_rows"] - bank["num_images"]
    and_views = f" and {num_views:,} of augmented views" if num_views else ""
    num_real, num_fake = (bank["counts"]["label"][str(label)] for label in (REAL, FAKE))
    print(
        f"bank of {bank['num_images']:,} embeddings ({num_real:,} real,"
        f" {num_fake:,} fake){and_views} by encoder {bank['encoder_id']}: {settings.output}"
    )
    if bank["num_rejected"]:
        print(f"{bank['num_rejected']:,} images are not in it; rejects.parquet says why")
    for line in what_so_few_tell(num_real, num_fake):
        print(line)
    return Outcome.of(bank["outcome"])


def _rejected(rows: Any) -> Any:
    schema = pa.schema(REJECTS)
    status = pa.array(["error"] * len(rows), pa.string())
    return rows.append_column("status", status).select(schema.names).cast(schema)
