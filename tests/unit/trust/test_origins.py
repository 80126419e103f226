"""Origins are compared exactly."""

import pytest

from personalize.trust.origins import Origins

ALLOWED = Origins(["https://blog.example.com", "http://localhost:8080"])


@pytest.mark.parametrize("origin", ["https://blog.example.com", "http://localhost:8080"])
def test_an_origin_that_is_listed_is_allowed(origin: str) -> None:
    """As browsers send it."""
    assert origin in ALLOWED


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "*",
        "http://blog.example.com",
        "https://blog.example.com:8443",
        "https://blog.example.com/",
        "https://BLOG.example.com",
        "https://example.com",
        "https://evil.blog.example.com",
        "https://blog.example.com.evil.example",
        "http://localhost",
    ],
)
def test_no_other_origin_is_allowed(origin: object) -> None:
    """Neither a part of one, nor one more part, nor `null`."""
    assert origin not in ALLOWED


def test_nobody_is_allowed_unless_listed() -> None:
    """A deployment without a list allows no page."""
    assert "https://blog.example.com" not in Origins([])
