"""The image's file, and what is caught when it is spoilt."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

import ufd_ray
from tests.cluster.containerfile import (
    FILE,
    ROOT,
    check_containerfile,
    environment,
    find_faults,
    instructions,
)


@pytest.fixture(scope="module")
def text() -> str:
    return FILE.read_text(encoding="utf-8")


def test_the_file_can_be_used() -> None:
    assert check_containerfile() == []


TWINS = {
    "a misspelt instruction": ("WORKDIR /home", "WORKDIRR /home", "DL1000"),
    "a base that moves": ("FROM ${BASE} AS", "FROM rayproject/ray AS", "DL3006"),
    "the newest base": ("ray:2.60.0-py311\n", "ray:latest\n", "another Ray"),
    "another Ray": ("ray:2.60.0-py311\n", "ray:2.59.0-py311\n", "another Ray"),
    "root at the end": ("/home/ray\nUSER 1000:100", "/home/ray\nUSER root", "DL3002"),
    "root by number": ("/home/ray\nUSER 1000:100", "/home/ray\nUSER 0:0", "number"),
    "no user by number": ("/home/ray\nUSER 1000:100", "/home/ray\nUSER ray", "number"),
    "a second list of packages": ("RUN sed", "RUN pip install timm==1.0.31 && sed", "packages"),
    "packages without a version": ("RUN sed", "RUN pip install torch && sed", "DL3013"),
    "a cache in the image": ("--no-cache-dir ", "", "DL3042"),
    "a script from the net": ("RUN sed", "RUN curl https://example.org/x | sh && sed", "by hand"),
    "an archive from the net": ("COPY LICENSE", "ADD https://example.org/x.tar", "ADD"),
    "a secret": ("TZ=UTC", "AWS_SECRET_ACCESS_KEY=x", "a secret"),
    "an unset variable of the jobs": ("PROGRESS_BARS=1", "PROGRESS_BARS=0", "PROGRESS_BARS is 0"),
    "a stage that is not there": ("COPY LICENSE", "COPY --from=other LICENSE", "DL3022"),
}  # fmt: skip
"""What is replaced at its first place, by what, and what is said of it."""


@pytest.mark.parametrize("name", TWINS)
def test_a_spoilt_file_is_refused(text: str, name: str) -> None:
    old, new, said = TWINS[name]
    assert old in text
    found = find_faults(text.replace(old, new, 1))
    assert any(said in line for line in found), found


def test_it_installs_what_jobs_are_given(text: str, tmp_path: Path) -> None:
    """The command that makes the list of packages, run as it stands on another folder."""
    (command,) = (rest for kind, rest in instructions(text) if "pip install" in rest)
    made = tmp_path / "packages.txt"
    command = command.partition(" && ")[0].replace("/tmp/packages.txt", str(made))
    command = command.replace("/opt/ufd-ray", str(ROOT)).replace("python", sys.executable, 1)
    subprocess.run(["bash", "-c", command], check=True)
    jobs = yaml.safe_load((ROOT / "runtime_env.yaml").read_text(encoding="utf-8"))
    assert made.read_text().split() == jobs["pip"]


def test_all_that_is_copied_is_sent_to_the_builder(text: str) -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    copied = {rest.split()[0] for kind, rest in instructions(text) if kind == "COPY"}
    assert copied - {"--from=weights"} == sent
    assert "*" in lines
    assert all((ROOT / name).exists() for name in sent)


def test_what_writes_writes_below_tmp_or_home(text: str) -> None:
    found = environment(list(instructions(text)))
    homes = {name: path for name, path in found.items() if name.endswith("HOME")}
    assert len(homes) == 4
    assert all(path.startswith(("/tmp/", "/home/ray")) for path in homes.values())


def test_versions_are_the_projects(text: str) -> None:
    assert f'image.version="{ufd_ray.__version__}"' in text
    assert f"assert ray.__version__ == '{version('ray')}'" in text
