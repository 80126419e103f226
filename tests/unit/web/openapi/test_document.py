"""The API described from what is loaded: valid, whole, and as the recipes say."""

from pathlib import Path
from typing import Any

import msgspec
import openapi_spec_validator
import pytest

from personalize import registry
from personalize.trust.ids import IdRules
from personalize.web.openapi import document
from tests.documents import ROOT

KINDS = str(ROOT / "tests/data/recipes/kinds.py")


def described(*sources: str, rules: IdRules | None = None) -> dict[str, Any]:
    """Return a document as it is sent."""
    told = document(registry.load(sources), rules or IdRules())
    sent: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(told))
    openapi_spec_validator.validate(sent)
    return sent


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    """Return the document of recipes with every kind of parameter and answer."""
    return described(KINDS)


def of(api: dict[str, Any], recipe: str) -> dict[str, Any]:
    """Return the operation of a recipe."""
    operation: dict[str, Any] = api["paths"][f"/api/{recipe}"]["get"]
    return operation


def parameters(api: dict[str, Any], recipe: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in of(api, recipe)["parameters"]}


def answer(api: dict[str, Any], recipe: str) -> dict[str, Any]:
    """Return the schema of what a recipe answers as JSON."""
    schema: dict[str, Any] = of(api, recipe)["responses"]["200"]["content"]["application/json"]["schema"]
    return schema


def test_every_route_has_one_path(api: dict[str, Any]) -> None:
    """Each recipe its own, and no template stands for all."""
    operator = ["/livez", "/readyz", "/status", "/metrics"]
    asked = ["/api/kinds", "/api/plan", "/api/shapes", "/api/personalize"]
    assert [*api["paths"]] == [*asked, "/api/profiles", *operator]
    operations = [one["operationId"] for item in api["paths"].values() for one in item.values()]
    assert len(operations) == len(set(operations))


def test_metrics_of_another_port_are_not_described() -> None:
    """Here they are not found."""
    elsewhere = document(registry.load([KINDS]), IdRules(), metrics=False)
    assert "/metrics" not in elsewhere["paths"]
    assert "/status" in elsewhere["paths"]


def test_the_shipped_recipes_are_described() -> None:
    """Posts with a time that is one, and a fragment for who asks for markup."""
    api = described("shipped")
    assert answer(api, "recommended-posts")["properties"]["data"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Post"},
    }
    moments = api["components"]["schemas"]["Post"]["properties"]["published_at"]["anyOf"]
    assert moments == [{"type": "string", "format": "date-time"}, {"type": "null"}]
    assert [*of(api, "recommended-posts")["responses"]["200"]["content"]] == ["application/json", "text/html"]


def test_a_docstring_says_what_a_recipe_does(api: dict[str, Any]) -> None:
    """Its first line in a list, the rest where there is room, and who may ask."""
    kinds = of(api, "kinds")
    assert kinds["summary"] == "Say back what was asked"
    assert kinds["description"] == "It is of no use but to be described.\n\nAnybody may ask."


def test_parameters_have_their_types_bounds_and_defaults(api: dict[str, Any]) -> None:
    """As the recipe declares them; what has no default has to be told."""
    told = parameters(api, "kinds")
    word = {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]*$"}
    assert told["word"] == {
        "name": "word",
        "in": "query",
        "required": True,
        "schema": word,
        "description": "A short word.",
    }
    assert told["on"]["schema"] == {"type": "boolean", "default": False}
    assert told["ratio"]["schema"] == {"type": "number", "minimum": 0.0, "maximum": 1.0, "default": 0.5}
    assert told["size"]["schema"] == {"enum": ["large", "small"], "default": "small"}
    assert told["many"]["schema"] == {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}
    assert "first_name" not in told
    assert [name for name, one in told.items() if one["required"]] == ["word"]


@pytest.mark.parametrize(
    ("rules", "recipe", "ids"),
    [
        (IdRules(), "kinds", ["user_id", "anonymous_id"]),
        (IdRules(frozenset({"loyalty"})), "kinds", ["user_id", "anonymous_id", "external_id"]),
        (IdRules(pii=True), "shapes", ["user_id", "anonymous_id", "external_id"]),
        (IdRules(frozenset({"loyalty"})), "plan", ["group_id"]),
    ],
)
def test_a_recipe_is_asked_about_whom_its_collection_holds(rules: IdRules, recipe: str, ids: list[str]) -> None:
    """By an id of another type only where there is one, and an account by the one id that it has."""
    told = parameters(described(KINDS, rules=rules), recipe)
    assert [name for name in told if name.endswith("_id")] == ids
    assert [told[name]["required"] for name in ids] == [name == "group_id" for name in ids]


def test_ids_of_other_types_name_them() -> None:
    """The built-in types are among them: they may be written so as well."""
    told = parameters(described(KINDS, rules=IdRules(frozenset({"loyalty"}))), "kinds")["external_id"]
    assert told["schema"]["pattern"].startswith("^((anonymous_id|group_id|loyalty|user_id):[^")


@pytest.mark.parametrize(
    ("recipe", "security", "problems"),
    [
        ("kinds", [{}, {"apiKey": []}], ["400", "401", "429", "500", "default"]),
        ("shapes", [{}, {"identityToken": []}, {"apiKey": []}], ["400", "401", "403", "429", "500", "default"]),
        ("plan", [{"apiKey": []}], ["400", "401", "403", "429", "500", "default"]),
    ],
)
def test_access_is_security(api: dict[str, Any], recipe: str, security: object, problems: list[str]) -> None:
    """Public and verified recipes may be asked without a key, the others may not."""
    asked = of(api, recipe)
    assert asked["security"] == security
    assert [*asked["responses"]] == ["200", "304", *problems]


def test_the_bearer_scheme_carries_a_key_or_a_token(api: dict[str, Any]) -> None:
    """Both are described, and a page takes either or none."""
    schemes = api["components"]["securitySchemes"]
    assert {name: (one["type"], one["scheme"]) for name, one in schemes.items()} == {
        "apiKey": ("http", "bearer"),
        "identityToken": ("http", "bearer"),
    }
    assert schemes["identityToken"]["bearerFormat"] == "JWT"
    for operation in api["paths"]["/api/personalize"].values():
        assert operation["security"] == [{}, {"identityToken": []}, {"apiKey": []}]


def test_an_account_that_is_not_public_is_for_servers(tmp_path: Path) -> None:
    """No visitor can prove to be one."""
    file = tmp_path / "own.py"
    file.write_text(
        'from personalize import recipe\n\n@recipe("own", collection="accounts")\ndef own() -> int:\n    return 1\n'
    )
    api = described(str(file))
    assert of(api, "own")["security"] == [{"apiKey": []}]
    assert of(api, "own")["summary"] == "own"
    assert "example" not in api["paths"]["/api/personalize"]["get"]["parameters"][0]


def test_answers_are_described_by_their_types(api: dict[str, Any]) -> None:
    """Classes of any kind, generic ones and free JSON."""
    assert answer(api, "kinds")["properties"]["recipe"] == {"const": "kinds"}
    assert answer(api, "kinds")["properties"]["data"] == {
        "type": "object",
        "additionalProperties": {"description": "Any JSON value."},
    }
    shapes = api["components"]["schemas"]["shapes.Shapes"]["properties"]
    assert shapes["pairs"] == {"type": "array", "items": {"$ref": "#/components/schemas/shapes.Pair_int_"}}
    assert shapes["data"] == {"description": "Any JSON value.", "default": None}


def test_a_class_with_a_name_of_ours_is_another(api: dict[str, Any]) -> None:
    """A recipe's `Problem` is its own."""
    schemas = api["components"]["schemas"]
    assert "request_id" in schemas["Problem"]["properties"]
    assert [*schemas["shapes.Problem"]["properties"]] == ["note"]


def test_a_recipe_may_have_the_name_of_a_route(tmp_path: Path) -> None:
    """Both are described, by operations of different names."""
    (tmp_path / "own.py").write_text(
        "from personalize import recipe\n\n\n@recipe('metrics')\ndef metrics() -> int:\n    return 1\n"
    )
    api = described(str(tmp_path))
    assert of(api, "metrics")["operationId"] != api["paths"]["/metrics"]["get"]["operationId"]


def test_recipes_may_have_classes_of_one_name(tmp_path: Path) -> None:
    """Also as the argument of a generic class that they share, which msgspec names by that alone."""
    (tmp_path / "shared_by_recipes.py").write_text(
        "from typing import Generic, TypeVar\nfrom msgspec import Struct\nT = TypeVar('T')\n\n"
        "class Box(Struct, Generic[T]):\n    content: T\n"
    )
    for name, kind in [("one", "int"), ("two", "str"), ("three", "int")]:
        (tmp_path / f"{name}.py").write_text(
            "from msgspec import Struct\nfrom personalize import recipe\nfrom shared_by_recipes import Box\n\n"
            f"class Item(Struct):\n    value: {kind}\n\n"
            f'@recipe("{name}", access="public")\ndef {name}() -> Box[Item]:\n    """Say."""\n    return Box(Item(1))\n'
        )
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(tmp_path))
        api = described(*(str(tmp_path / f"{name}.py") for name in ("one", "two", "three")))
    assert {name: answer(api, name)["properties"]["data"]["$ref"] for name in ("one", "two", "three")} == {
        "one": "#/components/schemas/Box_Item_",
        "three": "#/components/schemas/Box_Item_",
        "two": "#/components/schemas/two.Box_Item_",
    }


def test_a_page_answers_what_its_recipes_answer(api: dict[str, Any]) -> None:
    """A result is answered or not, and what is answered is one of what recipes answer."""
    page = api["paths"]["/api/personalize"]
    schemas = [page[method]["responses"]["200"]["content"]["application/json"]["schema"] for method in ("get", "post")]
    assert schemas[0] == schemas[1]
    answered, refused = schemas[0]["properties"]["results"]["additionalProperties"]["oneOf"]
    data = [answer(api, name)["properties"]["data"] for name in ("kinds", "plan", "shapes")]
    assert answered["properties"]["data"] == {"anyOf": data}
    assert refused["properties"]["error"]["required"] == ["status", "code", "detail"]


def test_a_page_asks_what_its_recipes_may_be_asked(api: dict[str, Any]) -> None:
    """In a body each recipe has its own parameters, and ids are those of all collections."""
    page = api["paths"]["/api/personalize"]
    body = page["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert [*body["properties"]] == ["user_id", "anonymous_id", "group_id", "timeout_ms", "recipes"]
    entries = {one["title"]: one for one in body["properties"]["recipes"]["items"]["oneOf"]}
    assert [*entries] == ["kinds", "plan", "shapes", "Another recipe"]
    assert entries["kinds"]["required"] == ["name", "params"]
    assert entries["kinds"]["properties"]["params"]["required"] == ["word"]
    assert entries["shapes"]["required"] == ["name"]
    names, *rest = page["get"]["parameters"]
    assert (names["name"], names["explode"], names["example"]) == ("recipes", False, ["shapes"])
    assert [one["name"] for one in rest] == ["user_id", "anonymous_id", "group_id", "timeout_ms"]


def test_problems_are_those_of_the_exception_tree(api: dict[str, Any]) -> None:
    """Each with its code, and one description for all that is left."""
    responses = api["components"]["responses"]
    assert responses["BadParameter"]["description"].startswith("`invalid_parameter`: A parameter is missing")
    assert [*responses["BadCredentials"]["headers"]] == ["X-Request-Id", "Cache-Control", "WWW-Authenticate"]
    assert responses["Problem"]["content"] == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }


def test_two_recipes_of_one_type_are_one_alternative(tmp_path: Path) -> None:
    """A page's data is described by what differs."""
    file = tmp_path / "own.py"
    file.write_text(
        "from personalize import recipe\n\n"
        '@recipe("one")\ndef one() -> int:\n    return 1\n\n'
        '@recipe("two")\ndef two() -> int:\n    return 2\n'
    )
    page = described(str(file))["paths"]["/api/personalize"]["get"]["responses"]["200"]["content"]["application/json"]
    answered, _ = page["schema"]["properties"]["results"]["additionalProperties"]["oneOf"]
    assert answered["properties"]["data"] == {"anyOf": [{"type": "integer"}]}
