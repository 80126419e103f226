"""What is wrong with a mapping, and where: `/traits/plan/@case should be an object but it is a string`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from personalize.destination.values import Json, kind


class Problems:
    """Problems that were found so far, and the place that is looked at."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._place: list[str] = []

    @property
    def depth(self) -> int:
        """How many parts are within one another here."""
        return len(self._place)

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Look at a part, by its name."""
        self._place.append(name)
        yield
        self._place.pop()

    def add(self, says: str, *, joined: str = " ") -> None:
        """Note what is wrong here."""
        self.found.append(f"/{'/'.join(self._place)}{joined or ' '}{says}")

    def top(self, says: str) -> None:
        """Note what is wrong with a part that has no name."""
        self.found.append(f"/ {says}")

    def is_not(self, wanted: str, value: Json) -> None:
        """Note that a value is not what it has to be."""
        what = kind(value)
        self.add(f"should be {wanted} but it is {'an' if what[0] in 'ao' else 'a'} {what}.")

    def object(self, value: Json) -> Mapping[str, Json]:
        """Return an object, or an empty one and note what it is instead."""
        if isinstance(value, Mapping):
            return value
        self.is_not("an object", value)
        return {}

    def has(self, value: Mapping[str, Json], *names: str) -> None:
        """Note which members are missing."""
        for name in names:
            if value and name not in value:
                self.add(f'should have field "{name}" but it doesn\'t.')

    def short(self, value: Json, most: int) -> None:
        """Note that a text is too long, or none."""
        if not isinstance(value, str):
            self.is_not("a string", value)
        elif len(value) > most:
            self.add(f"should be a string of length {most} or less.")

    def boolean(self, value: Json) -> None:
        """Note what is neither true nor false."""
        if not isinstance(value, bool):
            self.is_not("a boolean", value)

    def one_of(self, value: Json, *words: str) -> None:
        """Note what is none of some words."""
        if value not in words:
            self.add(f"should be {' or '.join(words)}.")
