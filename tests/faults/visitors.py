"""Visitors whose profiles carry their own names, and what must hold of every answer about them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.faults.load import NO_ANSWER, Answer, Answers

KNOWN = 4000
RECIPES = Path(__file__).parent / "mirror.py"


@dataclass
class Crowd:
    """Visitors of one kind, each handed out once: what is counted about them is then of one test."""

    kind: str
    taken: int = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Return the id of one more."""
        self.taken += 1
        return f"{self.kind}-{self.taken - 1}"

    def some(self, count: int) -> list[str]:
        """Return the ids of so many more."""
        return [next(self) for _ in range(count)]

    def includes(self, visitor: str, since: int) -> bool:
        """Whether a visitor is of this kind, and was handed out since so many had been."""
        kind, _, number = visitor.rpartition("-")
        return kind == self.kind and int(number) >= since


known = Crowd("known")
"""Visitors whom the sandbox knows; there are `KNOWN` of them."""

strangers = Crowd("stranger")
"""Visitors whom it does not know; there is no end to them."""


def path(visitor: str, recipe: str = "mirror") -> str:
    return f"/api/{recipe}?user_id={visitor}"


def paths(visitors: Iterable[str], recipe: str = "mirror") -> Iterator[str]:
    return (path(visitor, recipe) for visitor in visitors)


def written(file: Path) -> Path:
    """Write the known visitors' histories, as `personalize sandbox --seed` reads them."""
    calls = (call for number in range(KNOWN) for call in _calls(f"{known.kind}-{number}"))
    file.write_text("".join(json.dumps(call) + "\n" for call in calls))
    return file


def _calls(name: str) -> Iterator[dict[str, object]]:
    own = {"name_of_visitor": name}
    yield {"type": "identify", "userId": name, "traits": own}
    for _ in range(2):
        yield {"type": "track", "userId": name, "event": "Step Taken", "properties": own}


def visitor_of(answer: Answer) -> str:
    return parse_qs(urlsplit(answer.path).query)["user_id"][0]


def is_own(answer: Answer) -> bool:
    """Whether an answer tells of nobody but the visitor that it was asked about."""
    return answer.status != 200 or set(answer.content["data"]) <= {visitor_of(answer)}


def holds(answers: Answers, within: float | None = None) -> bool:
    """Assert the invariant: every request is answered 200, with nobody else's data, and in time if that is said.

    Args:
        answers: what a page's visitors got while something was broken.
        within: the seconds in which 99 % have to be answered.
    """
    assert answers, "nothing was asked"
    assert answers.statuses == {200: len(answers)}, _told(answers)
    assert [answer for answer in answers if not is_own(answer)] == []
    if within is not None:
        assert answers.percentile(99) <= within
    return True


def _told(answers: Answers) -> str:
    wrong = [answer for answer in answers if answer.status != 200]
    missing = sum(answer.status == NO_ANSWER for answer in wrong)
    return f"{len(wrong)} of {len(answers)} without a 200, {missing} without any answer; one of them: {wrong[0]}"
