"""What installs the project says the same everywhere."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project() -> dict[str, Any]:
    parsed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    metadata: dict[str, Any] = parsed["project"]
    return metadata


@pytest.fixture
def runtime_env() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "runtime_env.yaml").read_text(encoding="utf-8"))
    return parsed


def is_ray(requirement: str) -> bool:
    return Requirement(requirement).name == "ray"


def test_every_dependency_is_pinned_to_the_digit(project: dict[str, Any]) -> None:
    for requirement in project["dependencies"] + project["optional-dependencies"]["dev"]:
        operators = [one.operator for one in Requirement(requirement).specifier]
        assert operators == ["=="], requirement
        assert "*" not in requirement


def test_cluster_installs_the_same_pins_but_ray(
    project: dict[str, Any], runtime_env: dict[str, Any]
) -> None:
    assert runtime_env["pip"] == [one for one in project["dependencies"] if not is_ray(one)]


def test_rays_pin_is_the_version_under_test(project: dict[str, Any]) -> None:
    (pin,) = (Requirement(one) for one in project["dependencies"] if is_ray(one))
    assert str(pin.specifier) == f"=={version('ray')}"


def test_ray_accepts_the_runtime_environment(runtime_env: dict[str, Any]) -> None:
    from ray.runtime_env import RuntimeEnv

    assert RuntimeEnv(**runtime_env).env_vars() == runtime_env["env_vars"]


def test_license_is_apache_2(project: dict[str, Any]) -> None:
    assert project["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.split()[:6] == ["Apache", "License", "Version", "2.0,", "January", "2004"]
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize(
    "name", ["ufd_ray", "jobs", "cluster", "tests", "runtime_env.yaml", "pyproject.toml"]
)
def test_top_level_is_as_fixed(name: str) -> None:
    assert (ROOT / name).exists()
