"""Errors that were heard out: nothing stays of them, or with them."""

import asyncio
import traceback

import pytest

from personalize.frames import let_go
from tests.garbage import uncollected


class Told(Exception):
    """What somebody tells."""


async def failed() -> None:
    """Fail as whatever is under way does: in a task that its own error knows of, by way of a frame."""
    try:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    except TimeoutError:
        raise Told("no luck") from None


async def kept(*, whole: bool) -> Told:
    """Return an error as a value."""
    try:
        await failed()
    except Told as error:
        return error if whole else let_go(error)
    raise AssertionError


@pytest.mark.parametrize("whole", [True, False])
async def test_an_error_is_gone_with_whoever_has_kept_it(*, whole: bool) -> None:
    """Its frames, and those of the error behind it, would hold the task that holds it."""
    with uncollected() as there_are:
        await asyncio.create_task(kept(whole=whole))
        await asyncio.sleep(0)  # who has waited for a task has it until the next turn
        assert there_are(Told) == whole


async def test_an_error_still_says_what_it_is() -> None:
    """And nothing else."""
    error = await kept(whole=False)
    assert traceback.format_exception(error) == ["tests.unit.test_frames.Told: no luck\n"]
