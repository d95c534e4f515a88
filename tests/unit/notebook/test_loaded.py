"""`load_detector`: any form of image in, one row an image out, and no Ray."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import ufd_ray
from tests.crawl.handmade import HERE, OTHER, make_bank, make_probe
from ufd_ray.encoders import Encoder, EncoderSpec
from ufd_ray.errors import IdentityError, SettingsError
from ufd_ray.images import to_pixels
from ufd_ray.schema import DETECTION, SCORES
from ufd_ray.storage import read_probe, write_probe

ROOT = Path(__file__).parents[2]


def picture(seed: int, side: int = 240) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8)
    return Image.fromarray(noise)


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(EncoderSpec.parse("lite0"))


@pytest.fixture(scope="module")
def places(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A bank and a probe for the small pretrained encoder, and of no meaning."""
    root = tmp_path_factory.mktemp("detector")
    bank = make_bank(root / "bank", encoder.identity, num_rows=12)
    probe = make_probe(root / "probe", encoder.identity, weight=0.01)
    return str(bank), str(probe)


@pytest.fixture(scope="module")
def detector(places: tuple[str, str]) -> Any:
    bank, probe = places
    return ufd_ray.load_detector(probe, bank=bank, k=5, batch_size=4)


def embed(encoder: Encoder, images: list[Image.Image]) -> npt.NDArray[np.float32]:
    pixels = [to_pixels(image, mode="crop", size=encoder.input_size) for image in images]
    embeddings: npt.NDArray[np.float32] = encoder.encode(np.stack(pixels))
    return embeddings


def test_one_row_an_image_in_order_whatever_it_is(
    detector: Any, encoder: Encoder, tmp_path: Path
) -> None:
    file = tmp_path / "0.png"
    file.write_bytes(png(picture(0)))
    grey = Image.fromarray(np.asarray(picture(3))[:, :, 0])
    given: list[Any] = [
        file,
        str(file),
        png(picture(1)),
        picture(2),
        np.asarray(picture(2)),
        np.asarray(grey),
        bytearray(png(picture(1))),
        file.as_uri(),
        Image.open(io.BytesIO(file.read_bytes())),
    ]
    shown = [picture(n) for n in (0, 0, 1, 2, 2)] + [grey] + [picture(n) for n in (1, 0, 0)]
    table = detector.predict(given)
    rows = table.to_pylist()
    assert [row["status"] for row in rows] == ["scored"] * len(given)
    assert [row["uri"] for row in rows] == [
        *(str(file), str(file), *[None] * 5, file.as_uri(), None),
    ]
    digests = [hashlib.sha256(png(picture(n))).hexdigest() for n in (0, 1)]
    assert [row["content_hash"] for row in rows] == [
        *(digests[0], digests[0], digests[1], None, None, None, digests[1], digests[0], None),
    ]
    assert {(row["width"], row["height"]) for row in rows} == {(240, 240)}
    expected = detector.detect(embed(encoder, shown))
    for name in ("probe_logit", "nn_margin", "nn_vote", "nn_real_distance"):
        np.testing.assert_allclose(table[name], expected[name], rtol=1e-5, atol=1e-5)
    assert table["verdict"].to_pylist() == expected["verdict"].to_pylist()
    assert [len(row["neighbors"]) for row in rows] == [5] * len(given)


def test_columns_are_those_of_scores(detector: Any) -> None:
    table = detector.predict([])
    assert len(table) == 0
    types = {field.name: field.type for field in SCORES}
    assert {name: types[name] for name in table.column_names} == dict(
        zip(table.column_names, table.schema.types, strict=True)
    )
    assert table.column_names[-len(DETECTION) :] == [field.name for field in DETECTION]


@pytest.mark.parametrize("one", [picture(0), png(picture(0)), np.asarray(picture(0))])
def test_one_image_by_itself(detector: Any, one: Any) -> None:
    assert detector.predict(one)["status"].to_pylist() == ["scored"]


def test_a_batch_as_one_array(detector: Any) -> None:
    batch = np.stack([np.asarray(picture(n)) for n in range(3)])
    assert len(detector.predict(batch)) == 3


def test_what_cannot_be_read_is_a_row(detector: Any, tmp_path: Path) -> None:
    sound = png(picture(0))
    given: list[Any] = [
        tmp_path / "nowhere.png",
        sound,
        b"",
        b"no image",
        sound[:2000],
        None,
        np.zeros((4, 4), np.float32),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        Image.new("F", (8, 8)),
        Image.open(io.BytesIO(sound[:2000])),
        "https://example.org/a.png",
        sound,
    ]
    table = detector.predict(given)
    assert table["error_code"].to_pylist() == [
        *("not_found", None, "empty", "unsupported", "truncated", "unsupported", "unsupported"),
        *("empty", "unsupported", "unsupported", "corrupt", "forbidden", None),
    ]
    rows = table.to_pylist()
    assert [row["status"] == "error" for row in rows] == [
        row["probe_logit"] is None for row in rows
    ]
    assert all(row["error_message"] for row in rows if row["status"] == "error")
    assert "a NoneType; expected a path, a URI, bytes" in rows[5]["error_message"]
    assert rows[1]["probe_logit"] == rows[-1]["probe_logit"]


def test_where_an_event_loop_runs_as_in_a_notebook(detector: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(picture(0)))

    async def cell() -> Any:
        return detector.predict([file])

    assert asyncio.run(cell())["status"].to_pylist() == ["scored"]


def test_embeddings_without_use_are_rows_too(detector: Any, encoder: Encoder) -> None:
    embeddings = np.ones((4, encoder.dim), np.float32)
    embeddings[0], embeddings[1], embeddings[2, 0] = 0, 3e38, np.nan
    table = detector.detect(embeddings)
    assert table["error_code"].to_pylist() == ["not_finite"] * 3 + [None]
    assert "logit" in table["error_message"][1].as_py()
    with pytest.raises(ValueError, match=r"embeddings are \(1280,\); expected \(n, 1280\)"):
        detector.detect(embeddings[0])


def test_a_bank_or_a_probe_alone(places: tuple[str, str], encoder: Encoder) -> None:
    bank, probe = places
    embeddings = np.random.default_rng(0).normal(size=(3, encoder.dim)).astype(np.float32)
    by_bank = ufd_ray.load_detector(bank, decide_by="margin", threshold=0.01).detect(embeddings)
    assert by_bank["probe_logit"].null_count == 3
    over = by_bank["nn_margin"].to_numpy() > 0.01
    assert by_bank["verdict"].to_pylist() == np.where(over, "fake", "real").tolist()
    by_probe = ufd_ray.load_detector(probe).detect(embeddings)
    assert by_probe["nn_vote"].null_count == 3
    both = ufd_ray.load_detector(bank, probe=probe).detect(embeddings)
    assert both["probe_logit"].equals(by_probe["probe_logit"])
    assert both["nn_margin"].equals(by_bank["nn_margin"])


def test_thresholds_and_calibration_of_the_probe(
    places: tuple[str, str], encoder: Encoder, tmp_path: Path
) -> None:
    probe = read_probe(places[1], HERE)
    thresholds = {"default": 0.5, "tuned": 0.45, "max_fpr": 0.55, "calibrated": None}
    platt = {"method": "platt", "scale": 2.0, "shift": 0.5}
    write_probe(str(tmp_path), replace(probe, thresholds=thresholds, calibration=platt), HERE)
    loaded = ufd_ray.load_detector(str(tmp_path), threshold="max-fpr", unsure_above="tuned")
    assert loaded.threshold == 0.55
    embeddings = np.random.default_rng(1).normal(size=(40, encoder.dim)).astype(np.float32)
    table = loaded.detect(embeddings)
    logits = table["probe_logit"].to_numpy().astype(np.float64)
    np.testing.assert_allclose(
        table["probe_probability"], 1 / (1 + np.exp(-(2 * logits + 0.5))), rtol=1e-6
    )
    assert set(table["verdict"].to_pylist()) == {"real", "unsure", "fake"}
    with pytest.raises(SettingsError, match="--threshold calibrated: probe"):
        ufd_ray.load_detector(str(tmp_path), threshold="calibrated")


def test_what_cannot_be_loaded_is_said(places: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"neither probe.json, bank.json nor run.json is there"):
        ufd_ray.load_detector(str(tmp_path))
    with pytest.raises(SettingsError, match="k: Input should be less than or equal to 100"):
        ufd_ray.load_detector(places[0], k=1000)
    with pytest.raises(SettingsError, match="--threshold 7: what decides"):
        ufd_ray.load_detector(places[0], threshold=7)
    other = make_probe(tmp_path / "other", OTHER)
    with pytest.raises(SettingsError, match="were made by different encoders"):
        ufd_ray.load_detector(places[0], probe=str(other))
    (tmp_path / "run.json").write_text(json.dumps({"format_version": 1}))
    with pytest.raises(SettingsError, match="an unfinished run is there"):
        ufd_ray.load_detector(str(tmp_path))


def test_other_weights_than_the_probes_are_refused(encoder: Encoder, tmp_path: Path) -> None:
    changed = replace(encoder.identity, weights_digest="0" * 64)
    loaded = ufd_ray.load_detector(str(make_probe(tmp_path, changed)))
    with pytest.raises(IdentityError, match="the weights found here"):
        loaded.predict([picture(0)])


def is_absent(code: str, *names: str) -> bool:
    check = f"import sys, ufd_ray; {code}; print([n for n in {names!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return done.stdout.strip() == "[]"


def test_the_package_is_light() -> None:
    assert is_absent("pass", "torch", "ray", "pyarrow", "numpy", "PIL", "pydantic")


def test_a_detector_is_loaded_without_ray(places: tuple[str, str]) -> None:
    bank, probe = places
    assert is_absent(f"ufd_ray.load_detector({probe!r}, bank={bank!r}, k=3)", "ray")


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_detectors'"):
        _ = ufd_ray.load_detectors
    assert "load_detector" in dir(ufd_ray)
