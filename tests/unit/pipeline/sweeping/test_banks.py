from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.crawl.handmade import HERE, OTHER, TINY, make_bank
from ufd_ray.detectors import fit_logistic, searchable
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.sweeping import by_bank
from ufd_ray.pipeline.sweeping.banks import (
    OtherBank,
    check_memory,
    read_others,
    share_embeddings,
)
from ufd_ray.pipeline.sweeping.by_bank import fit_on
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import read_searchable


def settings(*others: str, ks: tuple[int, ...] = (1,)) -> EvaluateSettings:
    return EvaluateSettings(
        input=["/i"], output="/o", bank="/b", compare_bank=list(others), ks=list(ks)
    )


@pytest.fixture
def others(tmp_path: Path) -> list[OtherBank]:
    make_bank(tmp_path / "same", num_rows=20)
    make_bank(tmp_path / "far", OTHER)
    named = settings(f"far={tmp_path / 'far'}", f"same={tmp_path / 'same'}")
    return read_others(named, HERE)


def test_banks_of_one_encoder_share_embeddings(others: list[OtherBank]) -> None:
    far, same = others
    own = (TINY.encoder_id, "float32")
    assert share_embeddings(others, own) == {own: [same], (OTHER.encoder_id, "float32"): [far]}
    # What is kept in another precision is made anew, to be what that bank's own run would make.
    half = replace(same, bank=replace(same.bank, dtype="float16"))
    assert share_embeddings([half], own) == {own: [], (TINY.encoder_id, "float16"): [half]}


def test_a_probe_is_that_of_the_recipe(
    others: list[OtherBank], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_bank, "this_node", lambda: (1, 0.0))
    bank = others[1].bank
    rows = searchable(read_searchable(bank, HERE))
    expected = fit_logistic(rows.embeddings, rows.labels, c=0.1).probe
    assert np.array_equal(fit_on(bank, HERE).weight, expected.weight)


def test_a_bank_of_one_class_is_refused(tmp_path: Path) -> None:
    make_bank(tmp_path / "one", num_rows=1)
    with pytest.raises(SettingsError, match=r"--compare-bank c=.*one: it has images of one class"):
        read_others(settings(f"c={tmp_path / 'one'}"), HERE)


def test_a_bank_with_fewer_images_than_vote_is_refused(others: list[OtherBank]) -> None:
    with pytest.raises(SettingsError, match="it has only 6 images to search, and --ks asks for 7"):
        read_others(settings(f"far={others[0].bank.uri}", ks=(1, 7)), HERE)


def test_a_bank_that_no_process_has_room_for_is_refused(others: list[OtherBank]) -> None:
    small = Cluster((2,), memory=1000)
    with pytest.raises(
        SettingsError, match=r"--compare-bank same=\S+: for a probe on it, the bank"
    ):
        check_memory(settings(), others[1:], small)
    check_memory(settings(), others[:1], small)  # six rows of eight numbers
    check_memory(settings(), others, Cluster(()))


@pytest.mark.parametrize("searched", [None, {"0": 3, "1": 2}])
def test_a_class_of_fewer_images_than_means_want_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], searched: dict[str, int] | None
) -> None:
    file = make_bank(tmp_path / "few") / "bank.json"  # three of each, as far as `counts` says
    if searched:
        file.write_text(json.dumps(json.loads(file.read_text()) | {"searchable": searched}))
    few = f"few={tmp_path / 'few'}"
    read_others(settings(few, ks=(1, 2)), HERE)
    assert capsys.readouterr().out == ""
    read_others(settings(few, ks=(1, 4)), HERE)
    num = searched["1"] if searched else 3
    said = f"--compare-bank {few}: of one class it has only {num} images, and means of more are"
    assert said in capsys.readouterr().out
