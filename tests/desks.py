"""The desk of a WordPress that has the plugin: saving its settings, writing posts, and reading pages as browsers do."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser

import httpx

from personalize.keyring import IdentityKey
from personalize.model import ExternalId
from personalize.trust.identity import IdentityTokens
from personalize.trust.ids import IdRules
from tests.documents import ROOT
from tests.tokens import SECRET
from tests.wordpress import Blog

PLUGIN = ROOT / "deploy" / "wordpress" / "personalize"
SETTINGS = "/wp-admin/options-general.php?page=personalize"
SERVICE = "https://personalize.example.com"
HASH = "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC"
PAYLOAD = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
GOOD = {
    "service": SERVICE,
    "version": "1.2.3",
    "integrity": HASH,
    "kid": "web",
    "audience": "personalize",
    "user_field": "ID",
    "user_meta": "",
}


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
    late = "[99 => [['function' => 'ours', 'accepted_args' => 0]]]"
    return f"function ours() {{ {php} }} $wp_filter['{hook}'] = {late};"


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
