"""What `build_bank` does about a bank that is there: nothing, an audit, another distance."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.crawl.handmade import HERE, make_bank
from ufd_ray.outcome import Outcome
from ufd_ray.pipeline.banking import finished
from ufd_ray.pipeline.banking.finished import look_again
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.settings import BuildBankSettings
from ufd_ray.storage import LeaveOneOut

OLD = LeaveOneOut(0.95, 0.5, 0.96, 24, True, {"1": 0.5})


def found(quantile: float) -> LeaveOneOut:
    return LeaveOneOut(quantile, 0.25, quantile, 100, False, {"1": 0.25})


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """Look again at a bank, and say by which quantiles its rows were searched."""
    make_bank(tmp_path / "bank")
    quantiles: list[float] = []

    def search(*arguments: Any) -> LeaveOneOut:
        quantiles.append(arguments[-1])
        return found(arguments[-1])

    monkeypatch.setattr(finished, "find_evidence", search)
    monkeypatch.setattr(finished, "join_cluster", lambda: Cluster((2,)))
    monkeypatch.setattr(finished, "find_place", lambda *_: SimpleNamespace(detectors=None))
    monkeypatch.setattr(finished, "plan_on", lambda *_: None)

    def look(**given: Any) -> list[float]:
        places = {"input": ["/images"], "output": str(tmp_path / "bank")}
        settings = BuildBankSettings.model_validate(places | given)
        assert look_again(settings, Outcome.PUBLISHED_WITH_ERRORS, HERE) == 3
        return quantiles

    return look


def document(tmp_path: Path, **changes: Any) -> Any:
    path = tmp_path / "bank" / "bank.json"
    content = json.loads(path.read_text())
    if changes:
        path.write_text(json.dumps(content | changes))
    return content


def test_without_a_question_nothing_is_searched(asked: Any, tmp_path: Path) -> None:
    assert asked() == []
    document(tmp_path, leave_one_out=OLD.to_dict())
    assert asked(out_of_bank_quantile=0.95) == []
    assert asked(out_of_bank_rows=500) == []
    assert asked(audit=True, dry_run=True) == []


@pytest.mark.parametrize(
    ("there", "quantile"), [({}, 0.99), ({"leave_one_out": OLD.to_dict()}, 0.95)]
)
def test_an_audit_leaves_the_bank_as_it_is(
    asked: Any, tmp_path: Path, there: dict[str, Any], quantile: float
) -> None:
    document(tmp_path, **there)
    before = document(tmp_path)
    assert asked(audit=True) == [quantile]
    assert document(tmp_path) == before


@pytest.mark.parametrize("there", [{}, {"leave_one_out": OLD.to_dict()}])
def test_another_quantile_is_written_down(
    asked: Any, tmp_path: Path, there: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    document(tmp_path, **there)
    before = document(tmp_path)
    assert asked(out_of_bank_quantile=0.99) == [0.99]
    assert document(tmp_path) == before | {"leave_one_out": found(0.99).to_dict()}
    assert "runs with this bank another detector_id" in capsys.readouterr().out
