"""Feeds of real blogs become posts; what is not a feed, or not harmless, does not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from personalize.errors import ProviderFailed
from personalize.model import Post
from personalize.providers.feed import MAX_POSTS, read_feed
from personalize.providers.fetch import Document
from personalize.providers.text import MAX_EXCERPT

FEEDS = Path(__file__).parents[2] / "data" / "feeds"
"""As WordPress and Hugo wrote them."""

MEDIA = 'xmlns:media="http://search.yahoo.com/mrss/"'


def rss(*items: str) -> bytes:
    """Return an RSS feed of items."""
    joined = "".join(f"<item>{item}</item>" for item in items)
    return f'<rss version="2.0" {MEDIA}><channel><title>Blog</title>{joined}</channel></rss>'.encode()


def atom(*entries: str) -> bytes:
    """Return an Atom feed of entries."""
    joined = "".join(f"<entry>{entry}</entry>" for entry in entries)
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Blog</title>{joined}</feed>'.encode()


def item(*, title: str = "A title", link: str = "https://blog.example/a", more: str = "") -> str:
    """Return the inside of an RSS item."""
    return f"<title>{title}</title><link>{link}</link>{more}"


def read(body: bytes, url: str = "") -> list[Post]:
    """Return a feed's posts."""
    return list(read_feed(Document(url, body)).items)


def only(body: bytes, url: str = "") -> Post:
    """Return a feed's one post."""
    (post,) = read(body, url)
    return post


@pytest.mark.parametrize("name", ["wordpress.rss", "wordpress.atom"])
def test_wordpress_gives_titles_and_categories_as_text(name: str) -> None:
    """WordPress escapes twice, in CDATA, in attributes and not at all; each comes out as its author wrote it."""
    posts = read((FEEDS / name).read_bytes())
    assert len(posts) == 10
    assert posts[:2] == [
        Post(
            title="Hello world!",
            url="https://blog.example.com/2026/11/hello-world/",
            published_at=datetime(2026, 11, 22, 4, 54, 55, tzinfo=UTC),
            categories=("Uncategorized",),
            excerpt="Welcome to WordPress. This is your first post. Edit or delete it, then start writing!",
        ),
        Post(
            title="Größe & Maß note number 10",
            url="https://blog.example.com/2025/10/grose-mas-note-number-10/",
            published_at=datetime(2025, 10, 29, 8, 53, 20, tzinfo=UTC),
            categories=("Größe & Maß", "Growth", "t10"),
            excerpt="Body of Größe & Maß 10. More & more.",
        ),
    ]
    assert "Data & Analytics" in {category for post in posts for category in post.categories}


def test_wordpress_says_the_same_in_both_formats() -> None:
    """RSS and Atom of one blog hold equal posts."""
    posts, others = (read((FEEDS / f"wordpress.{kind}").read_bytes()) for kind in ("rss", "atom"))
    assert posts == others


def test_hugo_gives_posts_without_categories() -> None:
    """Hugo's built-in template names no categories, and escapes quotes numerically."""
    posts = read((FEEDS / "hugo.rss").read_bytes())
    assert len(posts) == 24
    assert posts[0] == Post(
        title='Note 17: on compilers & "quotes"',
        url="https://notes.example.com/posts/p17/",
        published_at=datetime(2026, 9, 18, 10, tzinfo=UTC),
        excerpt="Body of note 17. With markup.",
    )
    assert {post.categories for post in posts} == {()}


def test_a_category_of_hugo_is_a_feed_of_its_own() -> None:
    """Hugo's feed of one category is read like any other."""
    posts = read((FEEDS / "hugo-category-databases.rss").read_bytes())
    assert len(posts) == 6
    assert all("databases" in post.title for post in posts)


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Salt &amp; pepper", "Salt & pepper"),
        ("Salt &#038; pepper", "Salt & pepper"),
        ("Salt &amp;amp; pepper", "Salt & pepper"),
        ("<![CDATA[Salt &#038; pepper]]>", "Salt & pepper"),
        ("1 &lt; 2 &amp; 3 > 2", "1 < 2 & 3 > 2"),
        ("&lt;em&gt;Salt&lt;/em&gt;  and\n pepper", "Salt and pepper"),
        ("<![CDATA[<p>One.</p><p>Two.</p>Three<br/>four]]>", "One. Two. Three four"),
        ("<![CDATA[semi<em>bold</em>]]>", "semibold"),
        ("<![CDATA[Tea<style>.wp { margin: 0 }</style> and <script>track()</script>cake]]>", "Tea and cake"),
        ("Salt&#160;and pepper", "Salt and pepper"),
    ],
)
def test_markup_becomes_text(title: str, text: str) -> None:
    """Tags go, entities are resolved, white space collapses."""
    assert only(rss(item(title=title))).title == text
    assert only(atom(f'<title type="html">{title}</title><link href="https://blog.example/a"/>')).title == text


@pytest.mark.parametrize(
    "payload",
    [
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<![CDATA[<script>alert(1)</script>]]>",
        "&lt;img src=x onerror=alert(1)&gt;",
        "&lt;svg/onload=alert(1)&gt;",
        "&lt;a href='javascript:alert(1)'&gt;&lt;/a&gt;",
        "&lt;scr&lt;script&gt;ipt&gt;alert(1)&lt;/script&gt;",
        "&lt;!--&gt;&lt;script&gt;alert(1)&lt;/script&gt;--&gt;",
        "&lt;style&gt;*{background:url(//evil.example)}&lt;/style&gt;",
    ],
)
def test_markup_leaves_no_tag_behind(payload: str) -> None:
    """No payload survives as a tag, in a title, an excerpt or a category."""
    more = f"<description>{payload}</description><category>{payload}</category>"
    post = only(rss(item(title=f"Title {payload}", more=more)))
    told = " ".join((post.title, post.excerpt, *post.categories))
    assert "<" not in told
    assert "onerror" not in told


def test_a_double_encoded_payload_stays_the_text_that_it_is() -> None:
    """What a reader would show as text is unescaped once, never again and never into a second meaning."""
    post = only(rss(item(title="&amp;lt;script&amp;gt; &amp;amp;lt;b&amp;amp;gt;")))
    assert post.title == "<script> &lt;b&gt;"


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " java&#10;script:alert(1)",
        "data:text/html,x",
        "ftp://blog.example/a",
        "file:///etc/passwd",
        "/relative-to-nothing",
        "https:no-host",
        "http://[::1",
        "",
    ],
)
def test_an_entry_without_an_http_link_is_dropped(link: str) -> None:
    """Only http(s) links reach a page; the entries around one that is not stay."""
    posts = read(rss(item(link=link), item(title="Good", link="https://blog.example/good")))
    assert [post.title for post in posts] == ["Good"]


def test_an_entry_without_any_link_is_dropped() -> None:
    """There is nothing to lead a reader to; it is counted."""
    batch = read_feed(Document("", rss("<title>No link</title>", item())))
    assert (len(batch.items), batch.left_out) == (1, 1)


def test_a_feed_of_which_nothing_can_be_used_fails() -> None:
    """It is not the blog that it was, and does not replace it."""
    with pytest.raises(ProviderFailed, match="/feed has 2 items, and none that can be used"):
        read(rss("<title>No link</title>", item(link="javascript:alert(1)")), "https://blog.example/feed")


def test_relative_links_are_resolved_against_the_feed() -> None:
    """A feed may name its posts relative to itself."""
    assert (
        only(rss(item(link="../a?b=1&amp;c=2")), url="https://blog.example/feed/x").url
        == "https://blog.example/a?b=1&c=2"
    )


def test_an_entry_without_a_title_is_called_by_its_excerpt() -> None:
    """RSS allows an item to have only a description; a link needs words to click on."""
    post = only(rss("<link>https://blog.example/a</link><description>A short note.</description>"))
    assert (post.title, post.excerpt) == ("A short note.", "A short note.")


def test_an_entry_without_any_words_is_dropped() -> None:
    """There is nothing to show of it."""
    assert [post.title for post in read(rss("<link>https://blog.example/a</link>", item(title="A")))] == ["A"]


def test_content_stands_in_for_a_missing_summary() -> None:
    """An Atom entry with content alone has an excerpt of it."""
    content = '<content type="html">&lt;p&gt;Whole text.&lt;/p&gt;</content>'
    assert only(atom(f'<title>A</title><link href="https://blog.example/a"/>{content}')).excerpt == "Whole text."


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("x" * MAX_EXCERPT, "x" * MAX_EXCERPT),
        ("x" * (MAX_EXCERPT + 1), "x" * (MAX_EXCERPT - 1) + "…"),
        ("word " * 100, ("word " * 60)[:-1] + "…"),
        ("word " * 58 + "a-very-long-last-word", ("word " * 58)[:-1] + "…"),
    ],
)
def test_a_long_excerpt_ends_at_a_word(text: str, excerpt: str) -> None:
    """An excerpt has at most 300 characters with its ellipsis, and no half word unless it is all one word."""
    found = only(rss(item(more=f"<description>{text}</description>"))).excerpt
    assert found == excerpt
    assert len(found) <= MAX_EXCERPT


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ("<published>2026-01-02T03:04:05+02:00</published>", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("<updated>2026-01-02T03:04:05Z</updated>", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (
            "<updated>2026-02-02T00:00:00Z</updated><published>2026-01-01T00:00:00Z</published>",
            datetime(2026, 1, 1, tzinfo=UTC),
        ),
        ("<published>yesterday</published>", None),
        ("<published>0000-00-00T00:00:00Z</published>", None),
        ("", None),
    ],
)
def test_dates_are_utc(dates: str, expected: datetime | None) -> None:
    """Published, else updated, in UTC; a date that is none costs neither the post nor the feed."""
    found = only(atom(f'<title>A</title><link href="https://blog.example/a"/>{dates}')).published_at
    assert found == expected
    assert found is None or found.utcoffset() == timedelta(0)


def test_categories_keep_their_order_and_lose_repetitions() -> None:
    """Categories are text, each once, in the feed's order; an empty one is none."""
    names = ["Zebras", "Q&amp;amp;A", "&lt;b&gt;Ants&lt;/b&gt;", "Zebras", " "]
    post = only(rss(item(more="".join(f"<category>{name}</category>" for name in names))))
    assert post.categories == ("Zebras", "Q&A", "Ants")


THUMBNAIL = '<media:thumbnail url="https://cdn.example/thumbnail"/>'
PICTURE = '<media:content url="https://cdn.example/picture" medium="image"/>'
FILM = '<media:content url="https://cdn.example/film" type="video/mp4"/>'
ENCLOSURE = '<enclosure url="https://cdn.example/enclosure" type="image/png" length="1"/>'
SOUND = '<enclosure url="https://cdn.example/sound" type="audio/mpeg" length="1"/>'


@pytest.mark.parametrize(
    ("media", "image"),
    [
        (ENCLOSURE + PICTURE + THUMBNAIL, "https://cdn.example/thumbnail"),
        (ENCLOSURE + FILM + PICTURE, "https://cdn.example/picture"),
        (FILM + SOUND + ENCLOSURE, "https://cdn.example/enclosure"),
        ('<media:thumbnail url="javascript:alert(1)"/>' + ENCLOSURE, "https://cdn.example/enclosure"),
        ('<media:thumbnail url="data:image/png;base64,x"/>', None),
        (FILM + SOUND, None),
    ],
)
def test_the_image_is_a_declared_picture(media: str, image: str | None) -> None:
    """A thumbnail, else a picture of Media RSS, else an enclosed one; only over http(s)."""
    assert only(rss(item(more=media))).image == image


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"{}",
        b'{"version": "https://jsonfeed.org/version/1.1", "items": []}',
        b"<html><head><title>Log in</title></head><body><p>Secret words</body></html>",
        b"<!DOCTYPE html><title>x</title>",
        b'<?xml version="1.0"?><sitemapindex/>',
        b'<rss version="2.0"><channel><title>cut o',
        b"\x00\xff\xfe\x1f\x8b garbage",
    ],
)
def test_what_is_not_a_feed_fails_without_being_quoted(body: bytes) -> None:
    """A login page or half a file must not be taken for a blog without posts."""
    with pytest.raises(ProviderFailed) as failed:
        read(body, "https://blog.example/feed")
    assert str(failed.value) == "https://blog.example/feed is not a whole RSS or Atom feed"


def test_a_body_is_never_taken_for_a_file_name() -> None:
    """A server that answers with a path gets nothing of this machine's files."""
    with pytest.raises(ProviderFailed, match="is not a whole RSS or Atom feed"):
        read(str(FEEDS / "hugo.rss").encode())


@pytest.mark.parametrize("body", [rss(), atom()])
def test_a_feed_without_entries_is_empty(body: bytes) -> None:
    """A new blog has no posts, and nothing is wrong with that."""
    assert read(body) == []


@pytest.mark.parametrize("feed", [rss, atom])
def test_a_feed_that_breaks_off_fails(feed: Callable[..., bytes]) -> None:
    """Its first entries alone would replace all of them."""
    body = feed(item(title="First"), item(title="Second", link="https://blog.example/b"))
    with pytest.raises(ProviderFailed, match="is not a whole RSS or Atom feed"):
        read(body[: body.index(b"Second")])


def test_a_feed_with_a_mistake_in_it_is_read() -> None:
    """Real feeds have unescaped signs and unknown entities, and caches write comments behind them."""
    body = rss(item(title="Fish & chips&hellip;"), item(title="Second")) + b"<!-- cached -->"
    assert [post.title for post in read(body)] == ["Fish & chips…", "Second"]


def test_a_bomb_of_entities_does_not_go_off() -> None:
    """A billion laughs are not expanded, in whatever time or memory."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    body = f"<!DOCTYPE rss [{laughs}]>".encode() + rss(item(title="&l9;"), item(title="Good"))
    assert all(len(post.title) < 1000 for post in read(body))


def test_undeclared_encoding_is_utf_8() -> None:
    """XML's own default holds, not HTTP's old one."""
    assert only(rss(item(title="Größe & Maß"))).title == "Größe & Maß"


def test_a_declared_encoding_is_honoured() -> None:
    """Old blogs write ISO 8859-1, and say so."""
    declaration = b'<?xml version="1.0" encoding="iso-8859-1"?>'
    assert only(declaration + rss(item(title="Größe")).decode().encode("latin-1")).title == "Größe"


def test_external_entities_are_not_read(tmp_path: Path) -> None:
    """A feed cannot make this machine put its files into titles."""
    (tmp_path / "secret").write_text("hunter2")
    doctype = f'<!DOCTYPE rss [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]>'.encode()
    assert "hunter2" not in only(doctype + rss(item(title="A &x; b"))).title


def test_only_the_first_posts_of_an_archive_are_kept() -> None:
    """A feed of everything ever written is cut where no page would look."""
    posts = read(rss(*(item(link=f"https://blog.example/{n}") for n in range(MAX_POSTS + 1))))
    assert len(posts) == MAX_POSTS
    assert posts[-1].url == f"https://blog.example/{MAX_POSTS - 1}"
