"""What is described of forgetting and of what Segment pushes."""

from personalize import registry
from personalize.trust.ids import IdRules
from personalize.web.openapi import document
from tests.unit.web.openapi.test_document import described


def test_whoever_erases_names_as_many_ids_as_there_are() -> None:
    """With a key, and of each type that may be asked about."""
    erase = described("shipped", rules=IdRules(frozenset({"loyalty"})))["paths"]["/api/profiles"]["delete"]
    assert erase["security"] == [{"apiKey": []}]
    assert [one["name"] for one in erase["parameters"]] == ["user_id", "anonymous_id", "external_id", "group_id"]
    assert {one["schema"]["type"] for one in erase["parameters"]} == {"array"}
    assert {one["schema"]["items"]["minLength"] for one in erase["parameters"]} == {1}
    assert [*erase["responses"]] == ["204", "400", "401", "403", "503", "default"]


def test_the_webhook_is_described_where_there_is_one() -> None:
    """With its signature, which is a secret of its own."""
    recipes = registry.load(["shipped"])
    off, on = (document(recipes, IdRules(), webhook=webhook) for webhook in (False, True))
    assert "/webhooks/segment" not in off["paths"]
    assert "signature" not in off["components"]["securitySchemes"]
    pushed = on["paths"]["/webhooks/segment"]["post"]
    assert pushed["security"] == [{"signature": []}]
    assert [*pushed["responses"]] == ["202", "400", "403", "413", "503", "default"]
    assert on["components"]["securitySchemes"]["signature"]["name"] == "X-Signature"


def test_problems_that_pass_say_when_to_try_again() -> None:
    """Those that are ours for a moment, and no others."""
    responses = described("shipped")["components"]["responses"]
    assert [name for name, one in responses.items() if "Retry-After" in one["headers"]] == [
        "TooManyRequests",
        "NotErased",
        "Busy",
        "Problem",
    ]
