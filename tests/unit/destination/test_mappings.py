"""A file of mappings: what it says, and everything that may be wrong with it, with its line."""

import re
from importlib import resources
from pathlib import Path

import pytest

from personalize.destination import mappings
from personalize.destination.lines import Lines
from personalize.errors import MappingError

GOOD = """\
name = "From the warehouse"
endpoint_region = "europe"

[models.people]
file = "people.csv"
key = ["user_id"]

[models.orders]
query = "SELECT 1"

[[mappings]]
name = "People"
model = "people"
action = "identify"
[mappings.fields]
user_id = { "@path" = "$.user_id" }

[[mappings]]
name = "Orders"
model = "orders"
action = "track"
enabled = false
fields = { event_name = "Order Completed" }
"""


NO_PLAN = "there is no `plan`: write type, event, name, userId, or properties.…, traits.…, context.… with a name."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mappings.toml"


def read(file: Path, text: str) -> mappings.Destination:
    file.write_text(text, encoding="utf-8")
    return mappings.read(file)


def problems(file: Path, text: str) -> list[str]:
    with pytest.raises(MappingError) as error:
        read(file, text)
    return [problem.replace(str(file), "F") for problem in error.value.problems]


def test_a_file_says_where_rows_come_from_and_go(file: Path) -> None:
    """Files lie beside it; what is not enabled is counted; a usual trigger is the action's own."""
    found = read(file, GOOD)
    assert (found.name, found.url) == ("From the warehouse", "https://events.eu1.segmentapis.com/v1")
    assert found.models["people"] == mappings.Model("people", file.parent / "people.csv", None, ("user_id",))
    assert found.models["orders"] == mappings.Model("orders", None, "SELECT 1", ())
    [mapping] = found.mappings
    assert (mapping.name, mapping.model, mapping.action.name, found.disabled) == ("People", "people", "identify", 1)
    assert mapping.trigger is not None
    assert mapping.trigger.matches({"type": "identify"})
    assert mapping.template.render({"user_id": 7}) == {"user_id": 7}


def test_the_file_to_begin_with_is_one(file: Path) -> None:
    """As it is, and with what it leaves out as comments."""
    text = (resources.files("personalize.destination") / "starter.toml").read_text(encoding="utf-8")
    assert len(read(file, text).mappings) == 1
    commented = r"^# (?=\[|(query|key|name|model|action|user_id|event_name|timestamp|properties) = )"
    whole = read(file, re.sub(commented, "", text, flags=re.MULTILINE))
    assert [(one.name, one.action.name) for one in whole.mappings] == [("People", "identify"), ("Orders", "track")]


def test_everything_that_is_wrong_is_told_at_once(file: Path) -> None:
    """Each with its line, and what may have been meant."""
    text = """\
nme = "x"
endpoint_region = "mars"

[models.people]
file = "a.csv"
query = "SELECT 1"
key = "user_id"

[[mappings]]
name = "One"
model = "peple"
action = "identfy"
enabled = "yes"
trigger = 'plan = 1'
[mappings.fields]
user_id = { "@pth" = "$.user_id" }

[[mappings]]
name = "One"
model = "people"
action = "track"
[mappings.fields]
evnt_name = "x"
[mappings.fields.properties]
plan = { "@case" = 1 }

[[mappings]]
action = 7
"""
    assert problems(file, text) == [
        "F:1: there is no `nme` here: did you mean `name`?",
        f"F:2: {mappings.NO_REGION} It is one of north_america, europe.",
        "F:4: the model `people` needs either a `file` or a `query`.",
        "F:7: `key` has to be a list of columns.",
        "F:11: there is no model `peple`: did you mean `people`?",
        "F:12: there is no action `identfy`: did you mean `identify`?",
        "F:13: `enabled` has to be true or false.",
        f"F:14: the trigger is wrong at character 1: {NO_PLAN}",
        "F:16: in the fields, /user_id has an invalid directive: @pth.",
        "F:19: there is a mapping `One` already: what was sent goes by it.",
        "F:22: the field `event_name` is required for Send Track.",
        "F:23: there is no `evnt_name` here: did you mean `event_name`?",
        "F:25: in the fields, /properties/plan/@case should be an object but it is a number.",
        "F:27: `model` is missing.",
        "F:27: `name` is missing.",
        "F:27: there are no fields: write them under [mappings.fields].",
        "F:28: `action` has to be a text.",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = \n", "F: Invalid value (at line 1, column 8)."),
        ('name = "x"', "F:1: there is no model: write one under [models.people]."),
        ('name = "x"', "F:1: there is no mapping: write one under [[mappings]]."),
        (GOOD + GOOD[GOOD.index("[[mappings]]") :] * 25, "F:1: there are 52 mappings; a destination has 50 at most."),
        (GOOD.replace('name = "From the warehouse"', "name = 7"), "F:1: `name` has to be a text."),
        ('mappings = ["x"]', "F:1: a mapping is a table: write it under [[mappings]]."),
        ("[models]\npeople = 1", "F:2: `people` has to be a table: write it under [models.people]."),
        ('endpoint_region = ["x"]', f"F:1: {mappings.NO_REGION} It is one of north_america, europe."),
        (
            GOOD.replace('{ "@path" = "$.user_id" }', "2026-01-02"),
            "F:16: in the fields, /user_id should be in quotes: TOML's own dates and times are none of JSON.",
        ),
    ],
)
def test_what_is_no_file_of_mappings_says_so(file: Path, text: str, says: str) -> None:
    """In a sentence."""
    assert says in problems(file, text)


def test_a_file_that_cannot_be_read_says_why(file: Path) -> None:
    """It is not there, or no text."""
    with pytest.raises(MappingError, match="No such file"):
        mappings.read(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(MappingError, match="it is not text"):
        mappings.read(file)


def test_lines_are_those_of_tables_and_members() -> None:
    """Of quoted and dotted names too; what is nowhere is at what is around it."""
    lines = Lines('a = 1\n\n[b."c d"]\n"@e" = 2\nf.g = 3\n[[h]]\n[[h]]\n[h.i]\nj = 4\n')
    assert [
        lines.at(place)
        for place in (
            ("a",),
            ("b", "c d", "@e"),
            ("b", "c d", "f", "g"),
            ("h", 1),
            ("h", 1, "i", "j"),
            ("h", 1, "k"),
            ("z",),
        )
    ] == [1, 4, 5, 7, 9, 7, 1]
