"""The documents' examples, found and run."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "recipes/README.md", "deploy/README.md")

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A fenced block of a document, by its language."""

    document: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block, continued ones joined."""
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]


def examples(document: str) -> Iterator[Example]:
    """Yield a document's fenced blocks in order."""
    for language, text in _FENCE.findall((ROOT / document).read_text(encoding="utf-8")):
        yield Example(document, language, text)


def table(document: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table under a heading, cell by cell, without its head."""
    section = (ROOT / document).read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def curl(client: httpx.Client, command: str) -> httpx.Response:
    """Send what a curl command with -u, -H and -d would send."""
    words = iter(shlex.split(command)[1:])
    url, headers, data, auth = "", {}, None, None
    for word in words:
        if word == "-u":
            auth = tuple(next(words).split(":", 1))
        elif word == "-H":
            name, value = next(words).split(": ", 1)
            headers[name] = value
        elif word == "-d":
            data = next(words)
        else:
            url = word
    return client.request("GET" if data is None else "POST", url, headers=headers, content=data, auth=auth)  # type: ignore[arg-type]  # a pair


def fits(pattern: object, value: object) -> bool:
    """Whether a value is what an example shows, where `…` stands for any text."""
    if isinstance(pattern, dict):
        return (
            isinstance(value, dict)
            and pattern.keys() == value.keys()
            and all(fits(pattern[k], value[k]) for k in pattern)
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and len(pattern) == len(value) and all(map(fits, pattern, value))
    return isinstance(value, str) if pattern == "…" else pattern == value
