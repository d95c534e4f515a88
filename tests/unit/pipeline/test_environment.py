"""What the package tells Ray by variables."""

from __future__ import annotations

from ray.data._internal.datasource_v2.formats.parquet.footer_file_indexer import FooterFileIndexer

import ufd_ray.pipeline  # noqa: F401


def test_one_process_reads_the_footers_of_a_manifest() -> None:
    assert FooterFileIndexer(ignore_missing_paths=False)._num_actors == 1
