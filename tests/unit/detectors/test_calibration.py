from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from ufd_ray.detectors import Calibration, fit_calibration
from ufd_ray.detectors.calibration import Method
from ufd_ray.errors import SettingsError
from ufd_ray.evaluation import brier_score, expected_calibration_error

METHODS: tuple[Method, ...] = ("platt", "temperature")


def draw(seed: int, n: int, *, share: float = 0.5) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """True logits: an image with the logit z is fake with probability sigmoid(z)."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) < share * n).astype(np.int8)
    return rng.normal(np.where(labels, 1, -1) + math.log(share / (1 - share)) / 2, 1), labels


def targets_of(labels: NDArray[np.int8]) -> NDArray[np.float64]:
    num_real, num_fake = np.bincount(labels, minlength=2)
    return np.where(labels, (num_fake + 1) / (num_fake + 2), 1 / (num_real + 2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("seed", "n", "share"), [(0, 4, 0.5), (1, 60, 0.5), (2, 3000, 0.1)])
def test_the_optimum_is_a_general_solvers(method: Method, seed: int, n: int, share: float) -> None:
    values, labels = draw(seed, n, share=share)
    values = 0.01 * values + 0.003  # margins are as small as that
    found = fit_calibration(values, labels, method=method)
    targets = targets_of(labels)

    def loss(theta: NDArray[np.float64]) -> float:
        logits = 100 * theta[0] * values + (theta[1] if method == "platt" else 0)
        return float(np.mean(np.logaddexp(0, logits) - targets * logits))

    reference = minimize(
        loss,
        np.array([1.0, 0.0]),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-15, "maxiter": 4000},
    )
    mine = np.array([found.scale / 100, found.shift])
    assert loss(mine) <= reference.fun + 1e-13
    assert mine == pytest.approx(
        reference.x if method == "platt" else [reference.x[0], 0], abs=1e-5
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gap", [1e-6, 1.0, 1e6])
def test_separable_classes_have_a_finite_optimum(method: Method, gap: float) -> None:
    values = np.array([-3, -2, 2, 3]) * gap
    found = fit_calibration(values, np.array([0, 0, 1, 1]), method=method)
    probabilities = found.probabilities(values)
    # Two of two promise no more than (2 + 1) / (2 + 2), on average.
    assert probabilities.mean() == pytest.approx(0.5)
    assert 0.7 < probabilities[2:].mean() < 0.8
    assert found.midpoint == pytest.approx(0, abs=1e-9 * gap)


def test_one_image_far_away_does_not_stop_it() -> None:
    values, labels = draw(3, 400)
    values[0] = 1e9
    found = fit_calibration(values, labels, method="platt")
    assert found.scale > 0
    assert np.isfinite(found.probabilities(values)).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_shifted_and_stretched_detector_is_put_right(seed: int) -> None:
    values, labels = draw(seed, 2000)
    shifted = (2 * (2 * values) + 2).astype(np.float32)  # 2z is the true logit of unit normals
    fitted, held_out = slice(0, None, 2), slice(1, None, 2)
    found = fit_calibration(shifted[fitted], labels[fitted], method="platt")
    assert found.scale == pytest.approx(0.5, rel=0.25)
    assert found.midpoint == pytest.approx(2, abs=0.7)
    before = Calibration("platt", 1, 0).probabilities(shifted[held_out])
    after = found.probabilities(shifted[held_out])
    truth = labels[held_out]
    # Half is promised; a fifth is left of about 0.16, and a third of that is chance.
    assert expected_calibration_error(truth, after) < 0.5 * expected_calibration_error(
        truth, before
    )
    assert brier_score(truth, after) < brier_score(truth, before)


def test_another_share_of_fakes_multiplies_the_odds() -> None:
    values, labels = draw(4, 300, share=1 / 3)
    plain = fit_calibration(values, labels, method="platt")
    rare = fit_calibration(values, labels, method="platt", fake_share=0.01)
    assert rare.scale == plain.scale
    odds = [p / (1 - p) for p in (c.probabilities(values).astype(float) for c in (plain, rare))]
    np.testing.assert_allclose(odds[1] / odds[0], (0.01 / 0.99) / 0.5, rtol=1e-4)
    same = fit_calibration(values, labels, method="temperature", fake_share=1 / 3)
    assert same.shift == pytest.approx(0, abs=1e-12)


def test_the_share_of_fakes_that_is_asked_for_is_that_of_the_probabilities() -> None:
    """Calibrated on as many fakes as reals, read where one in ten is fake: still right."""
    values, labels = draw(5, 40_000)
    found = fit_calibration(values, labels, method="platt", fake_share=0.1)
    few = np.flatnonzero(labels)[: 20_000 // 9]
    crawl = np.concatenate([np.flatnonzero(labels == 0), few])
    probabilities = found.probabilities(values[crawl])
    assert probabilities.mean() == pytest.approx(0.1, abs=0.01)
    assert expected_calibration_error(labels[crawl], probabilities) < 0.01


@given(
    values=st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=50),
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-50, 50),
)
def test_probabilities_do_not_depend_on_the_batch(
    values: list[float], scale: float, shift: float
) -> None:
    found = Calibration("platt", scale, shift)
    batch = np.array(values, np.float32)
    whole = found.probabilities(batch)
    assert whole.dtype == np.float32
    one_by_one = [found.probabilities(batch[row : row + 1])[0] for row in range(len(batch))]
    np.testing.assert_array_equal(whole, one_by_one)
    every_third = np.zeros((len(batch), 3), np.float32)
    every_third[:, 1] = batch
    np.testing.assert_array_equal(found.probabilities(every_third[:, 1]), whole)
    assert (np.diff(whole[np.argsort(batch)]) >= 0).all()
    expected = [1 / (1 + math.exp(-min(max(scale * v + shift, -700), 700))) for v in batch.tolist()]
    np.testing.assert_allclose(whole, expected, rtol=1e-6, atol=1e-30)


def test_it_goes_through_json() -> None:
    found = Calibration("temperature", 1.3, -0.2)
    assert Calibration.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert found.probabilities(np.array([found.midpoint]))[0] == 0.5
    assert Calibration("platt", 2, -1).probabilities(np.empty(0, np.float32)).shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": 0.0}, "scale must be a number over 0, got 0"),
        ({"scale": -1.0}, "scale must be a number over 0"),
        ({"scale": math.inf}, "scale must be a number over 0"),
        ({"scale": "1"}, "scale must be a number, got '1'"),
        ({"scale": True}, "scale must be a number, got True"),
        ({"shift": math.nan}, "shift must be finite"),
        ({"shift": None}, "shift must be a number, got None"),
        ({"method": "isotonic"}, "method 'isotonic' is none of platt, temperature"),
        ({"method": ["platt"]}, "is none of"),
    ],
)
def test_what_cannot_be_used_is_refused(change: dict[str, object], message: str) -> None:
    good: dict[str, object] = {"method": "platt", "scale": 1.0, "shift": 0.0}
    with pytest.raises(SettingsError, match=message):
        Calibration.from_dict(good | change)


def test_what_is_no_calibration_at_all_is_refused() -> None:
    with pytest.raises(SettingsError, match="'shift' is missing"):
        Calibration.from_dict({"method": "platt", "scale": 1.0})
    with pytest.raises(SettingsError, match="expected an object"):
        Calibration.from_dict(None)  # type: ignore[arg-type]


def test_images_from_which_nothing_can_be_learned_are_refused() -> None:
    values, labels = np.array([0.0, 1, 2, 3]), np.array([0, 0, 1, 1])
    for method in METHODS:
        with pytest.raises(
            SettingsError,
            match=r"do not rank above .* fakes lie at 0\.5 .* real images at 2\.5",
        ):
            fit_calibration(values, 1 - labels, method=method)
        with pytest.raises(SettingsError, match="do not rank above"):
            fit_calibration(np.ones(4), labels, method=method)
        with pytest.raises(SettingsError, match="got 4 real and 0 fake"):
            fit_calibration(values, np.zeros(4, int), method=method)
        with pytest.raises(SettingsError, match="1 of 4 values are NaN or infinite"):
            fit_calibration(np.array([0, 1, np.inf, 2]), labels, method=method)
        with pytest.raises(SettingsError, match="labels must be 0 or 1"):
            fit_calibration(values, labels + 1, method=method)
        with pytest.raises(ValueError, match="equally long"):
            fit_calibration(values[:3], labels, method=method)
        with pytest.raises(SettingsError, match="between 0 and 1, got 1"):
            fit_calibration(values, labels, method=method, fake_share=1.0)
    with pytest.raises(SettingsError, match=r"no temperature fits.*platt"):
        fit_calibration(np.array([5.0, 5, 5, 6]), np.array([0, 0, 0, 1]), method="temperature")
