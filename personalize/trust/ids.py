"""Ids: which external ids may be looked up, and how they are written."""

from dataclasses import dataclass
from unicodedata import category

from personalize.errors import BadParameter
from personalize.model import ExternalId

MAX_LENGTH = 255

PII_TYPES = frozenset({"email", "phone", "phone_number"})
"""Id types that are personal data themselves, and would make their way into logs along the road; Segment recommends
against looking up by them (Profile API documentation: External IDs)."""

BUILT_IN_TYPES = frozenset({"user_id", "anonymous_id", "group_id"})


@dataclass(frozen=True, slots=True)
class IdRules:
    """What a deployment accepts as an external id.

    Args:
        types: id types beside the built-in ones.
        pii: whether personal data may be looked up by.
        lowercase: whether values are looked up in lower case, as newer spaces store them.
    """

    types: frozenset[str] = frozenset()
    pii: bool = False
    lowercase: bool = False

    @property
    def accepted(self) -> frozenset[str]:
        """The id types that may be looked up by."""
        return BUILT_IN_TYPES | self.types | (PII_TYPES if self.pii else frozenset())

    def checked(self, field: str, id_type: str, value: str) -> ExternalId:
        """Return an external id as it is looked up; raise `BadParameter` for the field if it is not accepted."""
        if id_type in PII_TYPES and not self.pii:
            raise BadParameter(field, f"may not be an {id_type}: personal data is no id to look up by here.")
        if id_type not in self.accepted:
            raise BadParameter(field, "is of an id type that is not accepted here.")
        if not value:
            raise BadParameter(field, "has no value.")
        if len(value) > MAX_LENGTH:
            raise BadParameter(field, f"is longer than {MAX_LENGTH} characters.")
        if not value.isprintable():  # nearly all are: letters cost more than all the rest
            _check_letters(field, value)
        return ExternalId(id_type, value.lower() if self.lowercase else value)

    def parsed(self, field: str, text: str) -> ExternalId:
        """Return the external id that a text like `user_id:u1` names; raise `BadParameter` where it names none."""
        id_type, colon, value = text.partition(":")
        if not colon:
            raise BadParameter(field, "is not of the form `type:value`, like `user_id:u1`.")
        return self.checked(field, id_type, value)


def _check_letters(field: str, value: str) -> None:
    categories = {category(letter) for letter in value}
    if "Cc" in categories:
        raise BadParameter(field, "contains a control character.")
    if "Cs" in categories:  # what bytes that are no UTF-8 become, and what no URL can carry
        raise BadParameter(field, "contains half of a character (an unpaired surrogate).")
