"""The plugin's settings page in a real WordPress: what it keeps, what it refuses, what it never shows."""

import subprocess
from pathlib import Path

import httpx
import pytest

from personalize.model import ExternalId
from tests.conftest import real_part
from tests.desks import (
    GOOD,
    HASH,
    PAYLOAD,
    PLUGIN,
    SERVICE,
    SETTINGS,
    Desk,
    Tags,
    logged_in,
    proven,
    secret_in_config,
    settings_of,
    token_of,
)
from tests.tokens import OTHER_SECRET, SECRET


@pytest.mark.parametrize("file", sorted(PLUGIN.rglob("*.php")), ids=lambda file: file.name)
def test_php_reads_the_file(file: Path) -> None:
    """`php -l` finds no fault in it."""
    done = subprocess.run([real_part("php"), "-l", str(file)], check=False, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stdout


def test_the_settings_are_kept(desk: Desk) -> None:
    """What is saved is what the page shows afterwards; a slash at the URL's end is nothing."""
    changed = {"consent": "1", "kid": "web-2026", "audience": "pages", "user_field": "meta", "user_meta": "segment"}
    desk.save(**{**GOOD, **changed, "service": f"{SERVICE}/"})
    assert settings_of(desk.admin.get(SETTINGS).text) == {**GOOD, **changed}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("service", PAYLOAD),
        ("service", "javascript:alert(1)"),
        ("service", "https://ada@personalize.example.com"),
        ("service", "https://personalize.example.com/?a=b"),
        ("version", "1/../2"),
        ("integrity", f"{HASH}{PAYLOAD}"),
        ("consent", PAYLOAD),
        ("kid", PAYLOAD),
        ("kid", ""),
        ("audience", f"two words {PAYLOAD}"),
        ("user_field", "user_pass"),
        ("user_meta", PAYLOAD),
    ],
)
def test_what_is_wrong_is_told_and_not_kept(desk: Desk, field: str, value: str) -> None:
    """The field keeps what it had, and nobody's markup gets into the page."""
    desk.save(**GOOD)
    page = desk.save(**{**GOOD, field: value})
    assert "setting-error-personalize_" + field in page
    assert settings_of(desk.admin.get(SETTINGS).text) == GOOD
    assert "alert(1)" not in page


def test_settings_that_got_into_the_database_are_inert(desk: Desk) -> None:
    """What somebody wrote past the form is escaped wherever it is printed."""
    desk.save(**GOOD)
    desk.blog.php(
        "remove_all_filters('sanitize_option_personalize');"
        f"update_option('personalize', array_fill_keys(array_keys(Personalize\\options()), '{PAYLOAD}'));"
    )
    assert not [one for one in Tags(desk.admin.get(SETTINGS).text).named("img") if "onerror" in one]
    page = desk.admin.get(desk.write("[personalized_content]fallback[/personalized_content]")).text
    assert "fallback" in page
    assert "alert(1)" not in page


def test_only_who_may_manage_options_sees_and_saves_them(desk: Desk, guest: httpx.Client) -> None:
    """Without the form's nonce nothing is saved; an author is refused both; a guest is sent to log in."""
    desk.save(**GOOD)
    forged = {"option_page": "personalize", "action": "update", "personalize[service]": "https://evil.example.com"}
    assert desk.admin.post("/wp-admin/options.php", data=forged).status_code == 403
    assert guest.get(SETTINGS).status_code == 302
    desk.blog.php(
        "wp_create_user('author', 'fake-password-of-an-author'); (new WP_User(0, 'author'))->set_role('author');"
    )
    with logged_in(desk.blog, "author", "fake-password-of-an-author") as author:
        assert author.get(SETTINGS).status_code == 403
        assert author.post("/wp-admin/options.php", data=forged).status_code == 403
    assert settings_of(desk.admin.get(SETTINGS).text) == GOOD


def test_the_secret_is_never_shown(desk: Desk) -> None:
    """Not the one in the database, which an empty field keeps and a tick forgets; not the one of wp-config.php."""
    page = desk.save(**GOOD, secret=SECRET)
    assert SECRET not in page
    assert proven(token_of(desk.admin.get("/").text)) == ExternalId("user_id", "1")
    desk.save(**GOOD, secret="")
    assert proven(token_of(desk.admin.get("/").text)) == ExternalId("user_id", "1")
    assert "setting-error-personalize_secret" in desk.save(**GOOD, secret="too-short")
    assert proven(token_of(desk.admin.get("/").text)) == ExternalId("user_id", "1")

    with secret_in_config(desk.blog, OTHER_SECRET):
        assert proven(token_of(desk.admin.get("/").text), OTHER_SECRET) == ExternalId("user_id", "1")
        page = desk.admin.get(SETTINGS).text
        assert OTHER_SECRET not in page
        assert "personalize_identity_secret" not in page

    desk.save(**GOOD, forget="1")
    assert token_of(desk.admin.get("/").text) is None
    assert desk.blog.php("echo get_option('personalize_identity_secret');") == ""
    assert SECRET not in desk.blog.php("echo serialize(wp_load_alloptions());")


def test_nothing_is_left_behind(desk: Desk) -> None:
    """Uninstalling forgets the settings and the secret."""
    desk.save(**GOOD, secret=SECRET)
    desk.blog.php("require ABSPATH . 'wp-admin/includes/plugin.php'; uninstall_plugin('personalize/personalize.php');")
    left = desk.blog.php(
        "global $wpdb; echo $wpdb->get_var(\"SELECT COUNT(*) FROM wp_options WHERE option_name LIKE 'personalize%'\");"
    )
    assert left == "0"
