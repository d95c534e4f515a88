"""A bank that has been built already: what else there is to be found out about it."""

from __future__ import annotations

from dataclasses import replace

from ufd_ray.detectors import tell_bound
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.banking.evidence import find_evidence
from ufd_ray.pipeline.cluster import join_cluster
from ufd_ray.pipeline.ray_errors import our_errors_only, work_begun
from ufd_ray.pipeline.searching import choose_search_device, plan_on
from ufd_ray.pipeline.waiting import find_place
from ufd_ray.settings import BuildBankSettings
from ufd_ray.storage import (
    StorageOptions,
    check_writable,
    join_uri,
    new_run_id,
    read_bank_info,
    read_document,
    tidy_up,
    write_document,
)


def look_again(settings: BuildBankSettings, outcome: Outcome, storage: StorageOptions) -> Outcome:
    """Audit the bank that lies at `--output`, or find anew what is out of it; or neither.

    Its shards are left alone, and `bank.json` as well unless `--out-of-bank-quantile` is given and
    is not the one that it has.

    Args:
        settings: the job's.
        outcome: how the bank was built.
        storage: how storage is reached.

    Raises:
        SettingsError: the bank cannot be read, or `--output` not be written.
        UfdError: a shard cannot be read or searched, or something cannot be written.
    """
    given = f"--output {settings.output}"
    bank = read_bank_info(settings.output, storage, given)
    there, quantile = bank.leave_one_out, settings.out_of_bank_quantile
    asked = "out_of_bank_quantile" in settings.model_fields_set
    is_new = asked and (there is None or there.quantile != quantile)
    print(f"this bank has been built already: {settings.output}")
    if "out_of_bank_rows" in settings.model_fields_set and not is_new:
        print("--out-of-bank-rows changes nothing: bank.json has a distance for that quantile")
    if not (settings.audit or is_new):
        return outcome
    check_writable(settings.output, storage)
    if settings.dry_run:
        print("dry run: the bank is there and would be searched; nothing was written")
        return outcome
    storage = replace(storage, patient=True)
    scratch = join_uri(settings.output, f"auditing-{new_run_id()}")
    with our_errors_only():
        cluster = join_cluster()
        search_on = choose_search_device(settings.search_device, None, cluster)
    with our_errors_only(), work_begun():
        pool = find_place(settings, "cpu", cluster).detectors
        plan = plan_on(search_on, settings, bank, cluster, settings.wait_for_gpus_s)
        try:
            usual = there.quantile if there and not asked else quantile
            found = find_evidence(settings, bank, plan, pool, storage, scratch, usual)
        finally:
            tidy_up(scratch, storage)
    if is_new:
        content = read_document(settings.output, "bank.json", given, storage)
        content["leave_one_out"] = found.to_dict()
        write_document(settings.output, "bank.json", content, storage)
        print(*tell_bound(found), sep="\n")
        print("bank.json has that distance now, and runs with this bank another detector_id")
    return outcome
