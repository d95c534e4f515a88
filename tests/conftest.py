"""What every test shares: a clean environment, one S3 server, one Ray, and the two markers."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.faults.table import FaultTable
from tests.servers.s3 import S3Server, start_s3_server

# Bank, probe and runs that several folders of tests look at.
pytest.register_assert_rewrite("tests.crawl.checks", "tests.crawl.runs")
pytest_plugins = ["tests.crawl.fixtures"]

# How long an example takes decides nothing: machines are busy.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

S3_KIND = pytest.StashKey[str]()
FAULTS = pytest.StashKey[FaultTable]()
LOOPBACK = "127.0.0.1,localhost"
RAY_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
RAY_PATIENT = {"RAY_worker_register_timeout_seconds": "600"}
"""Seconds after which Ray gives a worker up that is still being imported; by default 60."""
RAY_TRAIN_LOOKS = {"RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1"}
"""How often Ray Train asks its workers whether they are done; by default every two seconds."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run tests marked slow as well")
    parser.addoption("--fault-table", metavar="FILE", help="write the table of faults to FILE")


def pytest_configure(config: pytest.Config) -> None:
    """Give the whole session an environment without anybody's credentials.

    Done here, not in a fixture: session fixtures and the import of Ray come before any
    fixture of a test.
    """
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    folder = tempfile.TemporaryDirectory(prefix="ufd-ray-tests-")
    config.add_cleanup(folder.cleanup)
    forget_credentials(patch, Path(folder.name))
    patch.setenv("UFD_RAY_CACHE", f"{folder.name}/cache")
    for name in ("NO_PROXY", "no_proxy"):  # a proxy would catch the servers on loopback
        patch.setenv(name, LOOPBACK, prepend=",")
    for name, value in (RAY_QUIET | RAY_PATIENT | RAY_TRAIN_LOOKS).items():
        patch.setenv(name, value)
    # Without a token of its own Ray makes one in the home folder, and asks for it ever after.
    patch.setenv("RAY_AUTH_MODE", "token")
    patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    patch.delenv("RAY_ADDRESS", raising=False)


def forget_credentials(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Hide every credential that boto3, obstore or Google's client could find on this machine."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_")):
            patch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        empty = folder / name.lower()
        empty.touch()
        patch.setenv(name, str(empty))
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = config.getoption("--run-slow") or "slow" in config.getoption("markexpr")
    slow = pytest.mark.skip(reason="slow: give --run-slow or -m slow")
    for item in items:
        if not asked and item.get_closest_marker("slow"):
            item.add_marker(slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not _has_cuda():
        pytest.skip("no CUDA device on this machine")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if S3_KIND in config.stash:
        terminalreporter.write_line(f"S3 server of these tests: {config.stash[S3_KIND]}")
    if FAULTS in config.stash:
        table = config.stash[FAULTS].markdown()
        terminalreporter.write_line(table)
        if file := config.getoption("--fault-table"):
            Path(file).write_text(table)


def _has_cuda() -> bool:
    import torch  # takes seconds, and most runs select no such test

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def s3_server(pytestconfig: pytest.Config) -> Iterator[S3Server]:
    """A real S3 server, started once, when the first test asks for it."""
    with start_s3_server() as server:
        pytestconfig.stash[S3_KIND] = server.kind
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """The name of a new, empty bucket."""
    return s3_server.make_bucket()


@pytest.fixture
def s3_env(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Point this test's environment at the server; Ray's workers are pointed at it already."""
    environment = s3_server.environment()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture(scope="session")
def ray_cluster(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """One local Ray for the whole session: the answer of `ray.init`.

    Workers inherit the environment of the raylet, which inherits this process's at the start. So
    the S3 server must be there first where any selected test uses it, and its variables are set
    for the start alone: tests without `s3_env` find none in their own process.
    """
    with pytest.MonkeyPatch.context() as patch:
        if any("s3_server" in getattr(item, "fixturenames", ()) for item in request.session.items):
            server: S3Server = request.getfixturevalue("s3_server")
            for name, value in server.environment().items():
                patch.setenv(name, value)
        import ray

        context = ray.init(
            num_cpus=4,
            include_dashboard=False,
            object_store_memory=300 * 1024**2,
            log_to_driver=False,
            logging_level="ERROR",
        )
    try:
        ray.data.DataContext.get_current().print_on_execution_start = False
        yield context.address_info
    finally:
        ray.shutdown()
