"""The API described from what is loaded: an OpenAPI 3.1 document."""

from personalize.web.openapi.document import document

__all__ = ["document"]
