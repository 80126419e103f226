"""Query strings become a visitor and parameters, or a sentence that names the field."""

import string
from typing import Annotated
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize import Param, Trait, recipe
from personalize.errors import BadParameter
from personalize.model import Visitor
from personalize.trust.ids import MAX_LENGTH, IdRules
from personalize.web.params import MAX_FIELDS, Query, parse


@recipe("about-a-user")
def about_a_user(
    limit: Annotated[int, Param(ge=1, le=20)] = 5,
    category: Annotated[str, Param(max_length=10)] = "",
    city: Annotated[str | None, Trait("city")] = None,
) -> str:
    """Say nothing."""
    return ""


@recipe("about-an-account", collection="accounts")
def about_an_account(since: Annotated[int, Param()]) -> str:
    """Say nothing."""
    return ""


USER = Visitor(user_id="u1")


@pytest.mark.parametrize(
    ("query", "visitor", "params"),
    [
        ("user_id=u1", USER, {}),
        ("user_id=u1&limit=20", USER, {"limit": 20}),
        ("limit=1&user_id=u1&category=a+b", USER, {"limit": 1, "category": "a b"}),
        ("user_id=u1&category=", USER, {"category": ""}),
        ("user_id=u1&anonymous_id=a1", Visitor("u1", "a1"), {}),
        ("user_id=&anonymous_id=a1", Visitor(anonymous_id="a1"), {}),
        ("user_id&anonymous_id=a1", Visitor(anonymous_id="a1"), {}),
        ("anonymous_id=a1&group_id=g1", Visitor(anonymous_id="a1", group_id="g1"), {}),
        ("user_id=a%2Fb%26c%3Dd", Visitor(user_id="a/b&c=d"), {}),
        ("user_id=%C3%A4%E2%82%AC%F0%9D%84%9E", Visitor(user_id="ä€𝄞"), {}),
        ("user_id=" + "x" * MAX_LENGTH, Visitor(user_id="x" * MAX_LENGTH), {}),
        ("user_id=" + "%C3%A4" * MAX_LENGTH, Visitor(user_id="ä" * MAX_LENGTH), {}),
        ("&&user_id=u1&", USER, {}),
    ],
)
def test_a_query_is_read(query: str, visitor: Visitor, params: dict[str, object]) -> None:
    """A blank id counts as absent; parameters that are not given keep the recipe's own defaults."""
    assert parse(query.encode(), about_a_user, IdRules()) == Query(visitor, params)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "`user_id` or `anonymous_id` is required: say whom this is about."),
        ("user_id=&anonymous_id=", "`user_id` or `anonymous_id` is required: say whom this is about."),
        ("group_id=g1", "`user_id` or `anonymous_id` is required: say whom this is about."),
        ("user_id=u1&limits=3", "`limits` is not a parameter of this recipe. Did you mean `limit`?"),
        ("userid=u1", "`userid` is not a parameter of this recipe. Did you mean `user_id`?"),
        ("user_id=u1&q=1", "`q` is not a parameter of this recipe."),
        ("user_id=u1&city=Paris", "`city` is not a parameter of this recipe."),
        ("user_id=u1&Limit=3", "`Limit` is not a parameter of this recipe. Did you mean `limit`?"),
        ("user_id=u1&user_id=u2", "`user_id` is given more than once."),
        ("user_id=u1&user_id=u1", "`user_id` is given more than once."),
        ("user_id=&user_id=u1", "`user_id` is given more than once."),
        ("user_id=u1&user%5Fid=u2", "`user_id` is given more than once."),
        ("user_id=u1&limit=1&limit=2", "`limit` is given more than once."),
        ("user_id=u1&limit=0", "`limit` is not valid: expected `int` >= 1."),
        ("user_id=u1&limit=21", "`limit` is not valid: expected `int` <= 20."),
        ("user_id=u1&limit=abc", "`limit` is not valid: expected `int`, got `str`."),
        ("user_id=u1&limit=", "`limit` is not valid: expected `int`, got `str`."),
        ("user_id=u1&limit=" + "9" * 5000, "`limit` is not valid: integer value out of range."),
        ("user_id=u1&category=eleven-long", "`category` is not valid: expected `str` of length <= 10."),
        ("user_id=" + "x" * 256, "`user_id` is longer than 255 characters."),
        ("user_id=u1&anonymous_id=" + "x" * 300, "`anonymous_id` is longer than 255 characters."),
        ("user_id=u1&group_id=" + "x" * 300, "`group_id` is longer than 255 characters."),
        ("user_id=a%0Ab", "`user_id` contains a control character."),
        ("user_id=a%0D%0Ab", "`user_id` contains a control character."),
        ("user_id=%00", "`user_id` contains a control character."),
        ("user_id=a%7Fb", "`user_id` contains a control character."),
        ("user_id=a%C2%85b", "`user_id` contains a control character."),
        ("user_id=%FF", "`query` is not percent-encoded UTF-8."),
        ("user_id=u1&%C3=1", "`query` is not percent-encoded UTF-8."),
        ("user_id=%ED%A0%80", "`query` is not percent-encoded UTF-8."),
        ("user_id=ä", "`query` is not percent-encoded UTF-8."),
        ("&".join(f"p{number}=" for number in range(MAX_FIELDS + 1)), "`query` has more than 100 parameters."),
    ],
)
def test_a_wrong_query_is_one_sentence(query: str, sentence: str) -> None:
    """The sentence names the field as the caller wrote it and never quotes a value."""
    with pytest.raises(BadParameter) as refused:
        parse(query.encode(), about_a_user, IdRules())
    assert str(refused.value) == sentence
    assert refused.value.field == sentence.split("`")[1] or "is required" in sentence


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("since=1", "`group_id` is required: say whom this is about."),
        ("since=1&user_id=u1", "`group_id` is required: say whom this is about."),
        ("group_id=g1", "`since` is required."),
    ],
)
def test_a_recipe_says_what_it_requires(query: str, sentence: str) -> None:
    """An account is named by its group id, and a parameter without a default has to be given."""
    with pytest.raises(BadParameter) as refused:
        parse(query.encode(), about_an_account, IdRules())
    assert str(refused.value) == sentence


def test_an_account_is_read() -> None:
    """The ids of both collections may be given."""
    assert parse(b"group_id=g1&since=3&user_id=u1", about_an_account, IdRules()) == Query(
        Visitor(user_id="u1", group_id="g1"), {"since": 3}
    )


def outcome(query: bytes) -> Query | BadParameter:
    """Return what became of a query string; anything else than these two passes as the exception it is."""
    try:
        return parse(query, about_a_user, IdRules())
    except BadParameter as refused:
        return refused


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=MAX_LENGTH))
def test_an_id_arrives_as_it_was_sent(value: str) -> None:
    """Whatever characters an id has, none is changed on the way."""
    assert outcome(urlencode({"user_id": value}).encode()) == Query(Visitor(user_id=value), {})


@given(st.text(min_size=1), st.characters(categories=["Cc"]), st.text(min_size=1))
def test_an_id_with_a_control_character_is_refused(before: str, control: str, after: str) -> None:
    """Wherever it stands."""
    query = urlencode({"user_id": before + control + after}, errors="replace").encode()
    assert isinstance(outcome(query), BadParameter)


@given(st.binary(max_size=60) | st.text(string.printable, max_size=60).map(lambda text: quote(text, "&=+%").encode()))
def test_any_query_string_is_read_or_refused(query: bytes) -> None:
    """No bytes end in anything else than an answer or a 400."""
    assert isinstance(outcome(query), Query | BadParameter)
