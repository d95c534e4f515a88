"""What a bank's rows say of one another: how far apart they lie, and on demand all of it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from ufd_ray.detectors import AuditSummary, nearest_distances, sum_up, tell_row
from ufd_ray.errors import UfdError
from ufd_ray.pipeline.banking.leave_one_out import STAGE, Drawing, leave_one_out
from ufd_ray.pipeline.placement import Pool
from ufd_ray.pipeline.progress import progress_lines, start_tally
from ufd_ray.pipeline.searching import SearchPlan, open_search
from ufd_ray.settings import BuildBankSettings
from ufd_ray.storage import (
    BankInfo,
    LeaveOneOut,
    StorageOptions,
    join_uri,
    open_parts,
    write_audit,
)

_K = 9
"""Neighbours that judge a label: as many as vote by default."""
_NUM_NAMED = 5


def find_evidence(
    settings: BuildBankSettings,
    bank: BankInfo,
    plan: SearchPlan,
    pool: Pool,
    storage: StorageOptions,
    scratch: str,
    quantile: float,
) -> LeaveOneOut:
    """Search rows of a bank in all the others.

    With `--audit` these are all rows; `audit.parquet` is written beside the shards and summed up.

    Args:
        settings: the job's.
        bank: whose shards are there; its `bank.json` need not be.
        plan: where it is searched.
        pool: workers that search, or ask those who do.
        storage: how storage is reached.
        scratch: URI of a folder that the caller removes.
        quantile: share of images like the bank's that are to count as within it.

    Raises:
        UfdError: a shard cannot be read or searched, or something cannot be written.
    """
    num, parts = bank.num_searchable, join_uri(scratch, "leave-one-out")
    if num < 2:
        raise UfdError(f"bank {bank.uri}: {num} images to search; it takes two to compare them")
    k, share = min(_K, num - 1), 1.0 if settings.audit else settings.out_of_bank_rows / num
    drawing, tally = Drawing(share, settings.seed), start_tally()
    lines = progress_lines(tally, STAGE, round(min(share, 1) * num), settings.progress_s)
    with closing(open_search(plan, bank, storage)) as search, lines:
        leave_one_out(bank, search, pool, storage, drawing, k, parts, tally)
    found = open_parts(parts, storage)
    columns = found.to_table(columns=["nn_real_distance", "nn_fake_distance"])
    distances = nearest_distances(*(column.to_numpy() for column in columns.columns))
    measured = sum_up(distances, quantile, sampled=share < 1)
    if settings.audit:
        _audit(bank, found, k, storage)
    return measured


def _audit(bank: BankInfo, found: Any, k: int, storage: StorageOptions) -> None:
    summary, worst = AuditSummary(k), list[dict[str, Any]]()
    for rows in write_audit(bank, found, storage):
        summary.add(rows)
        worst += rows.slice(0, _NUM_NAMED - len(worst)).to_pylist()
    named = [f"  {tell_row(row)}" for row in worst if row["reason"]]
    where = f"audit: {join_uri(bank.uri, 'audit.parquet')}"
    print(*summary.lines(), *named, where, sep="\n")
