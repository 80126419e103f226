"""A feed costs what a feed should, whoever wrote it."""

import asyncio
import json
import subprocess
import sys
import time

import pytest

from personalize.errors import ProviderFailed
from personalize.providers import parsing
from personalize.providers.feed import read_feed
from personalize.providers.fetch import Document
from personalize.providers.text import MAX_MARKUP

PLACE = "https://blog.example.com/feed"
TOO_MUCH = f"{PLACE} takes more time or memory to parse than any feed should"
LAUGHS = "\n".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
NESTED = f'<!DOCTYPE rss [\n<!ENTITY l0 "lol">\n{LAUGHS}\n]>\n'
FLAT = f'<!DOCTYPE rss [\n<!ENTITY a "{"a" * 20_000}">\n]>\n'


def feed(title: str = "A", *, before: str = "", more: str = "") -> bytes:
    item = f"<item><title>{title}</title><link>/a</link>{more}</item>"
    return f"{before}<rss version='2.0'><channel>{item}</channel></rss>".encode()


def titles(body: bytes) -> list[str]:
    return [post.title for post in read_feed(Document(PLACE, body)).items]


def test_what_feedparser_says_is_plain() -> None:
    """Text, lists and numbers, as JSON has them; of an entry only what is read."""
    said = parsing.parsed(feed(more="<pubDate>Fri, 20 Nov 2026 10:00:00 GMT</pubDate><author>x</author>"), PLACE)
    assert json.loads(json.dumps(said)) == {
        "stumbled": False,
        "version": "rss20",
        "entries": [
            {
                "link": "https://blog.example.com/a",
                "title": "A",
                "published_parsed": [2026, 11, 20, 10, 0, 0, 4, 324, 0],
                "enclosures": [],
            }
        ],
    }


def test_parsing_is_told_no_secret() -> None:
    """Its process has an empty environment, and takes nothing from that of this one or from the working folder."""
    program = f"import os, sys; sys.argv = [0, {PLACE!r}]; print(dict(os.environ), sys.flags.isolated)"
    asked = subprocess.run([sys.executable, "-I", "-c", program], env={}, capture_output=True, text=True, check=True)
    assert asked.stdout.endswith(" 1\n")
    assert "PERSONALIZE" not in asked.stdout


def test_nested_entities_stay_unexpanded() -> None:
    """The billion laughs are none."""
    assert titles(feed("&l9;", before=NESTED)) == ["&l9;"]


def test_a_flat_bomb_of_entities_is_cut_to_what_is_read() -> None:
    """One long entity many times over, within what memory there is for it."""
    [title] = titles(feed("&a;" * 100, before=FLAT))
    assert len(title) == MAX_MARKUP


@pytest.mark.parametrize("after", ["", "<"])
def test_a_large_flat_bomb_is_a_failure(after: str) -> None:
    """Whichever of feedparser's two parsers takes it."""
    with pytest.raises(ProviderFailed, match=TOO_MUCH):
        titles(feed("&a;" * 40_000 + after, before=FLAT))


def test_an_external_entity_is_not_read() -> None:
    """Neither a file nor a URL."""
    doctype = '<!DOCTYPE rss [\n<!ENTITY x SYSTEM "file:///etc/passwd">\n]>\n'
    assert "root:" not in "".join(titles(feed("a&x;b", before=doctype)))


@pytest.mark.alone
async def test_a_feed_that_takes_for_ever_is_left_while_all_else_goes_on() -> None:
    """A quadratic expression over one long word: it is ended, and the event loop has not stood still for it."""
    begun, turns = time.monotonic(), 0
    reading = asyncio.create_task(asyncio.to_thread(titles, feed(more=f"<author>{'a' * 200_000}</author>")))
    while not reading.done():
        await asyncio.wait([reading], timeout=0.05)
        turns += 1
    with pytest.raises(ProviderFailed, match=TOO_MUCH):
        reading.result()
    assert turns > (time.monotonic() - begun) / 2
