"""What is wrong with the Containerfile: hadolint's word, and rules of this project."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "cluster" / "Containerfile"

_INSTRUCTION = re.compile(r"([A-Z]+)\s+(.*)", re.DOTALL)
_SECRET = re.compile(r"\b\w*(SECRET|PASSWORD|TOKEN|ACCESS_KEY|CREDENTIAL)\w*\s*[= ]", re.IGNORECASE)
_FOUND_ONLINE = re.compile(r"\b(curl|wget|git)\b")
_USER = re.compile(r"[1-9]\d*(:\d+)?")


def check_containerfile() -> list[str]:
    """Everything that is wrong with the file, a line each."""
    return [f"{FILE.name}: {fault}" for fault in find_faults(FILE.read_text(encoding="utf-8"))]


def find_faults(text: str) -> list[str]:
    """Everything that is wrong with such a file."""
    return [*_lint(text), *_own_rules(list(instructions(text)))]


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Its instructions, each with its arguments in one line, comments left out."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if found := _INSTRUCTION.fullmatch(line.strip()):
            yield found[1], " ".join(found[2].split())


def _lint(text: str) -> Iterator[str]:
    # Beside the interpreter: the package holds the program itself.
    command = [str(Path(sys.executable).with_name("hadolint")), "--format=json", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("["):
        raise RuntimeError(f"hadolint says nothing of use: {done.stderr[-500:]}")
    for fault in json.loads(done.stdout):
        yield f"line {fault['line']}: {fault['code']} {fault['message']}"


def _own_rules(found: list[tuple[str, str]]) -> Iterator[str]:
    arguments = {name: [rest for kind, rest in found if kind == name] for name, _ in found}
    base = f"BASE=rayproject/ray:{version('ray')}-py3"
    if not any(rest.startswith(base) for rest in arguments.get("ARG", [])):
        yield f"expected ARG {base}…: another Ray than the one that the tests ran with"
    if not _USER.fullmatch((arguments.get("USER") or [""])[-1]):
        yield "the last USER has to be a number, not 0: of a name Kubernetes cannot tell who it is"
    for kind, rest in found:
        if kind == "ADD":
            yield f"ADD {rest}: fetches and unpacks by itself; COPY does not"
        if kind in ("ARG", "ENV") and _SECRET.search(rest):
            yield f"{kind} {rest}: a secret would stay in the image's history"
        if kind == "RUN" and _FOUND_ONLINE.search(rest):
            yield f"RUN {rest}: what is fetched by hand has no version"
        if (
            kind == "RUN"
            and "pip install" in rest
            and "--requirement /tmp/packages.txt" not in rest
        ):
            yield f"RUN {rest}: packages are those of runtime_env.yaml"
    if not any("runtime_env.yaml" in rest for rest in arguments.get("RUN", [])):
        yield "no RUN installs the packages of runtime_env.yaml"
    set_there = environment(found)
    for name, value in _job_environment().items():
        if set_there.get(name) != value:
            yield f"ENV {name} is {set_there.get(name)}; in runtime_env.yaml it is {value}"


def environment(found: list[tuple[str, str]]) -> dict[str, str]:
    """What its ENVs set, whatever the stage."""
    pairs = (pair for kind, rest in found if kind == "ENV" for pair in rest.split(" "))
    return dict(pair.split("=", 1) for pair in pairs)


def _job_environment() -> dict[str, Any]:
    parsed = yaml.safe_load((ROOT / "runtime_env.yaml").read_text(encoding="utf-8"))
    return dict(parsed["env_vars"])
