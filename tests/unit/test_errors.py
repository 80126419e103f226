"""The tree of exceptions: as it is drawn, and what each class says of itself."""

import re

import pytest

from personalize import errors
from personalize.errors import (
    BadCredentials,
    BadParameter,
    BadSignature,
    Busy,
    NotErased,
    PersonalizeError,
    ProfileApiError,
    ProfileNotFound,
    ProofRequired,
    RateLimited,
    RecipeFailed,
    RecipeLoadError,
    RequestError,
    SettingsError,
    TimedOut,
    UnknownRecipe,
)

LEVEL = len("├── ")


def drawn() -> dict[str, str]:
    """Return the parent of every class in the drawing, by the class's name."""
    parents: dict[str, str] = {}
    above: list[str] = ["Exception"]
    for branch, name in re.findall(r"^    ([ │├└─]*)([A-Z]\w+)", errors.__doc__ or "", flags=re.MULTILINE):
        depth = len(branch) // LEVEL
        parents[name] = above[depth]
        above[depth + 1 :] = [name]
    return parents


CLASSES = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, PersonalizeError)]


def test_the_drawing_is_the_tree() -> None:
    """A class that is added, moved or removed is so in the drawing too."""
    assert drawn() == {one.__name__: one.__base__.__name__ for one in CLASSES if one.__base__}


def test_a_code_is_one_classes_own() -> None:
    """A client that branches on a problem's `code` branches on one thing."""
    codes = [vars(one)["code"] for one in CLASSES if "code" in vars(one)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PersonalizeError, 500),
        (RequestError, 400),
        (BadParameter, 400),
        (BadCredentials, 401),
        (ProofRequired, 403),
        (BadSignature, 403),
        (NotErased, 503),
        (Busy, 503),
        (UnknownRecipe, 404),
        (RecipeFailed, 500),
        (ProfileApiError, 502),
        (ProfileNotFound, 404),
        (TimedOut, 504),
    ],
)
def test_a_class_owns_its_status(error: type[PersonalizeError], status: int) -> None:
    """As HTTP means it."""
    assert error.status == status


@pytest.mark.parametrize("error", [one for one in CLASSES if issubclass(one, RequestError)])
def test_the_callers_fault_is_a_4xx(error: type[RequestError]) -> None:
    """Never the service's."""
    assert 400 <= error.status < 500


@pytest.mark.parametrize("error", CLASSES)
def test_code_and_label_are_words(error: type[PersonalizeError]) -> None:
    """One lowercase word each, fit for JSON and for a metric."""
    assert re.fullmatch(r"[a-z_]+", error.code)
    assert re.fullmatch(r"[a-z_]+", error.label)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SettingsError(["A is missing", "B is no URL"]), "A is missing\nB is no URL"),
        (RecipeLoadError("mine.py:3", "it is broken"), "mine.py:3: it is broken"),
        (BadParameter("limit", "is given more than once."), "`limit` is given more than once."),
        (ProfileApiError("The answer is not JSON."), "The answer is not JSON."),
        (ProfileApiError("The answer is not JSON.", "r-1"), "The answer is not JSON. (Request-Id r-1)"),
        (RecipeFailed("raised"), "The recipe could not be answered."),
    ],
)
def test_a_message_says_what_and_where(error: PersonalizeError, message: str) -> None:
    """Built from what the error was given."""
    assert str(error) == message


def test_an_error_keeps_what_it_was_given() -> None:
    """For code that wants more than the sentence."""
    assert SettingsError(["A", "B"]).problems == ("A", "B")
    assert (RecipeLoadError("here", "why").where, RecipeLoadError("here", "why").reason) == ("here", "why")
    assert BadParameter("limit", "is bad").field == "limit"
    assert RecipeFailed("overran").reason == "overran"
    assert ProfileApiError("No.", "r-1").request_id == "r-1"
    for told in (ProfileApiError, RateLimited):
        error = told("No.", upstream_status=429, upstream_code="rate_limit_error")
        assert (error.upstream_status, error.upstream_code) == (429, "rate_limit_error")
        assert (told("No.").upstream_status, told("No.").upstream_code) == (None, None)
