"""What OpenAPI cannot say of a valid request: that one of several ids has to be there, and that a key is unique."""

from typing import Any

import schemathesis
from schemathesis import Case, HookContext

PAGE = "/api/personalize"
VISITOR = {"anonymous_id": "5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11", "group_id": "acme"}


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Complete a request that is meant to be valid."""
    if case.meta is None or case.meta.generation.mode.is_negative or not case.path.startswith("/api/"):
        return
    told: Any = case.body if case.method == "POST" else case.query
    known = {parameter.name for parameter in case.operation.query} or VISITOR.keys()
    told.update({name: value for name, value in VISITOR.items() if name in known and not told.get(name)})
    if case.path == PAGE and case.method == "POST":
        told["recipes"] = list({one.get("id") or one["name"]: one for one in told["recipes"]}.values())
    elif case.path == PAGE:
        told["recipes"] = ",".join({one.partition(":")[0]: one for one in told["recipes"].split(",")}.values())
