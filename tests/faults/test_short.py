"""The faults that every change has to survive. The whole list: `test_whole.py`."""

from __future__ import annotations

from typing import Any

from tests.faults.table import FaultTable
from tests.faults.trial import Trial
from tests.servers.faulty import Modes
from tests.unit.images.poison import endless_jpeg, large_png


def test_a_killed_driver_is_gone_on_from(trial: Trial, fault_table: FaultTable) -> None:
    with trial.driver("killed", "--lease-s", "3") as driver:
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


def test_killed_workers_and_a_second_driver(trial: Trial, fault_table: FaultTable) -> None:
    with trial.driver("workers") as first:
        first.kill_worker("EncodeImages")
        with trial.driver("workers") as second:
            trial.wait_for_rows("workers", first)
            first.kill_worker("DetectGenerated")
            assert first.end().status == 0, first.said
            assert second.end().status == 0, second.said
    assert "run workers has been published already" in second.said
    assert "images listed" not in second.said
    fault_table.add(
        "encoder and search worker killed, a second driver beside", trial.judge("workers")
    )
    assert trial.document("workers")["rows_reused"] == 0


def test_a_storm_of_failing_reads(trial: Trial, fault_table: FaultTable) -> None:
    trial.proxy.modes = Modes(
        slow_down=0.3, reset_before=0.05, reset_mid=0.05, truncate=0.05, stall=0.02, only="/crawl/"
    )
    job = trial.run("storm", "--fetch-timeout-s", "3", "--fetch-attempts", "8")
    assert job.status == 0, job.said
    done = "of all reads 30 % answered 503, 10 % reset, 5 % cut short, 2 % stalled"
    fault_table.add(done, trial.judge("storm"))
    assert trial.proxy.num_faults > 0.3 * len(trial.images)


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
