"""The formula, term by term."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.sizing.plans import MEASURED, NO_RAY
from ufd_ray.sizing import RAY, Estimate, Machines, Measured, Prices, StageCost, estimate

FREE = Prices()


def of(
    machines: Machines,
    num_images: int = 1000,
    *,
    measured: Measured = MEASURED,
    prices: Prices = FREE,
    startup_s: float | None = 0,
) -> Estimate:
    return estimate(measured, machines, num_images, prices, startup_s, NO_RAY)


def test_cores_share_what_all_stages_take() -> None:
    found = of(Machines(2, 5))
    assert found.pace_s == {"cpu": pytest.approx(0.0004)}
    assert found.predicted_s == pytest.approx(0.4)
    assert found.cores_a_gpu is None


def test_an_encoder_on_cpus_is_one_more_stage() -> None:
    stages = MEASURED.stages | {"encode": StageCost(0.006, 0.003)}
    assert of(Machines(1, 1), measured=replace(MEASURED, stages=stages)).cpu_core_s == (
        pytest.approx(0.010)
    )


@pytest.mark.parametrize(
    ("rate", "network", "bottleneck", "pace"),
    [
        (1000.0, None, "gpu", 1 / 2000),
        (5000.0, None, "cpu", 0.0004),
        (5000.0, 25e6, "network", 0.001),
        (5000.0, 125e6, "cpu", 0.0004),
    ],
)
def test_the_slowest_sets_the_pace(
    rate: float, network: float | None, bottleneck: str, pace: float
) -> None:
    found = of(Machines(2, 5, 1, rate, network))
    assert found.bottleneck == bottleneck
    assert found.each_s == pytest.approx(pace)


def test_machines_and_gpus_without_an_encoder_only_feed_the_others() -> None:
    stages = MEASURED.stages | {"encode": StageCost(0.016, 0.008)}
    encoding = replace(MEASURED, stages=stages)
    found = of(Machines(10, 2, encoders=1), measured=encoding)
    assert found.pace_s == {"cpu": pytest.approx(0.001), "encoders": pytest.approx(0.008)}
    assert found.bottleneck == "encoders"
    assert "encoders" not in of(Machines(10, 2, encoders=20), measured=encoding).pace_s
    assert of(Machines(2, 99, 2, 100.0, encoders=3)).pace_s["gpu"] == pytest.approx(1 / 300)


def test_cores_that_a_gpu_needs_keep_up_with_it() -> None:
    cores = of(Machines(1, 1, 1, 2000.0)).cores_a_gpu
    assert cores == pytest.approx(8)
    found = of(Machines(1, 8, 1, 2000.0))
    assert found.pace_s["cpu"] == pytest.approx(found.pace_s["gpu"])


def test_listing_and_publishing_do_not_shrink_with_the_cluster() -> None:
    slow = replace(MEASURED, num_listed=10_000, listing_s=100)
    small, large = of(Machines(1, 1), measured=slow), of(Machines(100, 64), measured=slow)
    assert small.serial_s == large.serial_s == pytest.approx(0.01)
    assert large.predicted_s > 10


def test_listing_a_few_does_not_tell_what_many_take() -> None:
    few = of(Machines(1, 1), measured=replace(MEASURED, listing_s=5))
    assert (few.once_s, few.serial_s) == (5, 0)
    assert few.predicted_s == pytest.approx(4 + 5)


def test_start_up_is_there_once() -> None:
    at_once, later = of(Machines(1, 1)), of(Machines(1, 1), startup_s=7)
    assert later.predicted_s - at_once.predicted_s == pytest.approx(7)


def test_start_up_is_made_of_imports_and_the_longer_of_model_and_bank() -> None:
    # On 8 cores an encoder, a detector and 4 readers (a block each) import side by side.
    assert of(Machines(1, 8), startup_s=None).startup_s == pytest.approx(4 + 3)
    # On one core, an encoder, a detector and a reader after one another, and what they load.
    assert of(Machines(1, 1), startup_s=None).startup_s == pytest.approx(3 * 4 + 3 + 1)
    # What Ray's own processes do until then is shared by the cores as well.
    busy = replace(NO_RAY, start_core_s=10, start_s=1)
    few = estimate(MEASURED, Machines(1, 2), 1000, Prices(), None, busy).startup_s
    assert few - of(Machines(1, 2), startup_s=None).startup_s == pytest.approx(10 / 2)
    many = estimate(MEASURED, Machines(1, 64), 1000, Prices(), None, busy).startup_s
    assert many == pytest.approx(1 + 4 + 3)
    # A further encoder on two cores is imports and a model more for both together.
    one, two = (of(Machines(1, 2, encoders=n), startup_s=None).startup_s for n in (1, 2))
    assert two - one == pytest.approx((4 + 3) / 2)
    longer = replace(MEASURED, bank_s=30.0)
    assert of(Machines(1, 8), measured=longer, startup_s=None).startup_s == pytest.approx(34)


def test_what_nobody_knows_is_not_made_up() -> None:
    with pytest.raises(ValueError, match="imports were not measured"):
        of(Machines(1, 1), measured=replace(MEASURED, import_s=None), startup_s=None)
    with pytest.raises(ValueError, match="nobody says how fast"):
        of(Machines(1, 1, 1))


def test_costs_are_of_what_has_a_price() -> None:
    found = of(Machines(2, 1), 1_800_000, prices=Prices(machine_hour=3, gb_egress=0.5))
    assert found.predicted_s == pytest.approx(3600)
    assert found.costs == {"machines": pytest.approx(6), "egress": pytest.approx(45)}
    assert of(Machines(1, 1)).costs == {}


def test_requests_are_priced_by_the_thousand() -> None:
    prices = Prices(thousand_gets=1, thousand_lists=10)
    found = of(Machines(1, 1), 1_000_000, prices=prices)
    requests = found.requests
    assert requests.lists == 1000
    assert requests.gets >= 1_000_000
    assert found.costs["GET requests"] == pytest.approx(requests.gets / 1000)
    both = requests.lists + requests.puts
    assert found.costs["LIST and PUT requests"] == pytest.approx(both / 100)


def test_no_images_too_few_for_a_block_or_a_file() -> None:
    requests = of(Machines(1, 1), 1).requests
    assert (requests.lists, requests.read_bytes, requests.written_bytes) == (1, 50_000, 400)
    assert requests.puts == 3 + 2


def test_what_ray_takes_is_in_the_sum() -> None:
    with_ray = estimate(MEASURED, Machines(1, 1), 1000, FREE, 0)
    assert with_ray.cpu_core_s == pytest.approx(0.004 + RAY.core_s)
    with_ray = estimate(MEASURED, Machines(3, 2), 1000, FREE, 0)
    assert with_ray.pace_s["cpu"] == pytest.approx(with_ray.cpu_core_s / (3 * (2 - RAY.idle_cores)))
