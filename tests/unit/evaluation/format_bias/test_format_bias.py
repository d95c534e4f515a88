"""The guard finds what was planted, and nothing where there is nothing."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ufd_ray.evaluation.format_bias import (
    FEWEST,
    FormatBias,
    bias_lines,
    bias_table,
    find_bias,
    traits_columns,
)
from ufd_ray.images import FileTraits

LABELS = np.repeat([0, 1], 60).astype(np.int8)
NAMES = {field.name for field in fields(FileTraits)}

Traits = dict[str, npt.NDArray[Any]]


def drawn(seed: int, num: int = len(LABELS)) -> Traits:
    """Traits of files, all from the same draw, whatever their label."""
    rng = np.random.default_rng(seed)
    is_jpeg = rng.random(num) < 0.6
    flags = ("is_progressive", "has_exif", "has_icc", "has_xmp", "has_others")
    return {
        "format": np.where(is_jpeg, "JPEG", "PNG"),
        "width": rng.choice([256, 512, 640], num),
        "height": rng.choice([256, 512, 480], num),
        "num_bytes": rng.lognormal(11, 0.5, num).astype(np.int64),
        "quality": np.where(is_jpeg, rng.choice([75, 90, 95], num), 0),
        "tables": np.where(is_jpeg, rng.choice([2**31 + 7, 5, 99], num), 0),
        "sampling": np.where(is_jpeg, 3, 0),
        **{name: rng.random(num) < 0.3 for name in flags},
    }


@cache
def bad(seed: int = 0) -> FormatBias:
    return found_in(planted(seed), seed=seed)


@cache
def good(seed: int = 0) -> FormatBias:
    return found_in(drawn(seed), seed=seed)


def found_in(
    traits: Traits, labels: npt.NDArray[np.int8] = LABELS, seed: int = 0, same: bool = False
) -> FormatBias:
    hashes = np.array(["x" if same else str(n) for n in range(len(labels))], object)
    return find_bias(traits_columns(traits), labels, hashes, seed=seed)


def planted(seed: int = 0) -> Traits:
    """Real images in JPEG, but for some, and fakes in PNG."""
    traits = drawn(seed)
    traits["format"] = np.where(LABELS, "PNG", "JPEG")
    traits["format"][:6] = "PNG"
    return traits


def test_all_traits_are_looked_at() -> None:
    assert set(drawn(0)) == NAMES
    columns = traits_columns(drawn(0))
    assert set(columns) - {"bytes", "bytes_per_pixel", "aspect"} == NAMES - {"num_bytes"}


def test_tables_are_numbered_by_how_often_they_occur() -> None:
    traits = drawn(0, 6)
    traits["tables"] = np.array([0, 9, 2**31, 2**31, 0, 0], np.uint32)
    assert traits_columns(traits)["tables"].tolist() == [0, 2, 1, 1, 0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_where_nothing_differs_nothing_is_found(seed: int) -> None:
    bias = good(seed)
    assert bias.average_precision is not None
    assert not bias.found
    assert bias.average_precision.low < bias.chance < bias.average_precision.high


@pytest.mark.parametrize("seed", range(2))
def test_formats_that_tell_are_found_and_named(seed: int) -> None:
    bias = bad(seed)
    assert bias.found
    assert bias.average_precision is not None
    assert bias.accuracy is not None
    assert bias.average_precision.estimate > 0.9
    assert bias.accuracy.low > 0.8
    assert bias.telling[0].words == "format PNG: 10 % of real images, 100 % of fakes"
    assert bias.telling[0].apart == pytest.approx(0.9)
    # There are no JPEGs among fakes to compare; that they are none is said already.
    assert {"quality", "tables"}.isdisjoint(one.trait for one in bias.telling)


@pytest.mark.parametrize(
    ("trait", "value", "words"),
    [
        ("width", 559, "width 559: 0 % of real images, 100 % of fakes"),
        ("quality", 97, "JPEG quality 97: 0 % of real JPEGs, 100 % of fake ones"),
        ("tables", 1234, "JPEG quantisation tables 1: 0 % of real JPEGs, 100 % of fake ones"),
        ("sampling", 1, "JPEG colour sampling 4:4:4: 0 % of real JPEGs, 100 % of fake ones"),
        ("num_bytes", 10**6, "bytes 1,000,000: 0 % of real images, 100 % of fakes"),
    ],
)
def test_every_trait_is_named(trait: str, value: int, words: str) -> None:
    traits = drawn(1)
    traits[trait] = np.where(LABELS, value, traits[trait])
    telling = [one.words for one in found_in(traits, LABELS, same=True).telling if one.apart == 1]
    assert words in telling


def test_sizes_are_told_by_their_medians() -> None:
    traits = drawn(1)
    traits["num_bytes"] = np.arange(120) + 1000 * LABELS.astype(np.int64) + 1000
    bias = found_in(traits, same=True)
    assert bias.telling[0].words == "bytes: median 1,029 of real images, 2,089 of fakes"
    assert bias.average_precision is None  # all of them are one and the same file


def test_copies_of_a_file_do_not_judge_each_other() -> None:
    """Noise that is copied: whoever may look at a copy knows all labels."""
    num = 40
    traits = {name: np.repeat(values, 4) for name, values in drawn(5, num).items()}
    labels = np.repeat(np.random.default_rng(5).permutation(num) % 2, 4).astype(np.int8)
    hashes = np.repeat([f"{n:02}" for n in range(num)], 4).astype(object)
    columns = traits_columns(traits)
    assert not find_bias(columns, labels, hashes, seed=0).found
    each_its_own = np.array([str(n) for n in range(len(labels))], object)
    assert find_bias(columns, labels, each_its_own, seed=0).found


def test_too_few_are_not_guessed_about() -> None:
    kept = np.r_[0 : FEWEST - 1, 60:120]
    traits = {name: values[kept] for name, values in planted().items()}
    bias = found_in(traits, LABELS[kept])
    assert (bias.average_precision, bias.accuracy, bias.found) == (None, None, False)
    assert (bias.n_real, bias.n_fake) == (FEWEST - 1, 60)
    (line,) = bias_lines({"a": bias}, None)
    assert line == (
        "files of real images and fakes were not compared in a: fewer than 20 different ones of a"
        " class"
    )
    assert bias_table({"a": bias}, None)[-1].endswith(
        "| – | – | not known | fewer than 20 different files of a class |"
    )


def test_the_same_files_give_the_same_figures() -> None:
    assert found_in(planted()) == bad()


def test_what_a_coarser_compression_took_is_warned_of() -> None:
    assert bad().lowest_quality == 75
    assert [bad().shows_after(quality) for quality in (60, 75, 76, 95)] == [
        False,
        False,
        True,
        True,
    ]
    assert not good().shows_after(95)  # JPEGs, but no more of them among real images
    *_, warned = bias_lines({"a": bad()}, {"a": good()}, 95)
    assert warned.startswith("warning: set a aligned: JPEGs of quality 75 and up, unevenly")
    assert "--align-quality 75" in warned
    assert len(bias_lines({"a": bad()}, {"a": good()}, 75)) == 2


def test_what_is_said() -> None:
    warned, advice, clean = bias_lines({"a": bad(), "b": good()}, None)
    assert warned.startswith("warning: set a as it came: real images and fakes differ in their")
    assert "without a look at any picture (chance 50.00)" in warned
    assert "format PNG: 10 % of real images, 100 % of fakes" in warned
    assert "--align" in advice
    assert clean == "files tell little of what is real in b"
    before, after = bias_lines({"a": bad()}, {"a": good()})
    assert before.startswith("set a as it came: ")
    assert after.startswith("set a aligned: the size of the file, all that differs, tells little")
    assert bias_lines({"a": bad()}, {"a": bad()})[1].startswith("warning: set a aligned: ")
    rows = bias_table({"a|b": bad()}, {"a|b": good()})[-2:]
    assert rows[0].startswith("| a\\|b | as they came | 50.00 | ")
    assert [" | yes | " in row for row in rows] == [True, False]
