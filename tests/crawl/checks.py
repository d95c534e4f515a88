"""What holds of the crawl's run wherever it lies: on disk and on S3 the same assertions."""

from __future__ import annotations

import hashlib
import io
import math
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.crawl.fixtures import Crawled
from tests.crawl.items import Item
from tests.crawl.layout import Crawl
from tests.crawl.plain import K, Plain
from tests.crawl.runs import Run
from ufd_ray.schema import SCORES
from ufd_ray.storage import image_id

FETCH_ERRORS = {"not_found", "changed"}
FURTHER = [
    pa.field("label", pa.int8()),
    pa.field("source", pa.string()),
    pa.field("batch", pa.int64()),
    pa.field("tags", pa.list_(pa.string())),
]


def digest(item: Item) -> str:
    return hashlib.sha256(item.data).hexdigest()


class EveryImageHasItsRow:
    """Subclasses bring `crawled`, and the words with which the run ended."""

    outcome: str

    @pytest.fixture
    def run(self, crawled: Crawled) -> Run:
        return crawled.run

    @pytest.fixture
    def crawl(self, crawled: Crawled) -> Crawl:
        return crawled.crawl

    @pytest.fixture
    def rows(self, run: Run) -> dict[str, dict[str, Any]]:
        """The rows by URI."""
        return {row["uri"]: row for row in run.rows()}

    def test_each_image_has_exactly_one_row(self, run: Run, crawl: Crawl) -> None:
        assert Counter(row["uri"] for row in run.rows()) == Counter(list(crawl.items))
        assert {row["image_id"] for row in run.rows()} == set(map(image_id, crawl.items))

    def test_each_row_says_what_became_of_the_image(
        self, rows: dict[str, dict[str, Any]], crawl: Crawl
    ) -> None:
        codes = {uri: row["error_code"] for uri, row in rows.items()}
        assert codes == {uri: item.code for uri, item in crawl.items.items()}
        for row in rows.values():
            assert row["status"] == ("error" if row["error_code"] else "scored")
            assert (row["error_message"] is None) == (row["error_code"] is None)
            assert "\n" not in (row["error_message"] or "")

    def test_the_bytes_are_those_of_the_very_name(
        self, rows: dict[str, dict[str, Any]], crawl: Crawl
    ) -> None:
        hashes = {uri: row["content_hash"] for uri, row in rows.items()}
        expected = {
            uri: None if item.code in FETCH_ERRORS else digest(item)
            for uri, item in crawl.items.items()
        }
        assert hashes == expected

    def test_what_the_listing_knew_stands_in_the_row(
        self, rows: dict[str, dict[str, Any]], crawl: Crawl
    ) -> None:
        for uri, item in crawl.items.items():
            if item.code != "not_found":
                assert rows[uri]["size_bytes"] == len(item.data), uri
                assert rows[uri]["etag"] == crawl.place.etag(item.data), uri
            assert rows[uri]["last_modified"] is not None, uri

    def test_scores_are_those_of_a_plain_loop(
        self, rows: dict[str, dict[str, Any]], crawl: Crawl, plain: dict[str, Plain]
    ) -> None:
        assert len(crawl.scored) > 50
        for uri, item in crawl.scored.items():
            expected = plain[digest(item)]
            for name, value in expected.numbers.items():
                assert math.isclose(rows[uri][name], value, rel_tol=1e-5, abs_tol=1e-5), (uri, name)
            assert rows[uri]["verdict"] == expected.verdict, uri
            voted = "fake" if rows[uri]["nn_vote"] > 0.5 else "real"
            assert voted == expected.voted, uri
            assert len(rows[uri]["neighbors"]) == K

    def test_both_verdicts_occur(self, rows: dict[str, dict[str, Any]], crawl: Crawl) -> None:
        assert {rows[uri]["verdict"] for uri in crawl.scored} == {"real", "fake"}

    def test_failed_images_have_no_score(self, rows: dict[str, dict[str, Any]]) -> None:
        failed = [row for row in rows.values() if row["status"] == "error"]
        names = {"probe_logit", "probe_score", "nn_vote", "nn_margin", "neighbors", "verdict"}
        assert failed
        assert {row[name] for row in failed for name in names} == {None}

    def test_a_copy_names_the_first_image_with_its_bytes(
        self, rows: dict[str, dict[str, Any]], crawl: Crawl
    ) -> None:
        copies = {uri: row["duplicate_of"] for uri, row in rows.items() if row["duplicate_of"]}
        expected = {
            uri: image_id(crawl.place.uri(item.copy_of))
            for uri, item in crawl.items.items()
            if item.copy_of is not None
        }
        assert copies == expected

    def test_columns_of_the_manifest_are_carried_through(
        self, rows: dict[str, dict[str, Any]], crawl: Crawl
    ) -> None:
        for number, item in enumerate(crawl.listed):
            row = rows[crawl.place.uri(item.name)]
            assert (row["label"], row["source"], row["batch"]) == (item.label, item.source, number)
            assert row["tags"] == ["seen", f"no. {number}"]
        for uri in crawl.items.keys() - {crawl.place.uri(item.name) for item in crawl.listed}:
            assert {rows[uri][name] for name in ("label", "source", "batch", "tags")} == {None}

    def test_every_file_has_the_columns_of_the_contract(self, run: Run) -> None:
        files = {name: data for name, data in run.files.items() if name.startswith("scores/")}
        assert len(files) > 1
        for data in files.values():
            schema = pq.read_schema(io.BytesIO(data))
            found = [(field.name, field.type) for field in schema]
            assert found == [(field.name, field.type) for field in (*SCORES, *FURTHER)]

    def test_run_constants_stand_in_the_metadata(self, run: Run) -> None:
        metadata = pq.read_schema(io.BytesIO(run.files["scores/part-00000.parquet"])).metadata
        assert metadata[b"ufd_ray.run_id"].decode() == run.json["run_id"]
        assert metadata[b"ufd_ray.decided_by"] == b"probe"
        assert metadata[b"ufd_ray.threshold"] == b"0.5"
        encoder_id = run.json["detectors"]["encoder"]["encoder_id"]
        assert metadata[b"ufd_ray.encoder_id"].decode() == encoder_id

    def test_run_json_counts_the_rows(self, run: Run, crawl: Crawl) -> None:
        codes = Counter(item.code for item in crawl.items.values() if item.code)
        counts = run.json["counts"]
        assert run.json["outcome"] == self.outcome
        assert counts["images"] == len(crawl.items)
        assert counts["by_status"] == {"scored": len(crawl.scored), "error": codes.total()}
        assert counts["by_error_code"] == codes
        assert counts["by_verdict"] == Counter(
            row["verdict"] for row in run.rows() if row["verdict"]
        )
        assert counts["duplicates"] == 1

    def test_run_json_says_how_near_to_its_encoder_it_came(self, run: Run) -> None:
        found, whole_run_s = run.json["efficiency"], run.json["timings"]["whole_run_s"]
        assert 0 < found["whole_run"] < 1
        assert found["decode_core_ms"] > 0
        assert abs(sum(found["seconds"].values()) - whole_run_s) < 0.1

    def test_run_json_names_every_file_with_its_checksum(self, run: Run) -> None:
        named = {
            file["name"]: (file["num_rows"], file["sha256"], file["num_bytes"])
            for file in run.json["files"]
        }
        found = {
            name: (
                pq.read_metadata(io.BytesIO(data)).num_rows,
                hashlib.sha256(data).hexdigest(),
                len(data),
            )
            for name, data in run.files.items()
            if name.startswith(("scores/", "embeddings/"))
        }
        assert named == found

    def test_nothing_but_the_contract_is_left(self, run: Run) -> None:
        kinds = Counter(name.partition("/")[0] for name in run.files)
        assert kinds.keys() == {
            "manifest", "scores", "embeddings", "run.json", "report.html", "_SUCCESS",
        }  # fmt: skip
        assert run.files["_SUCCESS"] == b""
        assert b"<h1>Run" in run.files["report.html"]

    def test_embeddings_are_those_of_a_plain_loop(
        self, run: Run, crawl: Crawl, plain: dict[str, Plain]
    ) -> None:
        table = run.table("embeddings")
        assert table.schema.names == ["image_id", "content_hash", "embedding"]
        found = {row["image_id"]: row["embedding"] for row in table.to_pylist()}
        assert found.keys() == set(map(image_id, crawl.scored))
        for uri, item in crawl.scored.items():
            expected = plain[digest(item)].embedding
            error = np.abs(np.array(found[image_id(uri)]) - expected).max()
            assert error <= 1e-5 * np.abs(expected).max(), uri
