"""The whole list of faults, one by one. Its short form, for every change: `test_short.py`."""

from __future__ import annotations

import random
import secrets
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from tests.crawl.runs import REPOSITORY
from tests.faults.table import FaultTable
from tests.faults.trial import Driver, Ended, Trial
from tests.servers.faulty import Modes

pytestmark = pytest.mark.slow

START_S = 6.0  # a driver of its own starts a Ray first
LEASE = ("--lease-s", "3")
PATIENT = ("--fetch-timeout-s", "3", "--fetch-attempts", "8")


def own_ray() -> dict[str, str]:
    """A token for a cluster that is not that of these tests."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def succeeds(job: Driver | Ended) -> None:
    assert job.status == 0, job.said


def test_a_driver_is_killed_at_five_random_points(trial: Trial, fault_table: FaultTable) -> None:
    draws = random.Random(0)
    for count in range(1, 6):
        trial.proxy.forget_counts()
        moment = START_S + draws.random() * trial.duration_s
        run_id = f"point-{count}"
        with trial.driver(run_id, *LEASE):
            time.sleep(moment)
        succeeds(trial.run(run_id, *LEASE))
        fault_table.add(f"driver and its Ray killed after {moment:.0f} s", trial.judge(run_id))


def test_a_driver_is_killed_again_and_again(trial: Trial, fault_table: FaultTable) -> None:
    for _ in range(3):
        with trial.driver("often", *LEASE):
            time.sleep(START_S + 0.4 * trial.duration_s)
    succeeds(trial.run("often", *LEASE))
    fault_table.add("driver and its Ray killed three times in one run", trial.judge("often"))


@pytest.mark.parametrize(
    ("stage", "count", "done"),
    [
        ("EncodeImages", 3, "encoder worker killed three times"),
        ("DetectGenerated", 1, "search worker killed"),
    ],
)
def test_workers_are_killed(
    trial: Trial, fault_table: FaultTable, stage: str, count: int, done: str
) -> None:
    run_id = f"workers-{stage}"
    with trial.driver(run_id) as driver:
        for _ in range(count):
            driver.kill_worker(stage)
            time.sleep(3)  # into the next one's work
        succeeds(driver.end())
    fault_table.add(done, trial.judge(run_id))


@pytest.mark.parametrize(
    ("fault", "modes", "done"),
    [
        ("throttled", Modes(slow_down=0.3), "30 % of reads answered 503"),
        ("reset", Modes(reset_before=0.1, reset_mid=0.1), "20 % of connections reset"),
        ("short", Modes(truncate=0.2), "20 % of bodies cut short"),
        ("stalled", Modes(stall=0.05), "5 % of bodies stalled until the timeout"),
    ],
)
def test_reads_fail(
    trial: Trial, fault_table: FaultTable, fault: str, modes: Modes, done: str
) -> None:
    trial.proxy.modes = replace(modes, only="/crawl/")
    succeeds(trial.run(f"reads-{fault}", *PATIENT))
    fault_table.add(done, trial.judge(f"reads-{fault}"))


def test_writes_fail(trial: Trial, fault_table: FaultTable) -> None:
    trial.proxy.modes = Modes(put_error=0.3)
    succeeds(trial.run("writes"))
    assert trial.proxy.num_faults > 0
    fault_table.add("30 % of writes answered 500", trial.judge("writes"))


def test_the_server_is_away_for_a_while(trial: Trial, fault_table: FaultTable) -> None:
    with trial.driver("away") as driver:
        trial.wait_for_rows("away", driver)
        trial.proxy.stop()
        time.sleep(10)
        trial.proxy.start()
        succeeds(driver.end())
    fault_table.add("server stopped for 10 s and started", trial.judge("away"))


def test_the_bucket_is_full(trial: Trial, fault_table: FaultTable) -> None:
    trial.proxy.modes = Modes(put_room_bytes=60_000)
    full = trial.run("full", *LEASE)
    assert full.status == 1
    assert "QuotaExceeded" in full.said
    assert "_SUCCESS" not in trial.names("full")
    trial.proxy.modes = Modes()
    succeeds(trial.run("full", *LEASE))
    fault_table.add("bucket full, then room made and started again", trial.judge("full"))


def test_of_two_drivers_one_gives_up(trial: Trial, fault_table: FaultTable) -> None:
    with trial.driver("two", *LEASE) as first:
        trial.wait_for_rows("two", first)
        second = trial.run("two", *LEASE)
        succeeds(first.end())
    # Which of the two it was depends on how long the first one still had to go.
    assert second.status in (0, 1)
    assert "is at work on" in second.said or "has been published already" in second.said
    fault_table.add("two drivers with one id", trial.judge("two"))


def test_a_driver_that_slept_finds_another_in_its_place(
    trial: Trial, fault_table: FaultTable
) -> None:
    with trial.driver("slept", *LEASE) as first:
        with trial.never_done():
            trial.wait_for_rows("slept", first)
            first.pause()
        succeeds(trial.run("slept", *LEASE))
        first.go_on()
        first.end()
    assert first.status == 1
    assert "another process has taken over" in first.said
    assert trial.document("slept")["outcome"] == "published"
    fault_table.add("driver suspended, another took over, the first awoke", trial.judge("slept"))


def test_a_machine_is_lost_and_another_joins(trial: Trial, fault_table: FaultTable) -> None:
    flags = ["--input", f"s3://{trial.bucket}/crawl", "--output", f"s3://{trial.bucket}/out"]
    flags += ["--run-id", "machine", *trial.detectors, "--num-encoders", "2"]
    flags += ["--s3-endpoint", trial.proxy.url]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults.lost_machine", *flags],
        cwd=REPOSITORY,
        env=trial.environment() | own_ray(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "a machine was lost" in ended.stdout
    fault_table.add("a machine (raylet) lost, another joined", trial.judge("machine"))


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
    job = trial.run("storm", *PATIENT)
    assert job.status == 0, job.said
    done = "of all reads 30 % answered 503, 10 % reset, 5 % cut short, 2 % stalled"
    fault_table.add(done, trial.judge("storm"))
    assert trial.proxy.num_faults > 0.3 * len(trial.images)
