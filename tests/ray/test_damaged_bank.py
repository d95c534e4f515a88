"""A bank whose shards are not those that `bank.json` names."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.crawl.handmade import HERE, make_bank
from ufd_ray.errors import StorageError
from ufd_ray.pairing import Detectors
from ufd_ray.pipeline.detecting import DetectGenerated
from ufd_ray.pipeline.ray_errors import our_errors_only
from ufd_ray.pipeline.searching import SearchPlan, open_search
from ufd_ray.settings import DecidingSettings
from ufd_ray.storage import read_bank_info


@pytest.mark.usefixtures("ray_cluster")
def test_it_is_told_at_the_first_batch_not_while_an_actor_starts(tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank")
    shard = bank / "shards" / "part-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    info = read_bank_info(str(bank), HERE)
    search = open_search(SearchPlan("replicated", 1, 1, 6, 0, 0, 0, ""), info, HERE)
    settings = DecidingSettings(bank=str(bank), k=3)
    detector = Detectors.read(settings, HERE).arguments()
    stage = DetectGenerated(search=search, detector=detector)
    with pytest.raises(StorageError) as error, our_errors_only():
        stage(pa.table({}))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"bank {bank}: shard shards/part-00000.parquet is damaged")
