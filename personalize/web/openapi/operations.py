"""The operator's paths."""

from typing import Any

from personalize.web.openapi import headers, problems

_STATUS = {
    "status": {"enum": ["ready", "draining"]},
    "version": {"type": "string"},
    "dependencies": {"type": "object", "additionalProperties": {"type": "string"}},
}


def items(*, metrics: bool) -> dict[str, Any]:
    """Return the path items of the operator's routes."""
    formats = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/openmetrics-text")}
    shown = {"/metrics": _item("getMetrics", "Prometheus metrics of all processes", formats)} if metrics else {}
    return {
        "/livez": _item("isAlive", "Whether the process answers", _status("alive")),
        "/readyz": _item("isReady", "Whether traffic may come", _status("ready")),
        "/status": _item("getStatus", "How the dependencies are, in words", _object(_STATUS)),
        **shown,
    }


def _item(operation: str, summary: str, content: dict[str, Any]) -> dict[str, Any]:
    answered = {"description": f"{summary}.", "headers": headers.OF_ALL, "content": content}
    return {
        "get": {
            "operationId": operation,
            "tags": ["operations"],
            "summary": summary,
            "security": [],
            "responses": {"200": answered, **problems.answers()},
        }
    }


def _status(word: str) -> dict[str, Any]:
    return _object({"status": {"const": word}})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    return {"application/json": {"schema": schema}}
