"""A Dockerfile's steps, carried out without Docker: on copies of this machine's root that are thrown away.

Each stage is an overlay over `/` in a mount namespace of its own, in which its commands run as they stand, as root or
as the user that is named, with no variables but the file's. What a base image holds is not here: this machine's Python
stands for that of the image.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
ENTER = """
set -eu
mount -t overlay overlay -o lowerdir=/,upperdir={upper},workdir={work} {root}
mount -t proc proc {root}/proc
mount --rbind /dev {root}/dev
"""
NO_MORE_WRITES = """
mount -o remount,ro {root}
mount -t tmpfs tmpfs {root}/tmp
"""


@dataclass
class Stage:
    """One image of a Dockerfile: its instructions, and what it says of the container."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """Return what is said after a word, each time."""
        return [rest for said, rest in self.steps if said == word]

    def words(self, word: str) -> list[str]:
        """Return the words of an instruction in exec form."""
        found: list[str] = json.loads(self.all(word)[0].partition("[")[2].join("[ "))
        return found

    @property
    def variables(self) -> dict[str, str]:
        """Those of the container, once all is built."""
        return {name: value for rest in self.all("ENV") for name, value in _variables(rest).items()}

    @property
    def user(self) -> str:
        return (self.all("USER") or ["0:0"])[-1]


def _variables(rest: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(rest))


def read(file: Path) -> list[Stage]:
    """Return the stages of a Dockerfile, of which the last is the image."""
    stages: list[Stage] = []
    for word, rest in _instructions(file.read_text(encoding="utf-8")):
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name))
        else:
            stages[-1].steps.append((word, rest))
    return stages


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        yield word, " ".join(rest.split())


class Builder:
    """Builds stages.

    Args:
        folder: keeps what they write; not within another overlay.
        context: the files that may be copied.
    """

    def __init__(self, folder: Path, context: Path) -> None:
        self._folder = folder
        self._context = context

    def build(self, stage: Stage) -> None:
        """Carry out the copies and commands of a stage, in order."""
        self._begin(stage)
        place, variables = "/", dict[str, str]()
        for word, rest in stage.steps:
            if word == "WORKDIR":
                place = rest
                self._written(stage, place).mkdir(parents=True, exist_ok=True)
            elif word == "COPY":
                self._copy(stage, place, rest)
            elif word == "ENV":
                variables |= _variables(rest)
            elif word == "RUN":
                self._run(stage, f"cd {place} && {rest}", variables)

    def container(self, stage: Stage, command: str, **variables: str) -> list[str]:
        """Return what runs a shell's command in a container of a built stage: as its user, and without writing."""
        return self._inside(stage, command, {**stage.variables, **variables}, NO_MORE_WRITES, stage.user)

    def _inside(
        self, stage: Stage, command: str, variables: Mapping[str, str], prepared: str = "", user: str = "0:0"
    ) -> list[str]:
        named = {"PATH": BASE_PATH, **variables}
        told = " ".join(shlex.quote(f"{name}={value}") for name, value in named.items())
        inside = f"exec chroot --userspec={user} {{root}} /usr/bin/env -i {told} /bin/sh -c {shlex.quote(command)}"
        text = (ENTER + prepared + inside).format(**self._places(stage))
        return ["unshare", "--mount", "--", "/bin/bash", "-c", text]

    def _places(self, stage: Stage) -> dict[str, Path]:
        own = self._folder / (stage.name or "image")
        return {"upper": own / "upper", "work": own / "work", "root": own / "root"}

    def _begin(self, stage: Stage) -> None:
        for place in self._places(stage).values():
            place.mkdir(parents=True)
        python = self._written(stage, "/usr/local/bin/python")  # which an image of Python has
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec {sys._base_executable} "$@"\n')  # type: ignore[attr-defined]  # typeshed's
        python.chmod(0o755)
        self._run(stage, "chmod a+rx /root", {})  # where that may lie; for the image's user

    def _written(self, stage: Stage, path: str) -> Path:
        return self._places(stage)["upper"] / path.lstrip("/")

    def _copy(self, stage: Stage, place: str, rest: str) -> None:
        words = rest.split()
        source = self._context
        if words[0].startswith("--from="):
            source = self._folder / words.pop(0).removeprefix("--from=") / "upper"
        target = self._written(stage, words[-1] if words[-1].startswith("/") else f"{place}/{words[-1]}")
        for word in words[:-1]:
            found = source / word.lstrip("/")
            folder = target if words[-1].endswith("/") else target.parent
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", found, folder if words[-1].endswith("/") else target], check=True, timeout=60)

    def _run(self, stage: Stage, command: str, variables: Mapping[str, str]) -> None:
        run = self._inside(stage, command, variables)
        done = subprocess.run(run, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
