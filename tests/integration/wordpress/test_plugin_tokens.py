"""The plugin's identity tokens in a real WordPress: whom they prove, and in which pages they are."""

import time

import httpx
import pytest

from personalize.errors import BadCredentials
from personalize.model import ExternalId
from tests.desks import GOOD, SETTINGS, Desk, hooked, proven, secret_in_config, token_of
from tests.tokens import SECRET


@pytest.mark.parametrize("secret", ["short", "with,a,comma-and-thirty-two-letters-in-all"])
def test_a_secret_that_the_service_would_refuse_makes_no_tokens(desk: Desk, secret: str) -> None:
    """The settings page says so of the one in wp-config.php."""
    desk.save(**GOOD)
    with secret_in_config(desk.blog, secret):
        assert token_of(desk.admin.get("/").text) is None
        assert "there are no tokens" in desk.admin.get(SETTINGS).text


def test_a_token_names_the_user_by_the_field_of_the_settings(desk: Desk) -> None:
    """And the key; it is for the audience; a user who has no such id has no token."""
    with secret_in_config(desk.blog, SECRET):
        desk.save(**{**GOOD, "user_field": "user_login", "kid": "web-2027"})
        assert proven(token_of(desk.admin.get("/").text), kid="web-2027") == ExternalId("user_id", "admin")
        desk.save(**{**GOOD, "user_field": "meta", "user_meta": "segment"})
        assert token_of(desk.admin.get("/").text) is None
        desk.blog.php("update_user_meta(1, 'segment', 'Größe/7\"');")
        assert proven(token_of(desk.admin.get("/").text)) == ExternalId("user_id", 'Größe/7"')
        desk.save(**{**GOOD, "audience": "other"})
        with pytest.raises(BadCredentials, match="another audience"):
            proven(token_of(desk.admin.get("/").text))


def test_a_token_is_good_for_a_quarter_of_an_hour(desk: Desk) -> None:
    """Which is less than the service takes."""
    desk.save(**GOOD)
    with secret_in_config(desk.blog, SECRET):
        token = token_of(desk.admin.get("/").text)
    assert proven(token, clock=time.time() + 800) == ExternalId("user_id", "1")
    with pytest.raises(BadCredentials, match="expired"):
        proven(token, clock=time.time() + 1000)


def test_a_page_with_a_token_is_nobody_elses(desk: Desk, guest: httpx.Client) -> None:
    """It says so to browsers, to networks and to plugins; a guest's page has no token, and may be kept."""
    desk.save(**GOOD)
    with secret_in_config(desk.blog, SECRET, "register_shutdown_function(function () {"
                          " if (defined('DONOTCACHEPAGE')) echo '<!-- not to be kept -->'; });"):  # fmt: skip
        personal, plain = desk.admin.get("/"), guest.get("/")
        feed = desk.admin.get("/feed/")
    assert personal.headers.get_list("Cache-Control") == ["private, no-store, max-age=0"]
    assert personal.headers["CDN-Cache-Control"] == "no-store"
    assert "not to be kept" in personal.text
    assert token_of(personal.text) is not None
    assert token_of(plain.text) is None
    assert "not to be kept" not in plain.text
    assert "Cache-Control" not in plain.headers
    assert "eyJ" not in plain.text + feed.text


def test_a_page_whose_headers_are_gone_has_no_token(desk: Desk) -> None:
    """For nothing could keep the page from being kept any more."""
    desk.save(**GOOD)
    early = hooked("wp", "echo ' '; flush();")
    with secret_in_config(desk.blog, SECRET, early):
        page = desk.admin.get("/").text
    assert "</html>" in page
    assert token_of(page) is None
    assert "eyJ" not in page
