"""What a page tells beyond the record; members of tars are looked up in the run's own manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pytest

from tests.unit.images.samples import encoded, picture
from tests.unit.pipeline.reporting.rows import DETECTORS, row, table
from tests.unit.pipeline.reporting.test_earlier import RUN, publish
from ufd_ray.errors import StorageError
from ufd_ray.pipeline.reporting.findings import _offsets, find
from ufd_ray.pipeline.reporting.survey import Survey
from ufd_ray.report import Earlier, count_pictures
from ufd_ray.schema import MANIFEST
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import RunFolder, StorageOptions, write_table

HERE = StorageOptions()


def test_offsets_are_those_of_the_manifest(tmp_path: Path) -> None:
    offsets = [512, None, 2048, 4096, 8192]
    for number, (start, end) in enumerate(((0, 3), (3, 5))):
        rows = [
            {"position": n, "image_id": str(n), "uri": "/a.tar", "offset": offsets[n]}
            for n in range(start, end)
        ]
        table = pa.Table.from_pylist(rows, pa.schema(MANIFEST))
        write_table(str(tmp_path), f"part-{number:05d}.parquet", table, HERE, rows_per_group=2)
    assert _offsets(str(tmp_path), {1, 2, 4}, HERE) == {2: 2048, 4: 8192}


def test_where_there_are_no_members_no_manifest_is_read(tmp_path: Path) -> None:
    assert _offsets(str(tmp_path / "none"), set(), HERE) == {}
    (tmp_path / "part-00000.parquet").write_bytes(b"no manifest")
    with pytest.raises(StorageError):
        _offsets(str(tmp_path), {0}, HERE)


@pytest.mark.parametrize(
    ("given", "shown", "said"),
    [
        ({}, 3, "report.html: 3 thumbnails of images (--no-gallery leaves them out)\n"),
        ({"gallery": False}, None, ""),
        ({"input": [], "from_run": ["before"]}, 0, ""),
    ],
)
def test_images_are_read_again_where_they_were_read_and_may_be(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    given: dict[str, Any],
    shown: int | None,
    said: str,
) -> None:
    publish(tmp_path, "before", [0.1, 0.9])
    file = tmp_path / "a.png"
    file.write_bytes(encoded(picture(), "PNG"))
    survey = Survey(DETECTORS)
    survey.add(table(row(0, 0.9, vote=0.9, uri=str(file))))
    flags = {"input": ["/x"], "output": str(tmp_path), "probe": "/probe"} | given
    folder = RunFolder(str(tmp_path), "now", HERE)
    found = find(ScoreSettings(**flags), folder, Mock(content=RUN), survey)
    assert isinstance(found.earlier, Earlier)
    assert (found.earlier.run_id, found.sources) == ("before", survey.sources)
    assert (count_pictures(found.galleries) if found.galleries else None) == shown
    assert capsys.readouterr().out == said
