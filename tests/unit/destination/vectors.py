"""What Segment's open-source destination does, as data: recorded while its own tests ran; `source` says which.

Its addresses and telephone numbers were replaced by such as are nobody's.
"""

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[2] / "data" / "destination"
_UNDEFINED = "__undef__"


def read(name: str) -> Any:
    """Return what was recorded of a part: `mapping_kit`, `fql` or `segment_profiles`."""
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def defined(value: Any) -> Any:
    """Return a value without the members that JavaScript has as undefined."""
    if isinstance(value, dict):
        return {name: defined(one) for name, one in value.items() if one != _UNDEFINED}
    return value
