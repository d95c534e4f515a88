"""A crawl, models and published runs under the pages' names, copied for each block."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crawl.fixtures import Trained
from tests.crawl.items import Item, contents
from tests.crawl.runs import run_here
from tests.docs.names import Names
from tests.docs.room import Room
from tests.servers.s3 import S3Server
from ufd_ray.demo.pictures import training_pictures
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage.stores import open_store, s3_client


@pytest.fixture(autouse=True)
def fresh_clients() -> None:
    """Forget the clients of tests with other credentials."""
    for cached in (open_store, s3_client):
        cached.cache_clear()


@pytest.fixture(scope="session")
def pages_bucket(
    s3_server: S3Server,
    trained: Trained,
    crawl_pictures: Sequence[Item],
    tmp_path_factory: pytest.TempPathFactory,
) -> Room:
    """A bucket with the crawl, labelled images, bank and probe."""
    client, bucket = s3_server.client(), s3_server.make_bucket()

    def put(key: str, data: bytes) -> None:
        client.put_object(Bucket=bucket, Key=key, Body=data)

    for picture in training_pictures(tmp_path_factory.mktemp("labelled"), 12, seed=0):
        kind = "1_fake" if picture.label else "0_real"
        put(f"crawl/labelled/{kind}/{picture.path.name}", picture.path.read_bytes())
    # Two that fail, which is less than a tenth.
    odd = (item for item in contents() if item.code in (None, "empty", "unsupported"))
    for item in (*crawl_pictures[:20], *odd):
        put(f"crawl/2026-11-24/{item.name}", item.data)
    for name, folder in (("bank", trained.bank), ("probe", trained.probe)):
        for file in (path for path in folder.rglob("*") if path.is_file()):
            put(f"models/models/{name}/{file.relative_to(folder)}", file.read_bytes())
    return Room(Names(bucket, "models"), client)


@contextmanager
def _logged_in(server: S3Server) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        yield


def _score(room: Room, *flags: str) -> None:
    from ufd_ray.pipeline.score import score

    models = ("--bank", "s3://models/bank", "--probe", "s3://models/probe")
    words = room.names.words([*models, "--output", "s3://scores", *flags])
    ended = run_here(ScoreSettings, score, *words)
    assert ended.status == 0, ended.err


@pytest.fixture(scope="session")
def published(pages_bucket: Room, s3_server: S3Server) -> Room:
    """The models, and the published run of 2026-11-24 with its `current`."""
    from ufd_ray.storage import StorageOptions, write_current

    room = Room(Names(pages_bucket.names.bucket, "published"), pages_bucket.client)
    room.furnish(pages_bucket)
    with _logged_in(s3_server):
        _score(room, "--input", "s3://crawl/2026-11-24", "--run-id", "2026-11-24")
        write_current(room.names.uri("s3://scores"), 1000, StorageOptions())
    return room


@pytest.fixture(scope="session")
def kept(pages_bucket: Room, s3_server: S3Server) -> Room:
    """The models, and two runs that kept their embeddings."""
    room = Room(Names(pages_bucket.names.bucket, "kept"), pages_bucket.client)
    room.furnish(pages_bucket)
    with _logged_in(s3_server):
        for run_id, images in (("2026-11-23", "labelled"), ("2026-11-24", "2026-11-24")):
            inputs = ("--input", f"s3://crawl/{images}")
            _score(room, *inputs, "--run-id", run_id, "--keep-embeddings")
    return room


@pytest.fixture
def make_room(
    pages_bucket: Room, trained: Trained, tmp_path: Path, s3_env: dict[str, str]
) -> Callable[[str, Room | None], Room]:
    """A room of this name, furnished like another one; empty but for local files without one."""

    def make(name: str, like: Room | None) -> Room:
        shutil.copy(trained.manifest, tmp_path / "labelled.csv")
        names = Names(pages_bucket.names.bucket, name, str(tmp_path))
        room = Room(names, pages_bucket.client)
        if like is not None:
            room.furnish(like)
        return room

    return make
