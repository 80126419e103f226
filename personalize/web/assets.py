"""What is the same for everybody, and changes only with the service."""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from personalize.web import responses

STATIC = Path(__file__).parents[1] / "static"


class Asset:
    """A document that browsers and shared caches may keep for a while, and then ask whether it has changed.

    Args:
        content: its bytes.
        media_type: what they are.
        max_age: seconds that it may be kept.
        immutable: whether other bytes will have another path: nobody ever asks again (RFC 8246).
        headers: what else is told with it.
    """

    def __init__(
        self,
        content: bytes,
        media_type: str,
        *,
        max_age: int,
        immutable: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._content = content
        self._headers = {
            **responses.PROTECTED,
            **(headers or {}),
            "Content-Type": media_type,
            "Cache-Control": f"public, max-age={max_age}{', immutable' if immutable else ''}",
            "ETag": f'"{blake2b(content, digest_size=12).hexdigest()}"',
        }

    async def get(self, request: Request) -> Response:
        """Answer with the document, or that the one who asks has it already."""
        return responses.unless_known(Response(self._content, headers=self._headers), request)
