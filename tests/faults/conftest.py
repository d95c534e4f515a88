from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.conftest import FAULTS
from tests.crawl.fixtures import Trained
from tests.faults.pictures import many_pictures
from tests.faults.table import FaultTable
from tests.faults.trial import Trial
from tests.servers.faulty import Modes, faulty
from tests.servers.s3 import S3Server

NUM_IMAGES = 300


@pytest.fixture(scope="session")
def fault_table(pytestconfig: pytest.Config) -> FaultTable:
    """The table of this session; `--fault-table FILE` keeps it."""
    return pytestconfig.stash.setdefault(FAULTS, FaultTable())


@pytest.fixture(scope="session")
def whole_trial(s3_server: S3Server, trained: Trained) -> Iterator[Trial]:
    """The crawl, and its run with nothing in its way."""
    client, bucket = s3_server.client(), s3_server.make_bucket()
    keys = []
    for number, data in enumerate(many_pictures(NUM_IMAGES)):
        keys.append(f"crawl/{number:04d}.jpg")
        client.put_object(Bucket=bucket, Key=keys[-1], Body=data)
    detectors = ["--bank", str(trained.bank), "--probe", str(trained.probe), "--k", "3"]
    with faulty(s3_server.endpoint) as proxy:
        images = [f"s3://{bucket}/{key}" for key in keys]
        trial = Trial(s3_server, proxy, bucket, detectors, images)
        begun = time.monotonic()
        job = trial.run("undisturbed", "--keep-embeddings")
        trial.duration_s = time.monotonic() - begun
        assert job.status == 0, job.said
        trial.undisturbed = trial.rows("undisturbed")
        assert len(trial.undisturbed) == NUM_IMAGES
        assert trial.num_reads() == NUM_IMAGES
        yield trial


@pytest.fixture
def trial(whole_trial: Trial) -> Iterator[Trial]:
    """The crawl; no faults before the test, none after."""
    whole_trial.proxy.forget_counts()
    yield whole_trial
    whole_trial.proxy.modes = Modes()
