from __future__ import annotations

import pytest

from ufd_ray.report import Pace, efficiency


def pace(*batches: tuple[str, int, float, float], core_s: float = 0.0) -> Pace:
    """Batches: whose, images, seconds, when they were finished."""
    found = Pace()
    for worker, num_images, seconds, at in batches:
        found.add(worker, num_images, seconds, core_s * num_images, at)
    return found


def found(paces: dict[str, Pace], *, whole_run_s: float, cores: float | None = None) -> dict:  # type: ignore[type-arg]
    said = efficiency(paces, 100.0, whole_run_s, cores)
    assert said is not None
    assert sum(said["seconds"].values()) == pytest.approx(whole_run_s, abs=0.01)
    return said


# 64 images a second alone; a batch is finished every 2 seconds, of which the encoder works one.
WAITING = pace(*[("a", 64, 1.0, 70.0 + 2 * n) for n in range(11)])


def test_an_encoder_that_waits_half_of_the_time() -> None:
    reading = {"fetch": pace(("r", 64, 3.0, 80.0)), "decode": pace(("r", 64, 1.0, 80.0))}
    said = found({"encode": WAITING, **reading}, whole_run_s=44.0)
    assert said["steady"] == 0.5
    assert said["whole_run"] == 0.25
    assert said["images_per_s"] == {
        "encoder_alone": 64.0,
        "attainable": 64.0,
        "whole_run": 16.0,
        "steady": 32.0,
    }
    assert said["seconds"] == {
        "start_up": 14.0,
        "closing": 10.0,
        "encode": 10.0,
        "slowed": 0.0,
        "fetch": 7.5,
        "decode": 2.5,
    }


def test_it_waits_for_a_search_that_is_busier_than_itself() -> None:
    search = pace(*[("s", 64, 1.9, 71.0 + 2 * n) for n in range(11)])
    reading = {"decode": pace(("r", 64, 1.0, 80.0))}
    said = found({"encode": WAITING, "detect": search, **reading}, whole_run_s=44.0)
    assert said["seconds"]["search"] == 10.0
    assert "decode" not in said["seconds"]


def test_what_decoding_works_on_the_same_cores_is_allowed_for() -> None:
    # Alone 64 a second on two cores; decoding takes a core 1/64 s: 1/64 + 1/128 s an image.
    decode = pace(("r", 64, 4.0, 80.0), core_s=1 / 64)
    said = found({"encode": WAITING, "decode": decode}, whole_run_s=44.0, cores=2)
    assert said["images_per_s"]["attainable"] == pytest.approx(128 / 3, abs=1e-3)
    assert said["steady"] == 0.75
    assert said["decode_core_ms"] == 15.625
    assert found({"encode": WAITING, "decode": decode}, whole_run_s=44.0)["steady"] == 0.5


def test_an_encoder_that_others_slow() -> None:
    slowed = pace(("a", 64, 1.0, 60.0), ("a", 64, 1.0, 61.0), ("a", 64, 4.0, 65.0))
    said = found({"encode": slowed}, whole_run_s=50.0)
    assert said["seconds"]["encode"] == 2.0
    assert said["seconds"]["slowed"] == 3.0
    assert said["steady"] == 0.4


def test_workers_of_several_devices_add_up() -> None:
    by_turns = [(name, 64, 1.0, 70.0 + n) for n in range(10) for name in "ab"]
    said = found({"encode": pace(*by_turns)}, whole_run_s=40.0)
    assert said["images_per_s"]["encoder_alone"] == 128.0
    # The other worker's first batch came at the same time as the first: 19 batches in 9 seconds.
    assert said["steady"] == pytest.approx(19 / 18, abs=1e-3)


def test_one_batch_says_nothing_of_the_steady_state() -> None:
    said = found({"encode": pace(("a", 64, 1.0, 90.0))}, whole_run_s=20.0)
    assert said["steady"] is None
    assert said["seconds"] == {"start_up": 10.0, "closing": 10.0}


@pytest.mark.parametrize("paces", [{}, {"recall": WAITING}, {"encode": pace(("a", 0, 0.1, 9.0))}])
def test_nothing_is_said_where_nothing_was_encoded(paces: dict[str, Pace]) -> None:
    assert efficiency(paces, 100.0, 50.0, None) is None
