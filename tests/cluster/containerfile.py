"""What is wrong with the Containerfile: hadolint's word, and what this project expects to be there.

The second is the whole list of instructions. A line more may be all it takes to run as root, to
keep a secret in the image's history or to send a folder that nobody meant, and no rule knows every
such line.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml

import ufd_ray

ROOT = Path(__file__).parents[2]
FILE = ROOT / "cluster" / "Containerfile"

_DIRECTIVE = re.compile(r"\s*#\s*(syntax|escape|check)\s*=.*", re.IGNORECASE)

CODE = "/opt/ufd-ray"
"""Where the image has the code."""
USER = "1000:100"
"""Ray's own in its image, as numbers: of a name Kubernetes cannot tell whether it is root."""

_JOB_LIST = (
    f"import yaml; jobs = yaml.safe_load(open('{CODE}/runtime_env.yaml'));"
    r" print(*jobs['pip'], sep='\n')"
)
EXPECTED = [
    ("ARG", f"BASE=rayproject/ray:{version('ray')}-py311"),
    ("ARG", "WEIGHTS=mounted"),
    ("FROM", "${BASE} AS code"),
    ("SHELL", '["/bin/bash", "-o", "pipefail", "-c"]'),
    ("USER", "0"),
    ("RUN", "sed -i '/^ray .*NOPASSWD/d' /etc/sudoers && gpasswd --delete ray sudo"),
    ("COPY", f"runtime_env.yaml {CODE}/"),
    ("USER", USER),
    (
        "RUN",
        f'python -c "{_JOB_LIST}" > /tmp/packages.txt'
        " && pip install --no-cache-dir --requirement /tmp/packages.txt"
        " && rm /tmp/packages.txt",
    ),
    ("COPY", f"LICENSE {CODE}/"),
    ("COPY", f"jobs {CODE}/jobs"),
    ("COPY", f"ufd_ray {CODE}/ufd_ray"),
    (
        "ENV",
        f"PYTHONPATH={CODE} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TZ=UTC HOME=/home/ray"
        " XDG_CACHE_HOME=/tmp/cache HF_HOME=/tmp/cache/huggingface TORCH_HOME=/tmp/cache/torch"
        " RAY_USAGE_STATS_ENABLED=0",
    ),
    (
        "ENV",
        "AWS_REQUEST_CHECKSUM_CALCULATION=when_required"
        " AWS_RESPONSE_CHECKSUM_VALIDATION=when_required"
        " RAY_DATA_DISABLE_PROGRESS_BARS=1 RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0",
    ),
    (
        "RUN",
        'python -c "import ray, ufd_ray.pipeline;'
        f" assert ray.__version__ == '{version('ray')}', ray.__version__\"",
    ),
    ("FROM", "code AS weights-mounted"),
    ("VOLUME", "/opt/weights"),
    ("FROM", "code AS weights-baked"),
    ("COPY", "--from=weights . /opt/weights/"),
    ("ENV", "HF_HUB_OFFLINE=1"),
    ("FROM", "weights-${WEIGHTS} AS image"),
    (
        "LABEL",
        f'org.opencontainers.image.title="ufd-ray"'
        f' org.opencontainers.image.version="{ufd_ray.__version__}"'
        f' org.opencontainers.image.description="Scores millions of images on Ray"'
        f' org.opencontainers.image.licenses="Apache-2.0"',
    ),
    ("WORKDIR", "/home/ray"),
    ("USER", USER),
]
"""Its instructions, each with its arguments in one line."""


def check_containerfile() -> list[str]:
    """Everything that is wrong with the file, a line each."""
    return [f"{FILE.name}: {fault}" for fault in find_faults(FILE.read_text(encoding="utf-8"))]


def find_faults(text: str) -> list[str]:
    """Everything that is wrong with such a file."""
    return [*_lint(text), *find_unexpected(text)]


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Its instructions, each with its arguments in one line, comments left out."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            kind, _, rest = line.strip().partition(" ")
            yield kind, " ".join(rest.split())


def _lint(text: str) -> Iterator[str]:
    # Beside the interpreter: the package holds the program itself.
    command = [str(Path(sys.executable).with_name("hadolint")), "--format=json", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("["):
        raise RuntimeError(f"hadolint says nothing of use: {done.stderr[-500:]}")
    for fault in json.loads(done.stdout):
        yield f"line {fault['line']}: {fault['code']} {fault['message']}"


def find_unexpected(text: str) -> Iterator[str]:
    """Where it first has another instruction than is expected, and what it has from elsewhere."""
    for line in text.splitlines():
        if _DIRECTIVE.fullmatch(line):
            yield f"{line.strip()}: the builder would read the file in another way"
    for number, (expected, found) in enumerate(zip_longest(EXPECTED, instructions(text)), start=1):
        if found != expected:
            yield f"instruction {number}: expected {_line(expected)}, got {_line(found)}"
            break
    set_there = environment(list(instructions(text)))
    for name, value in _job_environment().items():
        if set_there.get(name) != value:
            yield f"ENV {name} is {set_there.get(name)}; in runtime_env.yaml it is {value}"


def _line(instruction: tuple[str, str] | None) -> str:
    return " ".join(instruction) if instruction else "nothing"


def environment(found: list[tuple[str, str]]) -> dict[str, str]:
    """What its ENVs set, whatever the stage."""
    pairs = (pair for kind, rest in found if kind == "ENV" for pair in rest.split(" "))
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _job_environment() -> dict[str, Any]:
    parsed = yaml.safe_load((ROOT / "runtime_env.yaml").read_text(encoding="utf-8"))
    return dict(parsed["env_vars"])
