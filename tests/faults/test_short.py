"""The faults that every change has to survive. The whole list: `test_whole.py`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.table import FaultTable
from tests.faults.trial import Trial
from tests.unit.images.poison import endless_jpeg, large_png


def test_a_killed_driver_is_gone_on_from(trial: Trial, fault_table: FaultTable) -> None:
    with trial.never_done(), trial.driver("killed", "--lease-s", "3") as driver:
        trial.wait_for_rows("killed", driver)
        driver.kill()
    assert "_SUCCESS" not in trial.names("killed")
    again = trial.run("killed", "--lease-s", "3")
    assert again.status == 0, again.said
    fault_table.add("driver and its Ray killed midway, then started again", trial.judge("killed"))
    document = trial.document("killed")
    assert 0 < document["rows_reused"] < len(trial.images)
    assert document["num_attempts"] == 2
    assert f"{document['rows_reused']} of {len(trial.images)} images were done before" in again.said
    kinds = {name.partition("/")[0] for name in trial.names("killed")}
    assert kinds == {"manifest", "scores", "run.json", "report.html", "_SUCCESS"}


@pytest.mark.slow
def test_poison_costs_its_own_rows(trial: Trial, fault_table: FaultTable) -> None:
    client = trial.s3.client()
    poison = {"hangs.jpg": endless_jpeg(), "gorges.png": large_png()}
    for name, data in poison.items():
        client.put_object(Bucket=trial.bucket, Key=f"poison/{name}", Body=data)
    inputs = [f"--input=s3://{trial.bucket}/{place}" for place in ("crawl", "poison")]
    bounds = ["--decode-timeout-s", "2", "--decode-memory-mb", "256"]
    job = trial.run("poison", *inputs, *bounds)
    assert job.status == 0, job.said
    fault_table.add("one image hangs its decoder, one kills it", trial.judge("poison"))
    codes: dict[str, Any] = {
        row["uri"].rpartition("/")[2]: row["error_code"]
        for row in trial.rows("poison")
        if "/poison/" in row["uri"]
    }
    assert codes == {"hangs.jpg": "decode_timeout", "gorges.png": "crashed"}
