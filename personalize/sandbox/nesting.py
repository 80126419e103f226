"""How deep JSON is nested, told without taking it apart."""

import re

MAX_DEPTH = 32
"""Objects and lists within one another. What is taken here is computed with, and comes back in answers with two more
around it: at a fixed depth it is refused once, and not now and then by whichever stack is too small for it."""

_TEXT = re.compile(rb'"(?:\\.|[^"\\])*+"?', re.DOTALL)
_OTHERS = bytes(one for one in range(256) if one not in b"[]{}")
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def is_deep(json: bytes) -> bool:
    """Return whether there is more than `MAX_DEPTH` within one another; brackets in texts are none."""
    depth = 0
    for bracket in _TEXT.sub(b"", json).translate(None, _OTHERS):
        depth += _STEP[bracket]
        if depth > MAX_DEPTH:
            return True
    return False
