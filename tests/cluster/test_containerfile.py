"""The image's file, and what is caught when it is spoilt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cluster.containerfile import (
    EXPECTED,
    FILE,
    ROOT,
    check_containerfile,
    environment,
    find_faults,
    find_unexpected,
    instructions,
)


@pytest.fixture(scope="module")
def text() -> str:
    return FILE.read_text(encoding="utf-8")


def test_the_file_can_be_used() -> None:
    assert check_containerfile() == []


LINTED = {
    "a misspelt instruction": ("WORKDIR /home", "WORKDIRR /home", "DL1000"),
    "a base that moves": ("FROM ${BASE} AS", "FROM rayproject/ray AS", "DL3006"),
    "root at the end": ("/home/ray\nUSER 1000:100", "/home/ray\nUSER root", "DL3002"),
    "packages without a version": ("RUN sed", "RUN pip install torch && sed", "DL3013"),
    "a cache in the image": ("--no-cache-dir ", "", "DL3042"),
    "a stage that is not there": ("COPY LICENSE", "COPY --from=other LICENSE", "DL3022"),
}
END = "WORKDIR /home/ray\nUSER 1000:100\n"
SPOILT = {
    "the newest base": ("ray:2.60.0-py311\n", "ray:latest\n"),
    "another Ray": ("ray:2.60.0-py311\n", "ray:2.59.0-py311\n"),
    "another Python": ("ray:2.60.0-py311\n", "ray:2.60.0-py312\n"),
    "weights by default": ("WEIGHTS=mounted", "WEIGHTS=baked"),
    "root by number": (END, END.replace("1000:100", "0:0")),
    "no user by number": (END, END.replace("1000:100", "ray")),
    "root after all": (END, f"{END}USER 0\n"),
    "an entry point": (END, f'{END}ENTRYPOINT ["python"]\n'),
    "a command": (END, f'{END}CMD ["bash"]\n'),
    "a command in small letters": (END, f'{END}cmd ["bash"]\n'),
    "a health check": (END, f"{END}HEALTHCHECK CMD true\n"),
    "a port": (END, f"{END}EXPOSE 8265\n"),
    "a stage more": (END, f"{END}FROM code AS last\n"),
    "a line less": (END, END.partition("\n")[0] + "\n"),
    "a second list of packages": ("RUN sed", "RUN pip install timm==1.0.31 && sed"),
    "no packages": (" && pip install --no-cache-dir --requirement /tmp/packages.txt", " && true"),
    "a script from the net": ("RUN sed", "RUN curl https://example.org/x | sh && sed"),
    "an archive from the net": ("COPY LICENSE", "ADD https://example.org/x.tar"),
    "everything copied": ("COPY jobs /opt/ufd-ray/jobs", "COPY . /opt/ufd-ray"),
    "copied to another place": ("COPY jobs /opt/ufd-ray/jobs", "COPY jobs /srv/jobs"),
    "code that jobs can change": ("COPY jobs", "COPY --chown=1000:100 jobs"),
    "code for all to change": ("RUN sed", "RUN chmod 777 /opt && sed"),
    "code that is not found": ("PYTHONPATH=/opt/ufd-ray", "PYTHONPATH=/srv"),
    "reports to others": ("STATS_ENABLED=0", "STATS_ENABLED=1"),
    "a secret": ("TZ=UTC", "TZ=UTC AWS_SECRET_ACCESS_KEY=x"),
    "a check less": ("assert ray.__version__ == '2.60.0', ray.__version__", "pass"),
}
JOINED = {
    "an unset variable of the jobs": ("PROGRESS_BARS=1", "PROGRESS_BARS=0", "PROGRESS_BARS is 0"),
    "another reader of the file": ("# The image", "# syntax=example.org/x\n# The", "another way"),
}
"""What is replaced at its first place, by what, and (but in SPOILT) what is said of it."""


@pytest.mark.parametrize("name", [*LINTED, *JOINED])
def test_a_spoilt_file_is_refused(text: str, name: str) -> None:
    old, new, said = (LINTED | JOINED)[name]
    assert old in text
    found = find_faults(text.replace(old, new, 1))
    assert any(said in line for line in found), found


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_not_expected_is_refused(text: str, name: str) -> None:
    """By this project's list alone, whatever the linter says."""
    old, new = SPOILT[name]
    joined = text.replace("\\\n    &&", "&&")  # as one line of a shell has it
    assert list(find_unexpected(joined)) == []
    assert old in joined
    assert list(find_unexpected(joined.replace(old, new, 1)))


def test_every_instruction_and_every_word_of_it_counts() -> None:
    file = [" ".join(one) for one in EXPECTED]
    assert list(find_unexpected("\n".join(file))) == []
    for number, line in enumerate(file):
        without = file[:number] + file[number + 1 :]
        assert list(find_unexpected("\n".join(without))), line
        words = line.split()
        for place in range(len(words)):
            spoilt = " ".join([*words[:place], words[place] + "s", *words[place + 1 :]])
            twin = [*file[:number], spoilt, *file[number + 1 :]]
            assert list(find_unexpected("\n".join(twin))), spoilt


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
