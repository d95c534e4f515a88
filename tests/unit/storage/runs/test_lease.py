from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ufd_ray.errors import LeaseError, StorageError
from ufd_ray.storage import StorageOptions
from ufd_ray.storage.folders import list_folder
from ufd_ray.storage.objects import write_object
from ufd_ray.storage.runs import lease as leases
from ufd_ray.storage.runs.lease import Lease

OPTIONS = StorageOptions()


def lease(folder: Path, lease_s: float = 60.0) -> Lease:
    return Lease(str(folder), OPTIONS, lease_s)


def numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in (folder / "lease").glob("*.json"))


def abandon(folder: Path) -> None:
    """Leave what a killed holder leaves: a number in force that nobody renews."""
    text = json.dumps({"holder": "killed", "released": False})
    write_object(f"{folder}/lease/00000007.json", text.encode(), OPTIONS)


def test_a_free_folder_is_taken_and_given_back(tmp_path: Path) -> None:
    with lease(tmp_path):
        assert numbers(tmp_path) == [1]
    with lease(tmp_path):  # at once, though a lease is a minute
        assert numbers(tmp_path) == [1, 2, 3]


def test_a_rival_waits_twice_the_lease_then_says_who_is_there(tmp_path: Path) -> None:
    # Long enough for the holder to renew, however busy the machine is.
    with lease(tmp_path, 1.5):
        begun = time.monotonic()
        with (
            pytest.raises(LeaseError, match=r"is at work on .*watched for 3 s"),
            lease(tmp_path, 1.5),
        ):
            pytest.fail("both were let in")
        assert time.monotonic() - begun >= 3


def test_a_dead_holder_is_taken_over_from(tmp_path: Path) -> None:
    abandon(tmp_path)
    with lease(tmp_path, 0.2):
        assert numbers(tmp_path)[:2] == [7, 8]


def test_a_first_look_that_took_long_is_no_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    abandon(tmp_path)
    looks = [0.6]

    def slow_at_first(*given: Any) -> list[str]:
        time.sleep(looks.pop() if looks else 0)
        return list_folder(*given)

    monkeypatch.setattr(leases, "list_folder", slow_at_first)
    with lease(tmp_path, 0.2):
        assert numbers(tmp_path)[:2] == [7, 8]


def test_of_many_rivals_one_at_a_time_is_let_in(tmp_path: Path) -> None:
    abandon(tmp_path)
    inside, most = 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with lease(tmp_path, 2.0):
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.02)
            with guard:
                inside -= 1

    def work_in_the_end(_: int) -> None:
        while True:
            try:
                return work()
            except LeaseError:  # as it should where others take longer than it waits
                continue

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work_in_the_end, range(6)))
    assert most == 1


def test_the_holder_learns_that_it_was_taken_over_from(tmp_path: Path) -> None:
    told = threading.Event()
    with Lease(str(tmp_path), OPTIONS, 0.2, lost=told.set) as held:
        held.check()
        # As after a pause of the machine: rivals waited, and one of them went on.
        taken = json.dumps({"holder": "rival", "released": False}).encode()
        while True:
            try:
                write_object(
                    f"{tmp_path}/lease/{max(numbers(tmp_path)) + 1:08d}.json",
                    taken,
                    OPTIONS,
                    if_absent=True,
                )
                break
            except FileExistsError:
                continue
        assert told.wait(10)
        with pytest.raises(LeaseError, match="another process has taken over"):
            held.check()


def test_a_holder_that_slept_until_all_was_done_learns_it(tmp_path: Path) -> None:
    with lease(tmp_path) as slept:
        # Others took over, did the work, and are about to leave: their numbers are gone already.
        (tmp_path / "_SUCCESS").touch()
        with pytest.raises(LeaseError, match="another process has taken over, and is done"):
            slept.check()
        assert not (tmp_path / "lease").exists()


def test_a_lost_answer_costs_no_lease(tmp_path: Path) -> None:
    with lease(tmp_path) as held:
        mine = (tmp_path / "lease" / "00000001.json").read_bytes()
        # Storage granted the number, but the answer never came: the next try finds it taken.
        write_object(f"{tmp_path}/lease/00000002.json", mine, OPTIONS)
        held.check()
        held.check()
        assert numbers(tmp_path) == [1, 2, 3]


def test_storage_that_does_not_answer_costs_no_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()

    def refuse(*_: object, **__: object) -> None:
        raise StorageError("down")

    with Lease(str(tmp_path), OPTIONS, 0.2, lost=told.set) as held:
        with monkeypatch.context() as patch:
            patch.setattr(leases, "write_object", refuse)
            time.sleep(0.3)
            with pytest.raises(StorageError, match="down"):
                held.check()
        held.check()
        assert not told.is_set()


def test_a_deleted_lease_leaves_nothing(tmp_path: Path) -> None:
    with lease(tmp_path) as held:
        held.delete()
    assert not tmp_path.exists()
    with lease(tmp_path):
        assert numbers(tmp_path) == [1]


def test_a_rival_goes_by_the_holders_lease_where_that_is_longer(tmp_path: Path) -> None:
    with (
        lease(tmp_path, 2.0),  # renewed twice a second
        pytest.raises(LeaseError, match="watched for 4 s"),
        lease(tmp_path, 0.1),
    ):
        pytest.fail("both were let in")


def test_who_slept_through_the_whole_work_is_not_let_back_in(tmp_path: Path) -> None:
    with lease(tmp_path) as slept:
        taken = json.dumps({"holder": "rival", "released": False}).encode()
        write_object(f"{tmp_path}/lease/00000002.json", taken, OPTIONS)
        for number in (1, 2):  # the rival has ended: no number is left
            (tmp_path / "lease" / f"{number:08d}.json").unlink()
        with pytest.raises(LeaseError, match="has taken over and ended, or deleted,"):
            slept.check()
        assert numbers(tmp_path) == []


def test_a_folder_that_is_deleted_ends_the_work_on_it(tmp_path: Path) -> None:
    told = threading.Event()
    with Lease(str(tmp_path / "run"), OPTIONS, 0.2, lost=told.set):
        (tmp_path / "run").rename(tmp_path / "deleted")
        assert told.wait(10)


def test_a_rival_says_that_it_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    abandon(tmp_path)
    with lease(tmp_path, 0.2):
        pass
    said = f"waiting, 0.4 s at most: killed may still be at work on {tmp_path}"
    assert said in capsys.readouterr().out


def test_a_holder_that_ended_may_write_the_last_word_itself(tmp_path: Path) -> None:
    told = threading.Event()
    with Lease(str(tmp_path), OPTIONS, 0.2, lost=told.set) as held:
        held.end()
        newest = numbers(tmp_path)
        (tmp_path / "_SUCCESS").touch()
        time.sleep(0.3)
        assert numbers(tmp_path) == newest
        held.delete()
    assert not told.is_set()
    assert not (tmp_path / "lease").exists()
