"""Mappings: Segment's own vectors, and what holds of every mapping."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.destination.compiler import MAX_DEPTH
from personalize.destination.template import compile_mapping
from personalize.destination.values import MISSING
from personalize.errors import MappingError
from tests.unit.destination.vectors import defined, read

KIT = read("mapping_kit")
CASES = KIT["cases"]
FIXTURES = KIT["schema_fixtures"]
UNDEFINED = {"$undefined": True}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def rendered(mapping: Any, event: Any) -> Any:
    template = compile_mapping(mapping)
    return template.value(event) if isinstance(event, dict) else template.render(event)


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case['test']}" for number, case in enumerate(CASES)])
def test_mappings_do_what_segments_do(case: dict[str, Any]) -> None:
    """The same output for the same mapping and event, or an error that says the same."""
    mapping, event = defined(case["mapping"]), case.get("data", {})
    if "throws" in case:
        with pytest.raises(MappingError) as error:
            rendered(mapping, event)
        assert case["throws"] in str(error.value)
        return
    found = rendered(mapping, event)
    if case["output"] == UNDEFINED:
        assert found is MISSING
    else:
        assert found == case["output"]


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda one: one["file"])
def test_mistakes_are_told_with_their_places(fixture: dict[str, Any]) -> None:
    """All of them at once, in Segment's words."""
    if fixture["kind"] == "valid":
        compile_mapping(fixture["mapping"])
        return
    told = fixture["expectError"]
    with pytest.raises(MappingError) as error:
        compile_mapping(fixture["mapping"])
    assert list(error.value.problems) == (told if isinstance(told, list) else [told])


@pytest.mark.parametrize(
    ("mapping", "event", "output"),
    [
        ({"@path": "$['first name'].x[1]"}, {"first name": {"x": [1, 2]}}, 2),
        ({"@path": "$.a.9"}, {"a": [1]}, MISSING),
        ({"@path": {"@path": "$.b"}}, {"b": 7}, MISSING),
        (
            {"@template": "{{ a }}-{{b}}-{{c}}-{{d}}"},
            {"a": 1.0, "b": True, "c": {"x": 1}, "d": None},
            '1-true-{"x":1}-',
        ),
        ({"@template": {"@path": "$.t"}}, {}, MISSING),
        ({"@if": {"blank": {"@path": "$.a"}, "else": "none"}}, {"a": ""}, "none"),
        ({"@if": {"exists": True}}, {}, MISSING),
        ({"@case": {"operator": "upper", "value": "a"}}, {}, "A"),
        ({"@case": {"operator": "title", "value": "a"}}, {}, "a"),
        ({"@replace": {"pattern": ".", "replacement": "\\1", "value": "a.b"}}, {}, "a\\1b"),
        ({"@replace": {"pattern": ".", "value": None}}, {}, None),
        ({"@json": {"mode": "encode", "value": {"@path": "$.no"}}}, {}, MISSING),
        ({"@json": {"mode": "decode", "value": 7}}, {}, 7),
        ({"@flatten": {"value": 7, "separator": "."}}, {}, 7),
        ({"@flatten": {"value": {"a": [1], "b": {}}, "separator": ".", "omitArrays": True}}, {}, {"a": [1]}),
        ([{"@path": "$.no"}, 1], {}, {"1": 1}),
        ({"a": [{"@path": "$.no"}, 1]}, {}, {"a": [None, 1]}),
        ({"@arrayPath": [{"@path": "$.one"}, {"x": {"@path": "$.y"}}]}, {"one": {"y": 1}}, [{"x": 1}]),
        ({"@arrayPath": ["$.one", {"x": 1}]}, {"one": 3}, 3),
        ({"@merge": {"direction": "right", "objects": [{"@path": "$.no"}, {"a": 1}]}}, {}, {"a": 1}),
        ({"@excludeWhenNull": [None]}, {}, [None]),
        ({"@transform": {"apply": {"@path": "$.no"}, "mapping": {"@path": ""}}}, {}, {}),
    ],
)
def test_directives_do_what_their_words_say(mapping: Any, event: Any, output: Any) -> None:
    """Also where Segment's own tests do not look."""
    found = compile_mapping(mapping).value(event)
    assert found is MISSING if output is MISSING else found == output


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ({"@if": {"then": 1}}, '/@if should have field "exists" or "blank"'),
        ({"@json": {"mode": "both", "value": 1}}, "/@json/mode should be encode or decode."),
        ({"@merge": {"direction": "up", "objects": []}}, "/@merge/direction should be left or right."),
        ({"@liquid": "{{ a }}"}, "/ has an invalid directive: @liquid."),
        ({"__segment_internal_directive": 1}, "__segment_internal_directive should be a @transform."),
        ({"@replace": {"pattern": 7, "value": 1}}, "/@replace/pattern should be a string but it is a number."),
        ({"a": {"@arrayPath": []}}, "/a/@arrayPath/0 should be a string or a mapping directive but it is a null."),
    ],
)
def test_what_cannot_be_meant_is_refused(mapping: Any, says: str) -> None:
    """Before any row is read."""
    with pytest.raises(MappingError) as error:
        compile_mapping(mapping)
    assert says in str(error.value)


def test_a_mapping_without_end_is_refused() -> None:
    """As deep as nobody writes."""
    mapping: Any = 1
    for _ in range(MAX_DEPTH + 2):
        mapping = {"a": mapping}
    with pytest.raises(MappingError, match="should not be deeper"):
        compile_mapping(mapping)


@given(JSON, st.dictionaries(st.text(max_size=4), JSON, max_size=3))
@settings(max_examples=200)
def test_any_json_is_a_mapping_or_an_error(mapping: Any, event: Any) -> None:
    """And what is a mapping renders any event, whatever is in it."""
    for directive in (None, "@path", "@template", "@if", "@case", "@json", "@flatten", "@arrayPath", "@merge"):
        whole: Any = mapping if directive is None else {"x": {directive: mapping}}
        try:
            template = compile_mapping(whole)
        except MappingError:
            continue
        assert isinstance(template.render(event), dict)
