from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.crawl.handmade import HERE, OTHER, TINY, make_bank
from ufd_ray.encoders import EncoderIdentity
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.sweeping.banks import read_others, share_embeddings
from ufd_ray.pipeline.sweeping.weights import EmbeddedBy, find_weights
from ufd_ray.settings import EvaluateSettings

OWN = (TINY.encoder_id, "float32")
MOVED = replace(OTHER, weights="/gone/weights.pt")
BANKS = {"same": (TINY, "float32"), "half": (TINY, "float16"), "a": (MOVED, "float32")}
BANKS["b"], BANKS["c"] = BANKS["a"], (MOVED, "float16")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of banks by name, and of two files of weights."""
    for name, (encoder, dtype) in BANKS.items():
        make_bank(tmp_path / name, encoder, dtype=dtype)
    for name in ("one.pt", "two.pt"):
        (tmp_path / name).touch()
    return tmp_path


def found(files: Path, *names: str, own: str | None = None, **given: str) -> dict[EmbeddedBy, str]:
    """Of banks of these names, with these files for some of them, and with one for our own."""
    settings = EvaluateSettings(
        input=["/i"],
        output="/o",
        bank="/b",
        ks=[1],
        compare_bank=[f"{name}={files / name}" for name in names],
        compare_weights=[f"{name}={files / file}" for name, file in given.items()],
        weights=str(files / own) if own else None,
    )
    others = share_embeddings(read_others(settings, HERE), OWN)
    places = find_weights(settings, others, OWN, HERE)
    return {by: (place or "").removeprefix(f"{files}/") for by, place in places.items()}


def key(encoder: EncoderIdentity, dtype: str = "float32") -> EmbeddedBy:
    return encoder.encoder_id, dtype


def test_weights_are_where_the_bank_says_or_where_it_is_said(files: Path) -> None:
    assert found(files, "same") == {}
    assert found(files, "a", "b", a="one.pt") == {key(MOVED): "one.pt"}
    assert found(files, "a", "b", b="one.pt") == {key(MOVED): "one.pt"}
    assert found(files, "a", "b", a="one.pt", b="one.pt") == {key(MOVED): "one.pt"}


def test_another_precision_has_the_same_weights_and_embeddings_of_its_own(files: Path) -> None:
    half = key(MOVED, "float16")
    for given in ("a", "c"):
        places = found(files, "a", "c", **{given: "one.pt"})
        assert places == {key(MOVED): "one.pt", half: "one.pt"}
    places = found(files, "a", "c", a="one.pt", c="two.pt")
    assert places == {key(MOVED): "one.pt", half: "two.pt"}


def test_the_same_encoder_has_the_evaluations_own_weights(files: Path) -> None:
    half = key(TINY, "float16")
    assert found(files, "half") == {half: ""}
    assert found(files, "half", own="one.pt") == {half: "one.pt"}
    assert found(files, "half", own="one.pt", half="two.pt") == {half: "two.pt"}
    # Another encoder's are others.
    assert found(files, "a", own="one.pt", a="two.pt") == {key(MOVED): "two.pt"}


def test_a_file_of_the_evaluations_own_that_is_not_there_is_named_as_that(files: Path) -> None:
    with pytest.raises(SettingsError, match=r"bank half: .*three\.pt, which --weights names"):
        found(files, "half", own="three.pt")


@pytest.mark.parametrize(
    ("names", "given", "said"),
    [
        (("a",), {}, r"--compare-bank a: there are no weights at /gone/weights\.pt, which the b"),
        (
            ("a", "b"),
            {"b": "three.pt"},
            r"no weights at /.*/three\.pt, which --compare-weights b nam",
        ),
        (
            ("a", "c"),
            {"c": "three.pt"},
            r"no weights at /.*/three\.pt, which --compare-weights c nam",
        ),
        (("same",), {"same": "one.pt"}, "--compare-weights same: this bank's encoder is the eval"),
        (("a", "b"), {"a": "one.pt", "b": "two.pt"}, "--compare-weights a, b: these banks are of"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    files: Path, names: tuple[str, ...], given: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        found(files, *names, **given)
    assert "\n" not in str(refused.value)
