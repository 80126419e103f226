"""feedparser as a program: a feed on standard input becomes JSON on standard output.

It runs in a process of its own, with bounds, because feedparser has none. Over what nobody writes in good faith its
regular expressions take quadratic time (64 KiB of an author's name: 11 s), in which no other thread of the process can
run; and it expands the entities that a document defines. So this file imports nothing of the service, and is given
nothing of it but the document.
"""

import io
import json
import resource
import sys
from typing import Any

import feedparser

CPU_SECONDS = 5
"""What parsing may take: a feed of 5 MiB takes one at most."""

MEMORY = 512 * 1024**2
"""Bytes of address space: a feed of 5 MiB takes a fifth of it."""

MAX_WRITTEN = 32 * 1024**2
"""Characters of JSON: a feed of 5 MiB without entities has fewer."""

MEMBERS = (
    *("link", "title", "summary", "published_parsed", "updated_parsed"),
    *("tags", "media_thumbnail", "media_content", "enclosures"),
)
"""What is told of an entry."""


def main(location: str) -> int:
    """Read, parse and write; return the exit status, which is 1 for what has grown out of all proportion."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    written = json.dumps(parsed(sys.stdin.buffer.read(), location), default=str)
    if len(written) > MAX_WRITTEN:
        return 1
    sys.stdout.write(written)
    return 0


def parsed(body: bytes, location: str) -> dict[str, Any]:
    """Return whether feedparser stumbled, which version of RSS or Atom it saw, and the entries.

    Args:
        body: the feed; its encoding is read from its own declaration, else it is UTF-8.
        location: where it was found, against which relative links are resolved.
    """
    feed = feedparser.parse(
        io.BytesIO(body),  # as plain bytes, a body that happens to be a file's name would be opened
        # Without the media type, a document that declares no encoding would be read as ISO 8859-1.
        response_headers={"content-location": location, "content-type": "application/xml"},
        resolve_relative_uris=False,  # inside markup, of which only the text is kept
        sanitize_html=False,  # nh3 does it, for every text alike
    )
    # Asked with `in`: feedparser answers `get("updated_parsed")` with the published date, and a warning.
    entries = [{name: entry[name] for name in MEMBERS if name in entry} for entry in feed["entries"]]
    return {"stumbled": bool(feed["bozo"]), "version": feed.get("version", ""), "entries": entries}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
