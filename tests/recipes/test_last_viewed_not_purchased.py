"""The products that the visitor looked at last and did not buy."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from personalize import Event, Product, Products
from personalize.registry import load

last_viewed_not_purchased = load(["shipped"])["last-viewed-not-purchased"]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def view(minutes_ago: int, product_id: object, **properties: object) -> Event:
    """Return a `Product Viewed` of some minutes ago."""
    when = NOON - timedelta(minutes=minutes_ago)
    return Event("Product Viewed", when, {"product_id": product_id, **properties})


def order(products: object) -> Event:
    """Return an `Order Completed` with whatever the shop sent as its products."""
    return Event("Order Completed", NOON, {"products": products})


def ids(products: list[Product]) -> list[str]:
    return [product.product_id for product in products]


def test_nothing_viewed_is_nothing_shown() -> None:
    """As for a visitor nobody knows."""
    assert last_viewed_not_purchased() == []


def test_products_are_newest_first_and_each_once() -> None:
    """At its last view."""
    views = (view(1, "b"), view(2, "a"), view(3, "b"), view(4, "c"))
    products = last_viewed_not_purchased(views)
    assert ids(products) == ["b", "a", "c"]
    assert products[0].last_viewed_at == NOON - timedelta(minutes=1)


def test_a_product_is_as_its_last_view_tells() -> None:
    """The newer name and price win."""
    views = (view(1, "a", name="New", price=9), view(2, "a", name="Old", price=12, category="Shoes"))
    assert last_viewed_not_purchased(views) == [
        Product(product_id="a", name="New", price=9.0, last_viewed_at=NOON - timedelta(minutes=1))
    ]


def test_what_was_bought_is_left_out() -> None:
    """By any order, before or after the view."""
    views = tuple(view(at, product_id) for at, product_id in enumerate("abcd"))
    orders = (order([{"product_id": "a"}, {"product_id": "c"}]), order([{"product_id": "d"}]))
    assert ids(last_viewed_not_purchased(views, orders)) == ["b"]


@pytest.mark.parametrize(("limit", "shown"), [(1, ["a"]), (3, ["a", "b", "c"]), (20, list("abcdefg"))])
def test_products_are_at_most_as_many_as_the_limit(limit: int, shown: list[str]) -> None:
    """Of those not bought."""
    views = (view(0, "bought"), *(view(at, product_id) for at, product_id in enumerate("abcdefg", 1)))
    assert ids(last_viewed_not_purchased(views, (order([{"product_id": "bought"}]),), limit=limit)) == shown


def test_products_are_five_unless_said_otherwise() -> None:
    """The last five."""
    assert ids(last_viewed_not_purchased(tuple(view(at, product_id) for at, product_id in enumerate("abcdefg")))) == [
        *"abcde"
    ]


@pytest.mark.parametrize(("viewed", "ordered"), [(17, 17), (17, "17"), ("17", 17)])
def test_a_numeric_product_id_is_the_text_of_it(viewed: object, ordered: object) -> None:
    """A shop may send a number here and a text there."""
    assert ids(last_viewed_not_purchased((view(1, viewed),))) == ["17"]
    assert last_viewed_not_purchased((view(1, viewed),), (order([{"product_id": ordered}]),)) == []


@pytest.mark.parametrize("product_id", [None, "", True, 1.5, ["a"], {"id": "a"}])
def test_a_view_without_a_product_id_is_left_out(product_id: object) -> None:
    """The others stay."""
    views = (view(1, product_id), Event("Product Viewed", NOON), view(2, "a"))
    assert ids(last_viewed_not_purchased(views)) == ["a"]


@pytest.mark.parametrize("products", [None, "a", 5, {}, {"product_id": "a"}, [], [None, "a", 5, {}, {"sku": "a"}]])
def test_a_malformed_order_bought_nothing(products: object) -> None:
    """And spoils no other order."""
    views = (view(1, "a"), view(2, "b"))
    assert ids(last_viewed_not_purchased(views, (order(products), order([{"product_id": "b"}])))) == ["a"]


def test_an_order_without_products_bought_nothing() -> None:
    """Not even an empty list of them."""
    assert ids(last_viewed_not_purchased((view(1, "a"),), (Event("Order Completed", NOON),))) == ["a"]


def test_a_product_has_what_the_view_tells() -> None:
    """Under our names for it."""
    told = view(
        0,
        "a",
        name="Shoe",
        url="https://shop.example/a",
        image_url="https://shop.example/a.png",
        price=49.5,
        category="Shoes",
    )
    assert last_viewed_not_purchased((told,)) == [
        Product(
            product_id="a",
            name="Shoe",
            url="https://shop.example/a",
            image="https://shop.example/a.png",
            price=49.5,
            category="Shoes",
            last_viewed_at=NOON,
        )
    ]


def test_what_a_view_tells_wrongly_is_unknown() -> None:
    """A link that would run a script above all."""
    told = view(
        0, "a", name=["Shoe"], url="javascript:alert(1)", image_url="data:image/png,x", price="49.50", category=None
    )
    assert last_viewed_not_purchased((told,)) == [Product(product_id="a", last_viewed_at=NOON)]


def test_only_the_visitor_may_ask() -> None:
    """It tells what a person looked at."""
    assert last_viewed_not_purchased.access == "verified"
    assert last_viewed_not_purchased.sections == {"events"}


LISTED = Product(
    product_id="a",
    name="Listed",
    url="https://shop.example.com/a",
    image="https://cdn.example.com/a.png",
    price=0.0,
    category="Shoes",
)
SEEN = {
    "name": "Seen",
    "url": "https://shop.example.com/seen",
    "image_url": "https://cdn.example.com/seen.png",
    "price": 12,
    "category": "Sale",
}


def test_the_catalogue_counts_before_what_was_seen() -> None:
    """A name, price or picture that has changed since is shown as it is today."""
    [product] = last_viewed_not_purchased((view(1, "a", **SEEN),), products=Products([LISTED]))
    assert product == msgspec.structs.replace(LISTED, last_viewed_at=NOON - timedelta(minutes=1))


def test_what_was_seen_fills_the_catalogues_gaps() -> None:
    """Member by member."""
    products = Products([Product(product_id="a", name="Listed")])
    [product] = last_viewed_not_purchased((view(1, "a", **SEEN),), products=products)
    assert (product.name, product.url, product.image) == ("Listed", SEEN["url"], SEEN["image_url"])
    assert (product.price, product.category) == (12.0, "Sale")


def test_a_product_that_no_catalogue_lists_stays() -> None:
    """As it was seen; which of several views counts is no catalogue's business."""
    views = (view(1, "b", **SEEN), view(2, "a"))
    products = last_viewed_not_purchased(views, products=Products([LISTED]))
    assert [one.name for one in products] == ["Seen", "Listed"]
