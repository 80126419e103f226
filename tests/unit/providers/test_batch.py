"""What can be used of a source is kept up to a cap; the rest is counted."""

import pytest

from personalize.errors import ProviderFailed
from personalize.providers.batch import batched


def test_what_cannot_be_used_is_left_out_and_counted() -> None:
    """As is what is beyond the cap."""
    batch = batched(["a", None, "b", "c", None], most=2, shown="it")
    assert (batch.items, batch.left_out) == (("a", "b"), 3)


def test_an_empty_source_is_believed() -> None:
    """A blog may be emptied."""
    assert batched([], most=2, shown="it").items == ()


def test_a_source_of_which_nothing_can_be_used_is_not() -> None:
    """It has become something else."""
    with pytest.raises(ProviderFailed, match="it has 2 items, and none that can be used"):
        batched([None, None], most=2, shown="it")
