"""What comes after a run: the next crawl, the retry of what failed, a new detector."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.pictures import many_pictures
from tests.faults.trial import EXACT, Trial
from tests.servers.faulty import Modes


@pytest.fixture
def changed(trial: Trial) -> Iterator[list[str]]:
    """URIs of images whose bytes are others than those that have been scored."""
    client = trial.s3.client()
    keys = [f"crawl/{number:04d}.jpg" for number in (3, 77, 200)]
    before = {k: client.get_object(Bucket=trial.bucket, Key=k)["Body"].read() for k in keys}
    for key in keys:
        client.put_object(Bucket=trial.bucket, Key=key, Body=before[key] + b"\0")
    yield [f"s3://{trial.bucket}/{key}" for key in keys]
    for key, data in before.items():
        client.put_object(Bucket=trial.bucket, Key=key, Body=data)


def test_the_same_crawl_again_downloads_nothing(trial: Trial) -> None:
    job = trial.run("again", "--incremental")
    assert job.status == 0, job.said
    assert trial.num_reads() == 0
    assert trial.rows("again") == []
    assert "0 new or changed, 300 unchanged" in job.said


@pytest.mark.slow
def test_what_has_changed_is_scored_and_nothing_else(trial: Trial, changed: list[str]) -> None:
    job = trial.run("changed", "--incremental")
    assert job.status == 0, job.said
    assert sorted(row["uri"] for row in trial.rows("changed")) == changed
    assert trial.num_reads() == len(changed)


@pytest.mark.slow
def test_a_new_detector_scores_history_without_images(trial: Trial) -> None:
    job = trial.run("rescored", "--from-run", "undisturbed", "--decide-by", "neighbors")
    assert job.status == 0, job.said
    assert trial.num_reads() == 0
    rows = {row["uri"]: row for row in trial.rows("rescored")}
    assert rows.keys() == set(trial.images)
    for before in trial.undisturbed:
        after = rows[before["uri"]]
        assert abs(after["probe_logit"] - before["probe_logit"]) <= EXACT
        assert after["verdict"] == ("fake" if before["nn_vote"] > 0.5 else "real")
        assert after["duplicate_of"] == before["duplicate_of"]
    assert "encode" not in trial.document("rescored")["timings"]["images_by_stage"]


@pytest.mark.slow
def test_bytes_that_were_seen_before_are_not_encoded_again(trial: Trial) -> None:
    client = trial.s3.client()
    for number, data in enumerate(many_pictures(3)):
        client.put_object(Bucket=trial.bucket, Key=f"reposted/{number}.jpg", Body=data)
    inputs = f"--input=s3://{trial.bucket}/reposted"
    job = trial.run("reposted", inputs, "--reuse-embeddings")
    assert job.status == 0, job.said
    stages = trial.document("reposted")["timings"]["images_by_stage"]
    assert (stages["fetch"], stages["recall"], stages.get("encode", 0)) == (3, 3, 0)


@pytest.mark.slow
def test_what_failed_for_a_while_is_taken_up_again(trial: Trial) -> None:
    trial.proxy.modes = Modes(stall=1.0, only="/crawl/00")  # a third of the images
    # So long that a busy machine is not late for the others.
    flags = ("--fetch-timeout-s", "4", "--fetch-attempts", "1", "--max-error-rate", "1")
    job = trial.run("partly", *flags)
    assert job.status == 0, job.said
    failed = [row for row in trial.rows("partly") if row["status"] == "error"]
    assert {row["error_code"] for row in failed} == {"timeout"}
    assert len(failed) == 100
    trial.proxy.modes = Modes()
    trial.proxy.forget_counts()
    job = trial.run("retried", "--retry-failed", "partly")
    assert job.status == 0, job.said
    retried = trial.rows("retried")
    assert sorted(r["uri"] for r in retried) == sorted(r["uri"] for r in failed)
    assert trial.num_reads() == len(failed)
    done = [row for row in trial.rows("partly") if row["status"] == "scored"]
    expected = {row["uri"]: row["verdict"] for row in trial.undisturbed}
    assert {row["uri"]: row["verdict"] for row in (*done, *retried)} == expected
