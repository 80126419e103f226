"""Whether a service is ready, asked over HTTP: a container's health check.

It starts once every few seconds, and so imports of all libraries next to nothing but the standard one.
"""

import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

URL = "http://127.0.0.1:8000"
SECONDS = 2.0
"""What an answer may take: a service that is slower than that to say a word is not well."""

LARGEST = 200
"""Characters of a foreign answer that are shown."""

HELP = f"""usage: personalize health [URL]

Ask a running service at a URL (default {URL}) whether traffic may come. Exits with 0 if it may, else with 1.
"""


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    if any(one.startswith("-") for one in arguments) or len(arguments) > 1:
        sys.stdout.write(HELP)
        return 0 if {"-h", "--help"} & {*arguments} else 2
    ready, word = ask(*arguments)
    sys.stdout.write(f"{word}\n")
    return 0 if ready else 1


def ask(url: str = URL) -> tuple[bool, str]:
    """Return whether the service at a URL is ready, and a line that explains it."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return False, f"{url} is no http(s) URL."
    connection = (HTTPSConnection if parts.scheme == "https" else HTTPConnection)(parts.netloc, timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        said = answer.read(LARGEST).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        return False, f"{url} cannot be reached: {str(error) or type(error).__name__}."
    finally:
        connection.close()
    if answer.status == HTTPStatus.OK:
        return True, f"{url} is ready."
    return False, f"{url} is not ready: {answer.status} {said}"
