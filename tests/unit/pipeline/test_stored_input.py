from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.crawl.handmade import OTHER, TINY, make_bank
from tests.unit.pipeline.stored_files import vectors, write_embeddings
from tests.unit.storage.runs.published import publish
from ufd_ray.errors import SettingsError
from ufd_ray.pipeline.stored_input import Stored, find_stored
from ufd_ray.settings import ScoreSettings
from ufd_ray.storage import StorageOptions

OURS = f"encoder {TINY.encoder_id} ({TINY.spec})"


def told(encoder_id: str = TINY.encoder_id, **others: str) -> dict[str, str]:
    return {"ufd_ray.encoder_id": encoder_id} | {f"ufd_ray.{k}": v for k, v in others.items()}


def find(*places: Path | str, **flags: Any) -> Stored:
    given = ScoreSettings(
        embeddings=[str(p) for p in places], output="/out", probe="/probe", **flags
    )
    stored = find_stored(given, TINY, StorageOptions())
    assert stored is not None
    return stored


def test_images_are_none_of_its_business() -> None:
    settings = ScoreSettings(input=["/in"], output="/out", probe="/probe")
    assert find_stored(settings, TINY, StorageOptions()) is None


def test_embeddings_of_the_detectors_encoder_are_taken(tmp_path: Path) -> None:
    write_embeddings(tmp_path / "in/a.parquet", vectors(3, 8), metadata=told(precision="bf16"))
    (tmp_path / "in/_SUCCESS").touch()  # as others write it as well
    plan = find(tmp_path / "in").plan(TINY, "float16")
    assert (plan.precision, plan.dtype, plan.device) == ("bf16", "float16", "cpu")
    stored = find(tmp_path / "in", make_bank(tmp_path / "bank"))
    assert stored.plan(TINY, "float32").precision is None  # the bank does not tell
    assert sum(len(table) for table in stored.tables()) == 9


@pytest.mark.parametrize("kind", ["file", "bank", "run"])
def test_another_encoders_are_refused_both_spelled_out(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "a.parquet"
    if kind == "file":
        write_embeddings(place, vectors(1, 8), metadata=told(OTHER.encoder_id))
    elif kind == "bank":
        place = make_bank(tmp_path / "bank", OTHER)
    else:
        place = publish(tmp_path, "r", [])
        document = json.loads((place / "run.json").read_text())
        document["detectors"] = {"encoder_id": OTHER.encoder_id}
        (place / "run.json").write_text(json.dumps(document))
    complaint = f"from encoder {OTHER.encoder_id}, and bank and probe are for "
    for flags in ({}, {"embeddings_encoder": TINY.encoder_id}):  # a flag outweighs no file
        with pytest.raises(SettingsError, match=complaint) as raised:
            find(place, **flags)
        assert OURS in str(raised.value)


def test_where_nothing_tells_somebody_has_to(tmp_path: Path) -> None:
    write_embeddings(tmp_path / "a.parquet", vectors(1, 8), metadata=told())
    find(tmp_path)
    write_embeddings(tmp_path / "b.parquet", vectors(1, 8))
    complaint = rf"b\.parquet: nothing there tells .*say --embeddings-encoder {TINY.encoder_id}"
    with pytest.raises(SettingsError, match=complaint):
        find(tmp_path)
    find(tmp_path, embeddings_encoder=TINY.encoder_id)
    with pytest.raises(SettingsError, match="--embeddings-encoder abc: bank and probe are for"):
        find(tmp_path, embeddings_encoder="abc")


def test_runs_that_cannot_be_read_again_are_said(tmp_path: Path) -> None:
    folder = publish(tmp_path, "r", [{"uri": "/a.png"}], success=False)
    with pytest.raises(SettingsError, match=r"--embeddings .*/r: a run that is not published"):
        find(folder)
    (folder / "_SUCCESS").touch()
    with pytest.raises(SettingsError, match="not in a column 'clip'"):
        find(folder, embedding_column="clip")
    document = json.loads((folder / "run.json").read_text())
    document["files"] = document["files"][:1]
    (folder / "run.json").write_text(json.dumps(document))
    with pytest.raises(SettingsError, match="that run kept no embeddings"):
        find(folder)


def test_no_rows_are_nothing_to_score(tmp_path: Path) -> None:
    from ufd_ray.storage import write_manifest

    write_embeddings(tmp_path / "a.parquet", [], metadata=told())
    stored = find(tmp_path / "a.parquet")
    info = write_manifest(str(tmp_path / "m"), stored.tables(), StorageOptions())
    with pytest.raises(SettingsError, match=r"--embeddings .*a\.parquet: no rows"):
        stored.say(info)
