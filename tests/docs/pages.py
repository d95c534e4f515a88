"""Reading the pages: headings, links, fenced blocks, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("cluster/**/*.md"))
)
_FENCE = re.compile(r"^( *)(`{3,})(\w*)$")
_HEADING = re.compile(r"^#{1,6} (.*)$")
_EXPANSION = re.compile(r"\$\([^()]*\)|\$\{\w+\}|\$\w+")
_OPERATORS = {"|", "||", "&", "&&", ";", ">", ">>", "<", "(", ")"}


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: path of its page below the repository.
        key: the page and the anchor of the heading above, as in a link; a further block under the
            same heading has its number behind it.
        language: the word behind the fence.
        text: its lines.
    """

    page: str
    key: str
    language: str
    text: str

    def commands(self, expanded: Mapping[str, str] | None = None) -> list[list[str]]:
        """The words of each simple command of a shell block.

        Args:
            expanded: what `$NAME` and `$(command)` stand for; others stay as they are written.
        """
        text = self.text.replace("\\\n", " ")
        text = _EXPANSION.sub(lambda found: (expanded or {}).get(found[0], found[0]), text)
        return [command for line in text.splitlines() for command in _split(line)]


def job_of(command: list[str]) -> tuple[str, list[str]] | None:
    """Name and flags of the job that a command runs, submitted or not."""
    for place, word in enumerate(command[1:], start=1):
        found = re.fullmatch(r"(?:/opt/ufd-ray/)?jobs/(\w+)\.py", word)
        if found and re.fullmatch(r"python[\d.]*", command[place - 1].rpartition("/")[2]):
            return found[1], command[place + 1 :]
    return None


def blocks(*languages: str) -> list[Block]:
    """The blocks of all pages in these languages, in order."""
    return [block for page in PAGES for block in _blocks(page) if block.language in languages]


def block(key: str) -> Block:
    """The block of this key."""
    (found,) = (one for one in _blocks(key.partition("#")[0]) if one.key == key)
    return found


def anchors(page: str) -> set[str]:
    """What a link into this page may name."""
    return {name for kind, name in _lines(page) if kind == "anchor"}


def links(page: str) -> list[str]:
    """Targets of the page's links, outside of code."""
    prose = "\n".join(line for kind, line in _lines(page) if kind == "prose")
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose))


def code_spans(page: str) -> list[str]:
    """What stands between backticks in the page's prose."""
    prose = "\n".join(line for kind, line in _lines(page) if kind == "prose")
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def _blocks(page: str) -> Iterator[Block]:
    anchor, counts = "", Counter[str]()
    for kind, text in _lines(page):
        if kind == "anchor":
            anchor = text
        elif kind == "block":
            counts[anchor] += 1
            number = f"/{counts[anchor]}" if counts[anchor] > 1 else ""
            language, _, content = text.partition("\n")
            yield Block(page, f"{page}#{anchor}{number}", language, content)


def _lines(page: str) -> Iterator[tuple[str, str]]:
    """The page as (`anchor`, name), (`prose`, line) and (`block`, language and lines)."""
    seen = Counter[str]()
    lines = iter((ROOT / page).read_text(encoding="utf-8").splitlines())
    for line in lines:
        if fence := _FENCE.match(line):
            content = []
            for inside in lines:
                if inside.strip() == fence[2]:
                    break
                content.append(inside.removeprefix(fence[1]))
            else:
                raise AssertionError(f"{page}: a block is not closed: {line}")
            yield "block", "\n".join([fence[3], *content])
            continue
        if heading := _HEADING.match(line):
            name = _anchor(heading[1])
            seen[name] += 1
            yield "anchor", name if seen[name] == 1 else f"{name}-{seen[name] - 1}"
        yield "prose", line


def _anchor(heading: str) -> str:
    """The name that GitHub gives a heading."""
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")


def _split(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    command: list[str] = []
    for word in lexer:
        if word in _OPERATORS:
            if command:
                yield command
            command = []
        else:
            command.append(word)
    if command:
        yield command
