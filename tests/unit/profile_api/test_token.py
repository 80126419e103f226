"""The access token: how it is shown, and how it is replaced."""

import asyncio
import os
import threading
import time
import traceback
from base64 import b64encode
from pathlib import Path

import pytest

from personalize.profile_api.token import LARGEST, READ_SECONDS, AccessToken

OLD = "canary-of-an-old-token"
NEW = "canary-of-a-new-token"


def basic(value: str) -> str:
    return "Basic " + b64encode(f"{value}:".encode()).decode()


def reread(token: AccessToken) -> bool:
    return asyncio.run(token.reread())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(OLD)
    return path


def test_a_new_token_is_taken(file: Path) -> None:
    """As mounted: with a newline at the end. It is said once that it changed."""
    token = AccessToken(OLD, file)
    assert not reread(token)
    file.write_text(f" {NEW}\n")
    assert [reread(token), reread(token)] == [True, False]
    assert token.basic == basic(NEW)


def test_a_token_without_a_file_stays() -> None:
    """There is nothing to read."""
    token = AccessToken(OLD)
    assert not reread(token)
    assert token.basic == basic(OLD)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * (LARGEST + 1)], ids=len)
def test_what_is_no_token_is_left(file: Path, content: bytes) -> None:
    """A file that is just being written, or is something else: the token that is known may still be the right one."""
    file.write_bytes(content)
    token = AccessToken(OLD, file)
    assert not reread(token)
    assert token.basic == basic(OLD)


def test_a_file_that_cannot_be_read_is_left(file: Path, tmp_path: Path) -> None:
    """It is gone, or a folder."""
    file.unlink()
    for path in (file, tmp_path):
        token = AccessToken(OLD, path)
        assert not reread(token)
        assert token.basic == basic(OLD)


def test_a_file_that_hangs_holds_up_nobody_for_long(tmp_path: Path) -> None:
    """A pipe that nobody writes to: after a second the token stays; while that hangs, no second thread is begun."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    token = AccessToken(OLD, path)
    begun = time.monotonic()
    assert not reread(token)
    assert time.monotonic() - begun >= READ_SECONDS * 0.9
    threads = threading.active_count()
    assert not reread(token)
    assert threading.active_count() == threads
    path.write_text("")  # lets the thread go


def test_it_shows_its_value_to_nobody(file: Path) -> None:
    """Neither the first nor a later one, also where a caller's failure is told with all that is known."""
    token = AccessToken(OLD, file)
    file.write_text(NEW)
    shown = repr(token) + str(token) + f"{token}"
    reread(token)
    shown += repr(token) + str(vars(AccessToken))
    with pytest.raises(AttributeError) as failed:
        _ = token.value  # type: ignore[attr-defined]  # there is none
    shown += "".join(traceback.TracebackException.from_exception(failed.value, capture_locals=True).format())
    assert "canary" not in shown
    assert repr(AccessToken(OLD)) == "AccessToken(***)"
    assert repr(token) == f"AccessToken(***, path={str(file)!r})"
