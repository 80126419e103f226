"""What answers look like, from their types."""

from typing import Any

import msgspec

from personalize.declare import free_json


class Schemas:
    """The schemas of types, and the components that they share.

    msgspec names a component by its class, a generic one by its arguments' classes, and trips over two of one name
    (`Pair[Item]` with the `Item`s of two recipes). So each type is described by itself, and where its components' names
    are taken, they are put behind the owner's.
    """

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}

    def of(self, hint: Any, *, owner: str) -> dict[str, Any]:  # noqa: ANN401 -- a type, which has no type
        """Return a type's schema; the owner's name is not used twice."""
        schema, components = _described(hint, prefix="")
        if any(self.components.get(name, one) != one for name, one in components.items()):
            schema, components = _described(hint, prefix=f"{owner}.")
        self.components |= components
        return schema


def _described(hint: Any, prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401 -- the same
    """Return the schema of a type, and its components by their names behind a prefix."""
    place = f"#/components/schemas/{prefix}{{name}}"
    (schema,), components = msgspec.json.schema_components([hint], schema_hook=free_json, ref_template=place)
    return schema, {prefix + name: one for name, one in components.items()}
