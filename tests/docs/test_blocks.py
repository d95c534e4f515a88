"""Every block of the pages is run, or listed with the reason why not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.docs.listed import NOT_RUN, RUN_BY
from tests.docs.names import EXPANDED, Names
from tests.docs.pages import PAGES, ROOT, Block, block, blocks, code_spans, job_of
from tests.docs.room import PREPARING, Room, load_job
from ufd_ray.command_line import read_settings
from ufd_ray.errors import SettingsError

Make = Callable[[str, Room | None], Room]

LISTED = NOT_RUN | RUN_BY
RUN = [one for one in blocks("sh", "python", "sql") if one.key not in LISTED]
IN_ORDER = ("README.md", "docs/few-shot.md", "docs/first-crawl.md")
"""Pages whose blocks build on one another, from nothing: each of them is one test."""
FROM_KEPT = {
    "docs/runs.md#a-new-bank-or-probe-over-old-images",
    "docs/scheduled-crawls.md#a-bad-bank-or-probe-found-out-later",
}
"""Blocks that score again from kept embeddings."""
QUICK = (
    "docs/runs.md#a-run-that-was-cut-off",  # published already: it returns at once
    "docs/submitting.md",
    "docs/housekeeping.md",
)
"""Where shell blocks take seconds; all others start encoders, and are slow."""
FOREIGN_FLAGS = {
    *("--help", "--submission-id", "--run-id", "--working-dir", "--runtime-env", "--no-wait"),
    *("--follow", "--address", "--type", "--limit"),
}
"""Flags of Ray, kubectl and the like in the pages' prose."""


def by_key(chosen: list[Block], *, slow: bool = False) -> Any:
    marks = [pytest.mark.slow] if slow else []
    return [pytest.param(one, id=one.key, marks=marks) for one in chosen]


def shell_blocks() -> Any:
    chosen = [one for one in RUN if one.language == "sh" and one.page not in IN_ORDER]
    quick = [one for one in chosen if one.key.startswith(QUICK)]
    return by_key(quick) + by_key([one for one in chosen if one not in quick], slow=True)


def room_of(one: Block) -> str:
    return re.sub(r"\W+", "-", one.key)


@pytest.mark.parametrize("one", shell_blocks())
def test_shell_block(one: Block, make_room: Make, request: pytest.FixtureRequest) -> None:
    like = request.getfixturevalue("kept" if one.key in FROM_KEPT else "published")
    for ended in make_room(room_of(one), like).run_shell(one):
        assert ended.status == 0, ended.out + ended.err


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("page", IN_ORDER)
def test_page_from_nothing(page: str, make_room: Make, pages_bucket: Room) -> None:
    # The README scores first with models that it takes for given.
    like = pages_bucket if page == "README.md" else None
    room = make_room(page.partition(".")[0].replace("/", "-"), like)
    for one in (one for one in RUN if one.page == page and one.language != "python"):
        if one.language == "sql":
            assert room.run_sql(one)
            continue
        for ended in room.run_shell(one):
            assert ended.status == 0, ended.out + ended.err


@pytest.mark.parametrize(
    "one", by_key([one for one in RUN if one.language == "sql" and one.page not in IN_ORDER])
)
def test_query(one: Block, make_room: Make, published: Room) -> None:
    rows = make_room(room_of(one), published).run_sql(one)
    if "<>" not in one.text:  # probe and neighbours may agree on all of them
        assert rows


@pytest.mark.parametrize("page", sorted({one.page for one in RUN if one.language == "python"}))
def test_python_blocks(page: str, make_room: Make, published: Room) -> None:
    room, namespace = make_room(room_of(block(first_key(page))), published), dict[str, Any]()
    said = ""
    for one in blocks("python", "text"):
        if one.page == page and one.language == "python":
            said = room.run_python(one, namespace)
            assert said.strip(), f"{one.key} prints nothing"
        elif one.page == page and said:  # what comes before any code is no output of it
            assert said.strip() == one.text.strip(), (
                f"{one.key} is not what the block before prints"
            )


def first_key(page: str) -> str:
    return next(one.key for one in blocks("python") if one.page == page)


class TestTheList:
    def test_names_blocks_that_there_are(self) -> None:
        assert LISTED.keys() <= {one.key for one in blocks("sh", "python", "sql")}
        assert not NOT_RUN.keys() & RUN_BY.keys()

    def test_blocks_that_other_tests_run_are_taken_by_them(self) -> None:
        for key, file in RUN_BY.items():
            assert f'"{key}"' in (ROOT / file).read_text(), key

    def test_all_other_blocks_of_a_shell_run_jobs(self) -> None:
        for one in RUN:
            commands = one.commands(EXPANDED) if one.language == "sh" else []
            others = [
                words for words in commands if words[0] not in PREPARING and not job_of(words)
            ]
            assert others == [], f"{one.key}: run it by a test, or list it with the reason why not"

    def test_every_block_says_its_language(self) -> None:
        known = {"sh", "python", "sql", "text", "cron", "yaml", "json", ""}
        assert {one.language for one in blocks(*known)} <= known
        for page in PAGES:
            fences = re.findall(r"^ *```(\w*)$", (ROOT / page).read_text(), re.MULTILINE)
            assert set(fences[::2]) <= known, page

    def test_blocks_without_a_language_are_pictures(self) -> None:
        for one in blocks(""):
            assert not re.search(r"^(python|ray|kubectl|aws|make) ", one.text, re.M), one.key


JOBS = [
    pytest.param(*job, id=f"{one.key}:{number}")
    for one in blocks("sh")
    for number, command in enumerate(one.commands(EXPANDED))
    if (job := job_of(command)) is not None
]


def test_jobs_were_found() -> None:
    assert len(JOBS) > 20


@pytest.mark.parametrize(("name", "flags"), JOBS)
def test_command_is_one_that_the_job_takes(name: str, flags: list[str]) -> None:
    words = Names("bucket", "room").words(flags)
    assert not [word for word in words if "$" in word], "a test has to know what this stands for"
    settings, _ = load_job(name)
    read_settings(settings, words)


def test_a_misspelt_flag_would_be_found() -> None:
    settings, _ = load_job("score")
    with pytest.raises(SettingsError, match="did you mean --probe"):
        read_settings(settings, ["--input", "i", "--prob", "p", "--output", "o"])


def test_flags_in_the_prose_exist() -> None:
    known = set(FOREIGN_FLAGS)
    for file in (ROOT / "jobs").glob("[a-z]*.py"):
        settings, _ = load_job(file.stem)
        names = {field.alias or name for name, field in settings.model_fields.items()}
        known |= {f"--{prefix}{name.replace('_', '-')}" for name in names for prefix in ("", "no-")}
    known.add("--config")
    for page in PAGES:
        for span in code_spans(page):
            if span.startswith(("kubectl", "aws ", "pip ", "apt", "git ", "eksctl")):
                continue
            for flag in re.findall(r"(?<![\w-])--[a-z0-9][a-z0-9-]*", span):
                assert flag in known, f"{page}: {flag}"


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        spans = [
            *code_spans(page),
            *(line for one in blocks("sh") for line in one.text.split("\n")),
        ]
        for span in spans:
            if found := re.match(r"make ([a-z-]+)\b", span):
                assert found[1] in targets, f"{page}: {span}"
