"""FQL: Segment's own vectors, where we differ and why, and what holds of every query."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.destination.conditions import OBJECTS, WORDS, Comparison, Group
from personalize.destination.fql import MAX_DEPTH, parse
from personalize.destination.paths import path
from personalize.errors import QueryError
from tests.unit.destination.vectors import read

FQL = read("fql")
PARSED = FQL["parse"]
JUDGED = FQL["validate"]
WRITTEN = [one for one in FQL["generate"] if "fql" in one]

DIFFERENT = {"type = ": "Segment compares with the word `eos`, its parser's own name for the end; here it is an error"}
"""Queries that are read otherwise here, and why."""


def told(node: Group | Comparison) -> dict[str, Any]:
    """Return a condition as Segment's parser does."""
    if isinstance(node, Group):
        return {"type": "group", "operator": node.operator, "children": [told(child) for child in node.children]}
    root, _, name = node.subject.partition(".")
    said: dict[str, Any] = {"type": OBJECTS.get(root) or WORDS[root], "operator": node.operator}
    if name:
        said["name"] = ".".join(path(name).steps)
    if node.value is not None:
        said["value"] = node.value
    return said


def made(tree: dict[str, Any]) -> Group | Comparison:
    """Return the condition of a tree of Segment's."""
    if tree["type"] == "group":
        return Group(tree["operator"], tuple(made(child) for child in tree["children"]))
    roots = {kind: root for root, kind in {**OBJECTS, **WORDS}.items()}
    name = tree.get("name", "").replace(" ", "\\ ")
    return Comparison(roots[tree["type"]] + (f".{name}" if name else ""), tree["operator"], tree.get("value"))


@pytest.mark.parametrize("case", PARSED, ids=[case["fql"] for case in PARSED])
def test_queries_are_read_as_segment_reads_them(case: dict[str, Any]) -> None:
    """To the same tree, or an error where there is one."""
    if "error" in case["ast"] or case["fql"] in DIFFERENT:
        with pytest.raises(QueryError):
            parse(case["fql"])
    else:
        assert told(parse(case["fql"])) == case["ast"]


@pytest.mark.parametrize("case", [one for one in JUDGED if "error" not in one["ast"]])
def test_events_are_judged_as_segment_judges_them(case: dict[str, Any]) -> None:
    """By the same tree, the same event fulfils it or does not; what is no event never does."""
    event = None if case["event"] == "__undef__" else case["event"]
    assert made(case["ast"]).matches(event) is case["result"]


@pytest.mark.parametrize("case", WRITTEN, ids=[case["fql"] for case in WRITTEN])
def test_what_segment_writes_is_understood(case: dict[str, Any]) -> None:
    """What its own editor makes of a tree is read back to that tree; numbers as numbers."""
    assert told(parse(case["fql"])) == numbered(case["ast"])


def numbered(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a tree whose numbers are no text: Segment's editor keeps them as they were typed."""
    if "children" in tree:
        return {**tree, "children": [numbered(child) for child in tree["children"]]}
    if str(tree["operator"]).startswith("number_"):
        return {**tree, "value": float(tree["value"])}
    return tree


@pytest.mark.parametrize(
    ("query", "event", "holds"),
    [
        ('type = "a" or type = "b" and event = "x"', {"type": "a"}, True),
        ('(type = "a" or type = "b") and event = "x"', {"type": "a"}, False),
        ('type = "a" AND event = "x"', {"type": "a", "event": "x"}, True),
        ("properties.first\\ name = 'Ada'", {"properties": {"first name": "Ada"}}, True),
        ('properties.said = "a \\"b\\""', {"properties": {"said": 'a "b"'}}, True),
        ("properties.price = 1.5", {"properties": {"price": 1.5}}, True),
        ("properties.price != -2", {"properties": {"price": True}}, False),
        ('match(event, "*mid*")', {"event": "amidst"}, True),
        ('contains(properties.tags, "a")', {"properties": {"tags": ["a", "b"]}}, True),
        ('!contains(properties.tags, "a")', {}, True),
        ('properties.price > "much"', {"properties": {"price": 1}}, False),
    ],
)
def test_conditions_hold_or_do_not(query: str, event: dict[str, Any], *, holds: bool) -> None:
    """As their words say."""
    assert parse(query).matches(event) is holds


@pytest.mark.parametrize(
    ("query", "at", "says"),
    [
        ("plan = 1", 1, "there is no `plan`"),
        ("properties = 1", 1, "there is no `properties`"),
        ("type =", 7, 'expected "text", a number, true, false or null, not the end'),
        ("type = track", 8, "not `track`"),
        ('type = "a" type = "b"', 12, "expected `and` or `or`, not `type`"),
        ('(type = "a"', 12, "expected `)`, not the end"),
        ('!type = "a"', 2, "`!` stands before"),
        ('match(event, "a*b")', 14, "a pattern is"),
        ('match(event, "ab")', 14, "a pattern has a star"),
        ("match(event, 1)", 14, "expected a text, not `1`"),
        ('type = "a', 8, "is no word, text or number"),
        ("(" * 40, MAX_DEPTH + 2, "brackets in one another"),
    ],
)
def test_mistakes_say_where_they_are(query: str, at: int, says: str) -> None:
    """By the character, and what was expected there."""
    with pytest.raises(QueryError) as error:
        parse(query)
    assert error.value.at == at
    assert says in str(error.value)


@given(st.text(alphabet="typevnr.=!<>()\"',* 01\\anormch", max_size=60))
def test_anything_is_a_query_or_an_error(said: str) -> None:
    """And what is a query judges any event."""
    try:
        condition = parse(said)
    except QueryError:
        return
    events: list[Any] = [None, {}, [], {"type": 1, "properties": []}, {"traits": {"a": None}}]
    for event in events:
        assert condition.matches(event) in (True, False)
