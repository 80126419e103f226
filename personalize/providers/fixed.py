"""Items that never change: what a recipe gets from a provider that no setting configures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fixed:
    """An item provider of given items."""

    name: str
    given: object
    version: int = 0

    def items(self) -> object:
        """Return the items."""
        return self.given
