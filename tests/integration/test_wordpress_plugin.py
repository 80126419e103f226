"""The plugin of deploy/wordpress in a real WordPress: its settings, what it puts into pages, whom its tokens prove."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from personalize.errors import BadCredentials
from personalize.keyring import IdentityKey
from personalize.model import ExternalId
from personalize.trust.identity import IdentityTokens
from personalize.trust.ids import IdRules
from tests.conftest import real_part
from tests.documents import ROOT
from tests.tokens import OTHER_SECRET, SECRET
from tests.wordpress import PASSWORD, Blog, wordpress

PLUGIN = ROOT / "deploy" / "wordpress" / "personalize"
SETTINGS = "/wp-admin/options-general.php?page=personalize"
SERVICE = "https://personalize.example.com"
HASH = "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC"
GOOD = {
    "service": SERVICE,
    "version": "1.2.3",
    "integrity": HASH,
    "kid": "web",
    "audience": "personalize",
    "user_field": "ID",
    "user_meta": "",
}
PAYLOAD = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


class Tags(HTMLParser):
    """The elements of a page as a browser reads them: names and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def named(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.found if tag == name]


@dataclass(frozen=True)
class Desk:
    """A WordPress with the plugin, and somebody who may do everything there."""

    blog: Blog
    admin: httpx.Client

    def save(self, **options: str) -> str:
        """Save the settings page as a browser would, and return the page that it leads to."""
        page = self.admin.get(SETTINGS).text
        hidden = {one["name"]: one.get("value", "") for one in Tags(page).named("input") if one.get("type") == "hidden"}
        fields = {f"personalize[{name}]": value for name, value in options.items() if name not in {"secret", "forget"}}
        if "secret" in options:
            fields["personalize_identity_secret[value]"] = options["secret"]
        if "forget" in options:
            fields["personalize_identity_secret[forget]"] = options["forget"]
        saved = self.admin.post("/wp-admin/options.php", data={**hidden, **fields})
        assert saved.status_code == 302, saved.text
        return self.admin.get(saved.headers["Location"].removeprefix("http://blog.example.com")).text

    def write(self, content: str) -> str:
        """Publish a post, and return its path."""
        nonce = self.admin.get("/wp-admin/admin-ajax.php?action=rest-nonce").text
        post = {"title": "A post", "content": content, "status": "publish"}
        written = self.admin.post("/wp-json/wp/v2/posts", json=post, headers={"X-WP-Nonce": nonce})
        assert written.status_code == 201, written.text
        return str(written.json()["link"]).removeprefix("http://blog.example.com")


@contextmanager
def logged_in(blog: Blog, name: str, password: str) -> Iterator[httpx.Client]:
    """Yield somebody who has logged in."""
    with httpx.Client(base_url=blog.url, timeout=30, trust_env=False) as client:
        client.get("/wp-login.php")  # sets the cookie by which WordPress sees that there are cookies
        form = {"log": name, "pwd": password, "testcookie": "1"}
        assert client.post("/wp-login.php", data=form).status_code == 302
        yield client


@contextmanager
def more_config(blog: Blog, php: str) -> Iterator[None]:
    """Let wp-config.php say more for a while."""
    file = blog.root / "more-config.php"
    file.write_text(f"<?php {php}")
    try:
        yield
    finally:
        file.unlink()


def secret_in_config(blog: Blog, secret: str, more: str = "") -> AbstractContextManager[None]:
    """Let wp-config.php have the key's secret for a while."""
    return more_config(blog, f"define('PERSONALIZE_IDENTITY_SECRET', '{secret}'); {more}")


def hooked(hook: str, php: str) -> str:
    """Return PHP of wp-config.php that runs at a hook, as a theme's would."""
    return f"function ours() {{ {php} }} $wp_filter['{hook}'] = [[['function' => 'ours', 'accepted_args' => 0]]];"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[Desk]:
    """Return a WordPress in which the plugin was activated from the list of plugins."""
    with (
        wordpress(tmp_path_factory.mktemp("plugin"), database, "/%postname%/", PLUGIN) as blog,
        logged_in(blog, "admin", PASSWORD) as admin,
    ):
        links = [one["href"] for one in Tags(admin.get("/wp-admin/plugins.php").text).named("a") if "href" in one]
        [activate] = [link for link in links if "action=activate" in link and "personalize" in link]
        activated = admin.get(f"/wp-admin/{activate}")
        assert "error" not in activated.headers["Location"]
        yield Desk(blog, admin)


@pytest.fixture
def guest(desk: Desk) -> Iterator[httpx.Client]:
    """Return somebody whom the blog does not know."""
    with httpx.Client(base_url=desk.blog.url, timeout=30, trust_env=False) as guest:
        yield guest


@pytest.fixture(autouse=True)
def no_complaints(desk: Desk) -> Iterator[None]:
    """PHP warns of nothing in the plugin, nor tells that it is deprecated, whatever a test does."""
    yield
    assert [line for line in desk.blog.complaints if "plugins/personalize" in line] == []


def settings_of(page: str) -> dict[str, str]:
    """Return what the settings page shows in its fields."""
    tags = Tags(page)
    fields = {one["name"]: one.get("value", "") for one in tags.named("input") if one.get("type") == "text"}
    ticked = {one["name"]: "1" for one in tags.named("input") if one.get("type") == "checkbox" and "checked" in one}
    [chosen] = [one["value"] for one in tags.named("option") if "selected" in one]
    shown = {**fields, **ticked, "personalize[user_field]": chosen}
    return {name.removeprefix("personalize[").removesuffix("]"): value for name, value in shown.items()}


def token_of(page: str) -> str | None:
    """Return the identity token of a page."""
    return next((one["content"] for one in Tags(page).named("meta") if one.get("name") == "personalize-token"), None)


def ours(page: str) -> list[dict[str, str]]:
    """Return the service's script tags in a page."""
    return [one for one in Tags(page).named("script") if one.get("src", "").endswith("/personalize.js")]


def proven(token: str | None, secret: str = SECRET, kid: str = "web", clock: float | None = None) -> ExternalId:
    """Return whom the service takes a page's token to prove."""
    assert token is not None
    keys = [IdentityKey(kid, "HS256", secret.encode())]
    now = time.time() if clock is None else clock
    return IdentityTokens(keys, audience="personalize", rules=IdRules(), clock=lambda: now).subject_of(token)


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


def test_the_shortcode_is_an_element_with_a_template(desk: Desk, guest: httpx.Client) -> None:
    """The recipe and its parameters are attributes; what it encloses stands there until there is an answer."""
    desk.save(**GOOD)
    path = desk.write(
        'Before.\n\n[personalized_content recipe="recommended-posts" limit="3" exclude="current" track="yes"]\n\n'
        'See the <a href="/archive/">archive</a>.\n\n[/personalized_content]\n\nAfter.'
    )
    page = guest.get(path).text
    [element] = Tags(page).named("personalized-content")
    assert element == {
        "recipe": "recommended-posts",
        "limit": "3",
        "exclude": f"http://blog.example.com{path}",
        "data-track": "",
    }
    inside = re.search(
        r"<div class=\"personalize-content\"><personalized-content.*</personalized-content></div>", page, re.DOTALL
    )
    assert inside is not None
    assert '<template><p><a data-field="title" data-href="url"></a></p></template>' in inside[0]
    assert '<p>See the <a href="/archive/">archive</a>.</p>' in inside[0]
    assert page.count("<p>") == page.count("</p>")


def test_what_a_shortcode_says_is_inert(desk: Desk, guest: httpx.Client) -> None:
    """Handlers, styles and other elements' attributes are left out, values escaped, markup of no recipe not taken."""
    desk.save(**GOOD)
    path = desk.write(
        f"[personalized_content recipe=\"recommended-posts\" limit='{PAYLOAD}' onclick=alert(1) "
        f'style="x:y" id=a data-b=c]'
        f'{PAYLOAD}<a href="javascript:alert(1)" onclick="alert(1)">x</a>[/personalized_content]'
        f"[personalized_content recipe='{PAYLOAD}']none[/personalized_content]"
    )
    tags = Tags(guest.get(path).text)
    for element in tags.named("personalized-content"):
        assert element.keys() <= {"recipe", "limit"}
    assert not [one for _, one in tags.found if {"onclick", "onerror"} & one.keys()]
    assert not [one for one in tags.named("a") if one.get("href", "").startswith("javascript:")]
    assert "<script>alert(1)" not in guest.get(path).text


def test_the_block_is_the_same_element(desk: Desk, guest: httpx.Client) -> None:
    """Rendered by the server, with the blocks inside as the fallback; the editor has a script for it."""
    desk.save(**GOOD)
    path = desk.write(
        '<!-- wp:personalize/content {"recipe":"last-viewed-not-purchased","limit":2,"excludeCurrent":true,'
        '"align":"wide"} --><!-- wp:paragraph --><p>Look around.</p><!-- /wp:paragraph -->'
        "<!-- /wp:personalize/content -->"
    )
    page = guest.get(path).text
    [element] = Tags(page).named("personalized-content")
    assert element == {
        "recipe": "last-viewed-not-purchased",
        "limit": "2",
        "exclude": f"http://blog.example.com{path}",
    }
    assert "alignwide wp-block-personalize-content" in page
    assert "<p>Look around.</p></personalized-content>" in page
    assert 'data-field="name"' in page
    assert "plugins/personalize/block/editor.js" in desk.admin.get("/wp-admin/post-new.php").text


def test_the_script_is_loaded_where_it_is_needed(desk: Desk, guest: httpx.Client) -> None:
    """Once, by its hash, from the service; with consent asked for it says so; elsewhere there is none."""
    shortcode = "[personalized_content recipe=recommended-posts]x[/personalized_content]"
    path = desk.write(shortcode * 2)
    desk.save(**GOOD)
    assert ours(guest.get(path).text) == [
        {
            "async": "",
            "integrity": HASH,
            "crossorigin": "anonymous",
            "src": f"{SERVICE}/v1.2.3/personalize.js",
            "id": "personalize-js",
            "type": "text/javascript",
        }
    ]
    desk.save(**{**GOOD, "version": "", "integrity": "", "consent": "1"})
    [script] = ours(guest.get(path).text)
    assert script["src"] == f"{SERVICE}/personalize.js"
    assert "integrity" not in script
    assert "data-consent" in script
    assert ours(guest.get("/").text) != []
    assert ours(guest.get(desk.write("Nothing personal.")).text) == []


def test_without_a_service_there_are_fallbacks(desk: Desk, guest: httpx.Client) -> None:
    """And no script, and no token; feeds never have more."""
    path = desk.write("[personalized_content recipe=recommended-posts]Look around.[/personalized_content]")
    desk.save(**GOOD)
    assert "personalized-content" not in guest.get("/feed/").text
    assert "Look around." in guest.get("/feed/").text
    desk.save(**{**GOOD, "service": ""})
    with secret_in_config(desk.blog, SECRET):
        page = desk.admin.get(path).text
    assert "Look around." in page
    assert "<personalized-content" not in page
    assert ours(page) == []
    assert token_of(page) is None


def test_a_theme_says_how_items_look(desk: Desk, guest: httpx.Client) -> None:
    """Within what a post may have."""
    desk.save(**GOOD)
    path = desk.write("[personalized_content recipe=films]x[/personalized_content]")
    markup = '<h3 data-field="title" onclick="alert(1)"></h3><img data-src="image"><script>alert(1)</script>'
    own = hooked("personalize_template", f"return '{markup}';")
    with more_config(desk.blog, own):
        page = guest.get(path).text
    assert '<template><h3 data-field="title"></h3><img data-src="image">alert(1)</template>' in page


def test_nothing_is_left_behind(desk: Desk) -> None:
    """Uninstalling forgets the settings and the secret."""
    desk.save(**GOOD, secret=SECRET)
    desk.blog.php("require ABSPATH . 'wp-admin/includes/plugin.php'; uninstall_plugin('personalize/personalize.php');")
    left = desk.blog.php(
        "global $wpdb; echo $wpdb->get_var(\"SELECT COUNT(*) FROM wp_options WHERE option_name LIKE 'personalize%'\");"
    )
    assert left == "0"
