"""What the plugin puts into pages of a real WordPress: the shortcode, the block, and the script."""

import json
import re
from base64 import b64encode

import httpx
import pytest

from tests.desks import GOOD, HASH, PAYLOAD, SERVICE, Desk, Tags, hooked, more_config, ours, secret_in_config, token_of
from tests.tokens import SECRET

DEFAULT = "recommended-posts"


def rendered(desk: Desk, given: dict[str, str], fallback: str) -> str:
    """Return what a shortcode with any attributes becomes, also those that WordPress would not take from a post."""
    array = ", ".join(f"base64_decode('{b64(name)}') => base64_decode('{b64(value)}')" for name, value in given.items())
    return desk.blog.php(f"echo Personalize\\render_shortcode([{array}], '{fallback}');")


def b64(text: str) -> str:
    return b64encode(text.encode()).decode()


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


def test_what_a_shortcode_says_is_inert(desk: Desk) -> None:
    """Handlers, styles and other elements' attributes are left out, values escaped, markup taken for no recipe."""
    desk.save(**GOOD)
    given = {"recipe": "a-b", "limit": PAYLOAD, "onclick": "alert(1)", "style": "x:y", "id": "a", "colour": 'r"ed'}
    element = Tags(rendered(desk, given, "x")).named("personalized-content")
    assert element == [{"recipe": "a-b", "limit": PAYLOAD, "colour": 'r"ed'}]
    assert rendered(desk, {"recipe": PAYLOAD}, "x") == '<div class="personalize-content">x</div>'


def test_what_a_shortcode_encloses_is_inert(desk: Desk, guest: httpx.Client) -> None:
    """It may have what a post of an author may have, whoever wrote it."""
    desk.save(**GOOD)
    inside = f'{PAYLOAD}<a href="javascript:alert(1)" onclick="alert(1)">x</a>'
    page = guest.get(desk.write(f"[personalized_content recipe=a-b]{inside}[/personalized_content]")).text
    tags = Tags(page)
    assert tags.named("personalized-content") == [{"recipe": "a-b"}]
    assert not [one for _, one in tags.found if {"onclick", "onerror"} & one.keys()]
    assert not [one for one in tags.named("a") if one.get("href", "").startswith("javascript:")]
    assert "<script>alert(1)" not in page


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


@pytest.mark.parametrize(
    ("given", "elements"),
    [
        (
            {"recipe": ["a"], "limit": PAYLOAD, "track": PAYLOAD, "excludeCurrent": {}},
            [{"recipe": DEFAULT, "limit": "3"}],
        ),
        ({"limit": -1}, [{"recipe": DEFAULT}]),
        ({"recipe": PAYLOAD}, []),
    ],
    ids=["of other types", "out of bounds", "no recipe's name"],
)
def test_what_a_block_says_is_inert(
    desk: Desk, guest: httpx.Client, given: dict[str, object], elements: list[dict[str, str]]
) -> None:
    """What has another type than it should is the default; what is no recipe's name leaves the fallback."""
    desk.save(**GOOD)
    said = json.dumps(given).replace("<", "\\u003c").replace(">", "\\u003e")
    page = guest.get(desk.write(f"<!-- wp:personalize/content {said} -->inside<!-- /wp:personalize/content -->")).text
    assert Tags(page).named("personalized-content") == elements
    assert "inside" in page
    assert "alert(1)" not in page


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
