"""Ids: what may be looked up, and how it is written."""

import pytest

from personalize.errors import BadParameter
from personalize.model import ExternalId
from personalize.trust.ids import MAX_LENGTH, IdRules


@pytest.mark.parametrize("id_type", ["user_id", "anonymous_id", "group_id"])
def test_the_built_in_types_are_accepted(id_type: str) -> None:
    """They need no setting."""
    assert IdRules().parsed("external_id", f"{id_type}:a:b") == ExternalId(id_type, "a:b")


def test_other_types_are_accepted_by_name() -> None:
    """Those of the setting, and no others."""
    rules = IdRules(frozenset({"android_idfa"}))
    assert rules.parsed("external_id", "android_idfa:1") == ExternalId("android_idfa", "1")
    with pytest.raises(BadParameter, match="`external_id` is of an id type that is not accepted here"):
        rules.parsed("external_id", "ios_idfa:1")


@pytest.mark.parametrize("id_type", ["email", "phone", "phone_number"])
def test_personal_data_is_no_id_unless_switched_on(id_type: str) -> None:
    """Not even when the type is listed: it would end up in logs along the road."""
    with pytest.raises(BadParameter, match="personal data"):
        IdRules(frozenset({id_type})).parsed("external_id", f"{id_type}:x")
    assert IdRules(pii=True).parsed("external_id", f"{id_type}:x") == ExternalId(id_type, "x")


@pytest.mark.parametrize("lowercase", [False, True])
def test_values_are_lowered_where_the_space_stores_them_so(*, lowercase: bool) -> None:
    """The type stays as it is."""
    found = IdRules(lowercase=lowercase).parsed("external_id", "user_id:ÀdA")
    assert found == ExternalId("user_id", "àda" if lowercase else "ÀdA")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("u1", "is not of the form `type:value`"),
        ("", "is not of the form `type:value`"),
        ("user_id:", "has no value"),
        ("user_id:" + "x" * (MAX_LENGTH + 1), "is longer than 255 characters"),
        ("user_id:a\nb", "contains a control character"),
        ("user_id:a\x7fb", "contains a control character"),
        ("user_id:\udcff", "contains half of a character"),
        (":u1", "is of an id type that is not accepted here"),
    ],
)
def test_what_is_no_id_is_refused_by_its_field(text: str, reason: str) -> None:
    """The sentence names the field and not the value."""
    with pytest.raises(BadParameter, match=reason) as refused:
        IdRules().parsed("external_id", text)
    assert refused.value.field == "external_id"
