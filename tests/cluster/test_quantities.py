"""Quantities and schedules are read as Kubernetes and cron mean them, or refused."""

from __future__ import annotations

import pytest

from tests.cluster.quantities import parse_daily_schedule, parse_quantity


@pytest.mark.parametrize(
    ("text", "number"), [("2", 2), ("500m", 0.5), ("1Gi", 2**30), ("1.5k", 1500), (7, 7)]
)
def test_quantity(text: str | int, number: float) -> None:
    assert parse_quantity(text) == number


@pytest.mark.parametrize("text", ["", "Gi", "2 Gi", "2gi", "-1"])
def test_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        parse_quantity(text)


def test_minute_of_the_day() -> None:
    assert parse_daily_schedule("5 0 * * *") == 5
    assert parse_daily_schedule("30 22 * * *") == 22 * 60 + 30


@pytest.mark.parametrize("schedule", ["5 0 * *", "60 0 * * *", "5 * * * *", "5 0 1 * *", "@daily"])
def test_schedule_that_is_not_daily(schedule: str) -> None:
    with pytest.raises(ValueError, match=r"five|neither|once a day"):
        parse_daily_schedule(schedule)
