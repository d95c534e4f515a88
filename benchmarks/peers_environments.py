"""An environment of its own for each peer of `peers.py`, made once, beside the one we run in."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

from peers_watch import CommandError

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "clip-retrieval": ("clip-retrieval==2.45.0", "setuptools<80"),
    "daft": ("daft==0.7.26",),
}
"""What pip is asked for. `clip-anytorch`, which clip-retrieval needs, imports pkg_resources."""


def interpreter(peer: str, folder: Path) -> Path:
    """The Python that a peer runs in: ours where it needs nothing else.

    Behind its own packages such an environment finds those of ours, so that PyTorch is there once,
    and the same for all. Where a peer wants another version of something, it gets it.

    Raises:
        CommandError: its packages cannot be installed.
    """
    if peer not in REQUIREMENTS:
        return Path(sys.executable)
    place = (folder / peer).absolute()
    python, ready = place / "bin" / "python", place / "ready"
    wanted = "\n".join(REQUIREMENTS[peer])
    if ready.exists() and ready.read_text() == wanted:
        return python
    print(f"{place}: pip install {' '.join(REQUIREMENTS[peer])}", flush=True)
    _call([sys.executable, "-m", "venv", "--clear", str(place)])
    answer = _call([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(answer.strip(), "ours.pth").write_text("\n".join(sorted(ours)) + "\n")
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    _call([*install, *REQUIREMENTS[peer]])
    ready.write_text(wanted)
    return python


def versions(python: Path, packages: tuple[str, ...]) -> dict[str, str]:
    """Of those of the packages that are there."""
    lines = [
        "from importlib.metadata import PackageNotFoundError, version",
        f"for name in {packages!r}:",
        "    try:",
        "        print(name, version(name))",
        "    except PackageNotFoundError:",
        "        pass",
    ]
    found = _call([str(python), "-c", "\n".join(lines)])
    return dict(line.split(" ", 1) for line in found.splitlines())


def _call(command: list[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        said = (done.stdout + done.stderr)[-3000:]
        raise CommandError(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
    return done.stdout
