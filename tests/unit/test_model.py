"""Values: whom a request is about, events as they come, what is known of a profile, and posts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from personalize import Event, Post, Posts, Product, Products, Variant, Variants
from personalize.model import Collection, EventHistory, ExternalId, Section, SectionName, Snapshot, Traits, Visitor

DAY = datetime(2026, 11, 20, tzinfo=UTC)


def holding(value: object) -> Event:
    """Return an event whose property `it` has a value."""
    return Event("Viewed", DAY, {"it": value})


def post(url: str, *categories: str, day: int | None = None) -> Post:
    """Return a post, `day` days after the first."""
    published = None if day is None else DAY + timedelta(days=day)
    return Post(title=url, url=url, categories=categories, published_at=published)


def urls(posts: list[Post]) -> list[str]:
    return [one.url for one in posts]


class TestVisitor:
    @pytest.mark.parametrize(
        ("visitor", "collection", "ids"),
        [
            (Visitor(), "users", []),
            (Visitor(), "accounts", []),
            (Visitor(user_id="u1"), "users", ["user_id:u1"]),
            (Visitor(anonymous_id="a1"), "users", ["anonymous_id:a1"]),
            (Visitor(anonymous_id="a1", user_id="u1"), "users", ["user_id:u1", "anonymous_id:a1"]),
            (Visitor(user_id="u1", anonymous_id="a1"), "accounts", []),
            (Visitor(group_id="g1"), "accounts", ["group_id:g1"]),
            (Visitor(group_id="g1"), "users", []),
            (Visitor(user_id="u1", anonymous_id="a1", group_id="g1"), "accounts", ["group_id:g1"]),
        ],
    )
    def test_ids_are_asked_in_order_and_in_their_collection(
        self, visitor: Visitor, collection: Collection, ids: list[str]
    ) -> None:
        """The user before the anonymous visitor, and groups among the accounts only."""
        assert [str(one) for one in visitor.external_ids(collection)] == ids

    def test_an_external_id_is_a_type_and_a_value(self) -> None:
        """A colon in the value is the value's."""
        (external_id,) = Visitor(user_id="a:b").external_ids("users")
        assert external_id == ExternalId("user_id", "a:b")


class TestEvent:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("p1", "p1"),
            (17, "17"),
            (0, "0"),
            (10**30, "1" + 30 * "0"),
            ("", None),
            (None, None),
            (True, None),
            (1.5, None),
            (["p1"], None),
            ({"id": "p1"}, None),
        ],
    )
    def test_a_text_is_a_text_or_a_whole_number(self, value: object, text: str | None) -> None:
        """Anything else is none, and so is an empty text."""
        assert holding(value).text("it") == text

    @pytest.mark.parametrize(
        ("value", "number"),
        [
            (5, 5.0),
            (-1.5, -1.5),
            (0, 0.0),
            (True, None),
            ("5", None),
            (None, None),
            ([5], None),
            ({"value": 5}, None),
        ],
    )
    def test_a_number_is_a_number(self, value: object, number: float | None) -> None:
        """Neither a truth value nor a text that looks like one."""
        assert holding(value).number("it") == number

    @pytest.mark.parametrize("link", ["https://shop.example/p1", "http://shop.example", "HTTPS://SHOP.EXAMPLE/P1"])
    def test_a_link_is_http_or_https(self, link: str) -> None:
        """In any case, and as it came."""
        assert holding(link).link("it") == link

    @pytest.mark.parametrize(
        "value",
        [
            "javascript:alert(1)",
            " javascript:alert(1)//https://",
            "data:text/html,x",
            "//shop.example/p1",
            "/p1",
            "ftp://shop.example",
            "",
            None,
            5,
            ["https://shop.example"],
        ],
    )
    def test_nothing_else_is_a_link(self, value: object) -> None:
        """What a browser would run or guess is none."""
        assert holding(value).link("it") is None

    @pytest.mark.parametrize(
        ("value", "texts"),
        [
            ([{"id": "p1"}, {"id": "p2"}], ["p1", "p2"]),
            ([{"id": "p1"}, {"id": "p1"}], ["p1", "p1"]),
            ([{"id": 1}, {"id": None}, {"id": True}, {"sku": "p3"}, {}], ["1"]),
            ([None, "p1", 5, ["id"], {"id": "p4"}], ["p4"]),
            ([], []),
            ({"id": "p1"}, []),
            ("p1", []),
            (None, []),
        ],
    )
    def test_texts_are_one_member_of_each_object_of_a_list(self, value: object, texts: list[str]) -> None:
        """What is not such a member is left out, and no list gives none."""
        assert holding(value).texts("it", of="id") == texts

    def test_a_property_that_is_not_there_is_nothing(self) -> None:
        """As every reader says."""
        event = Event("Viewed", DAY)
        assert (event.text("it"), event.number("it"), event.link("it"), event.texts("it", of="id")) == (
            None,
            None,
            None,
            [],
        )


class TestSnapshot:
    @pytest.mark.parametrize(
        ("traits", "events", "found"),
        [
            (None, None, False),
            ({}, None, True),
            (None, (), True),
            ({"plan": "pro"}, (), True),
        ],
    )
    def test_a_profile_is_found_if_any_section_says_so(
        self, traits: dict[str, object] | None, events: tuple[Event, ...] | None, *, found: bool
    ) -> None:
        """An empty section is one of a profile that exists."""
        trait_section: Traits = Section(traits, ("plan",), 0.0)
        event_section: EventHistory = Section(events, ("Viewed",), 0.0)
        assert Snapshot({"traits": trait_section, "events": event_section}).found is found

    @pytest.mark.parametrize("failed", [frozenset[SectionName](), frozenset[SectionName]({"traits"})])
    def test_a_profile_of_which_nothing_was_read_is_not_found(self, failed: frozenset[SectionName]) -> None:
        """Whether for a failure or because nobody asked."""
        assert not Snapshot(failed=failed).found


class TestPosts:
    def test_posts_are_newest_first_and_undated_ones_last(self) -> None:
        """Whatever the order they came in."""
        posts = Posts([post("undated"), post("old", day=1), post("new", day=3), post("middle", day=2)])
        assert urls(posts.newest()) == ["new", "middle", "old", "undated"]

    def test_posts_of_one_date_keep_their_order(self) -> None:
        """And so do undated ones."""
        posts = Posts([post("u1"), post("b", day=1), post("u2"), post("a", day=1)])
        assert urls(posts.newest()) == ["b", "a", "u1", "u2"]

    def test_dates_are_compared_across_time_zones(self) -> None:
        """Noon in Berlin is before noon in New York."""
        berlin, new_york = (timezone(timedelta(hours=hours)) for hours in (1, -5))
        posts = Posts(
            Post(title=url, url=url, published_at=datetime(2026, 11, 20, 12, tzinfo=zone))
            for url, zone in (("berlin", berlin), ("new york", new_york))
        )
        assert urls(posts.newest()) == ["new york", "berlin"]

    def test_of_two_posts_with_one_url_the_first_stays(self) -> None:
        """Even if the second is newer or in another category."""
        first, second = post("same", "a", day=1), post("same", "b", day=2)
        posts = Posts([first, second])
        assert posts.newest() == [first]
        assert len(posts) == 1
        assert posts.in_category("b") == []

    @pytest.mark.parametrize(
        ("category", "asked"),
        [
            ("Data & Analytics", "Data & Analytics"),
            ("Data & Analytics", "data & analytics"),
            ("Data & Analytics", "DATA & ANALYTICS"),
            ("Data & Analytics", "  Data & Analytics "),
            ("Data & Analytics", "data-analytics"),
            ("Data & Analytics", "Data-Analytics"),
            ("data-analytics", "Data & Analytics"),
            ("Größe & Maß", "größe & maß"),
            ("Größe & Maß", "GRÖSSE & MASS"),
            ("Größe & Maß", "grose-mas"),
            ("Größe & Maß", "GROSE-MAS"),
            ("Crème", "creme"),
            ("Cre\N{COMBINING GRAVE ACCENT}me", "Crème"),
            ("日本", "日本"),
            ("C++", "c++"),
        ],
    )
    def test_a_category_is_found_by_name_or_slug_in_any_case(self, category: str, asked: str) -> None:
        """As traits hold either, and people write both."""
        assert urls(Posts([post("it", category), post("other", "Other")]).in_category(asked)) == ["it"]

    @pytest.mark.parametrize("asked", [None, "", "Gardening", "data", "analytics", "dataanalytics"])
    def test_an_unknown_category_has_no_posts(self, asked: str | None) -> None:
        """Neither has no category, nor a part of a name."""
        assert Posts([post("it", "Data & Analytics"), post("none")]).in_category(asked) == []

    def test_a_category_is_newest_first_and_has_a_post_once(self) -> None:
        """Though the post may name it by name and by slug."""
        posts = Posts([post("old", "News", day=1), post("new", "News", "news", "NEWS", day=2)])
        assert urls(posts.in_category("news")) == ["new", "old"]

    def test_a_recipe_may_change_the_lists_that_it_gets(self) -> None:
        """The next visitor's are whole."""
        posts = Posts([post("it", "News")])
        posts.newest().clear()
        posts.in_category("News").clear()
        assert urls(posts.newest()) == urls(posts.in_category("News")) == ["it"]

    def test_there_may_be_no_posts(self) -> None:
        """As before the first load."""
        assert (len(Posts()), Posts().newest(), Posts().in_category("News")) == (0, [], [])


def test_a_blogs_own_slugs_count_too() -> None:
    """A slug need not follow from the name; a name that is written like one counts first."""
    posts = Posts([post("it", "Data & Analytics"), post("figures", "Figures")], slugs={"Numbers": "Data & Analytics"})
    assert urls(posts.in_category("numbers")) == urls(posts.in_category("data-analytics")) == ["it"]
    renamed = Posts([post("it", "News"), post("other", "Old news")], slugs={"news": "Old news"})
    assert urls(renamed.in_category("news")) == ["it"]


class TestProducts:
    MUG = Product(product_id="1", name="Mug", category="Kitchen > Mugs & cups")
    PAN = Product(product_id="2", name="Pan", category="Kitchen")
    TEA = Product(product_id="3", name="Tea")

    def test_products_keep_the_catalogues_order(self) -> None:
        """Of two with one id the first stays."""
        products = Products([self.TEA, self.MUG, Product(product_id="3", name="Other"), self.PAN])
        assert products.newest() == [self.TEA, self.MUG, self.PAN]
        assert len(products) == 3

    def test_a_product_is_found_by_its_id(self) -> None:
        """Exactly as it is written."""
        products = Products([self.MUG, Product(product_id="Ab")])
        assert products.get("1") == self.MUG
        assert [products.get(one) for one in ("ab", "01", "", None)] == [None] * 4

    @pytest.mark.parametrize(
        ("category", "found"),
        [
            ("Kitchen", ["Mug", "Pan"]),
            ("kitchen > mugs & cups", ["Mug"]),
            ("Mugs & Cups", ["Mug"]),
            ("mugs-cups", ["Mug"]),
            ("kitchen-mugs-cups", ["Mug"]),
            ("Cups", []),
            ("", []),
            (None, []),
        ],
    )
    def test_a_category_is_found_by_name_or_slug(self, category: str | None, found: list[str]) -> None:
        """A path as shops write it is also each of its steps."""
        assert [one.name for one in Products([self.MUG, self.TEA, self.PAN]).in_category(category)] == found

    def test_a_recipe_may_change_the_lists_that_it_gets(self) -> None:
        """The next visitor's are whole."""
        products = Products([self.PAN])
        products.newest().clear()
        products.in_category("Kitchen").clear()
        assert products.newest() == products.in_category("Kitchen") == [self.PAN]

    def test_there_may_be_no_products(self) -> None:
        """As before the first load."""
        assert (len(Products()), Products().newest(), Products().get("1")) == (0, [], None)


def test_a_name_is_looked_for_before_a_slug() -> None:
    """`C` is a category of its own beside `C++`, though their slugs are one."""
    posts = Posts(
        [
            Post(title="++", url="https://x.test/1", categories=("C++",)),
            Post(title="c", url="https://x.test/2", categories=("C",)),
        ]
    )
    assert [post.title for post in posts.in_category("C")] == ["c"]


@pytest.mark.parametrize("category", ["", " ", "!!!", "&"])
def test_what_has_no_slug_matches_nothing(category: str) -> None:
    """A category that is only marks is found by its name alone."""
    posts = Posts([Post(title="marks", url="https://x.test/1", categories=("?",))])
    assert posts.in_category(category) == []
    assert len(posts.in_category("?")) == 1


def test_a_number_without_end_is_none() -> None:
    """JSON has such, floats do not."""
    assert Event("Viewed", datetime(2026, 11, 20, tzinfo=UTC), {"price": 10**400}).number("price") is None


class TestVariants:
    GOLD = Variant("gold", {"text": "Hello again"}, audience="gold")
    ALL = Variant("all", {"text": "Hi"})
    LATE = Variant("late", {"text": "Never"}, audience="gold")

    @pytest.mark.parametrize(
        ("audiences", "name"), [([], "all"), (["silver"], "all"), (["silver", "gold"], "gold"), (("gold",), "gold")]
    )
    def test_the_first_one_that_fits_is_seen(self, audiences: Sequence[str], name: str) -> None:
        """What is after one for everybody is never seen."""
        seen = Variants([self.GOLD, self.ALL, self.LATE]).of(audiences)
        assert seen is not None
        assert seen.name == name

    def test_there_may_be_nothing_for_somebody(self) -> None:
        """Nor anything at all."""
        assert Variants([self.GOLD]).of([]) is None
        assert (Variants().of(["gold"]), len(Variants()), len(Variants([self.GOLD]))) == (None, 0, 1)

    def test_what_all_visitors_share_cannot_be_changed(self) -> None:
        """However deep, and whatever becomes of what it was made of."""
        made_of: dict[str, Any] = {"links": [{"url": "https://shop.example.com/"}]}
        content = Variant("all", made_of).content
        made_of["links"].append("new")
        assert content == {"links": ({"url": "https://shop.example.com/"},)}
        mappings: list[Any] = [content, content["links"][0]]
        for mapping in mappings:
            with pytest.raises(TypeError):
                mapping["new"] = 1
