"""The JSON examples of Segment's Profile API documentation, which both sides of the wire are held to."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data" / "profile_api"


def example(name: str) -> dict[str, Any]:
    """Return one example, named as its file in tests/data/profile_api."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def names() -> list[str]:
    """Return the names of all examples."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))
