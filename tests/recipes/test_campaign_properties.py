"""A profile as a campaign tool takes it."""

from types import MappingProxyType

import pytest

from personalize.registry import load

campaign_properties = load(["shipped"])["campaign-properties"]


@pytest.mark.parametrize(
    ("traits", "properties"),
    [
        ({}, {}),
        ({"name": "Ada", "age": 36}, {"name": "Ada", "age": 36}),
        ({"score": 1.5, "member": True}, {"score": 1.5, "member": True}),
        ({"address": {"city": "Rome", "geo": {"lat": 41.9}}}, {"address.city": "Rome", "address.geo.lat": 41.9}),
        ({"tags": ["a", 2, 1.5, True, None, {"x": 1}, ["b"]]}, {"tags": "a,2,1.5,true"}),
        (MappingProxyType({"a": MappingProxyType({"b": "c"})}), {"a.b": "c"}),
        ({"none": None, "empty": [], "nothing": {}}, {}),
    ],
)
def test_only_plain_values_are_told(traits: dict[str, object], properties: dict[str, object]) -> None:
    """Parts of objects by their path, lists as text, and nothing of what is empty."""
    assert campaign_properties(traits) == properties


def test_only_our_own_servers_may_ask() -> None:
    """It tells what is known of a person."""
    assert campaign_properties.access == "server"
