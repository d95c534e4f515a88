"""The whole path on local disk: bank, probe and one run over everything that a crawl may hold."""

from __future__ import annotations

import pytest

from tests.crawl.checks import EveryImageHasItsRow
from tests.crawl.fixtures import Crawled


class TestOnDisk(EveryImageHasItsRow):
    outcome = "published_with_errors"

    @pytest.fixture
    def crawled(self, disk_run: Crawled) -> Crawled:
        return disk_run

    def test_too_many_errors_are_exit_status_3(self, crawled: Crawled) -> None:
        ended = crawled.run.ended
        assert ended.status == 3
        assert "more than --max-error-rate 0 allows: exit status 3" in ended.out
        assert ended.err == ""

    def test_the_terminal_says_how_many_and_where(self, crawled: Crawled) -> None:
        num, scored = len(crawled.crawl.items), len(crawled.crawl.scored)
        out = crawled.run.ended.out
        assert f"{num} images listed\n" in out
        assert f"{scored} of {num} images scored: " in out
        assert "1 corrupt" not in out
        assert "2 changed, 1 empty, 1 not_found, 1 too_many_pixels, 1 truncated" in out
        assert out.endswith("runs/whole/scores/\n")
