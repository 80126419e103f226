"""The products that the visitor looked at last and did not buy.

Reads Segment's ecommerce events, `Product Viewed` and `Order Completed`, and the shop's catalogue if there is one: what
that says of a product today counts before what was seen, which fills the gaps.
"""

from datetime import timedelta
from typing import Annotated

from personalize import Event, Events, Items, Param, Product, Products, recipe


@recipe("last-viewed-not-purchased", access="verified", ttl=timedelta(minutes=1))
def last_viewed_not_purchased(
    views: Annotated[tuple[Event, ...], Events("Product Viewed")] = (),
    orders: Annotated[tuple[Event, ...], Events("Order Completed")] = (),
    products: Annotated[Products, Items("products")] = Products(),
    limit: Annotated[int, Param(ge=1, le=20)] = 5,
) -> list[Product]:
    """Return the last distinct products viewed that no order within reach contains, newest first."""
    bought = {product_id for order in orders for product_id in order.texts("products", of="product_id")}
    newest: dict[str, Product] = {}
    for view in views:
        product_id = view.text("product_id")
        if product_id is not None and product_id not in bought:
            newest.setdefault(product_id, _viewed(product_id, view, products.get(product_id)))
    return list(newest.values())[:limit]


def _viewed(product_id: str, view: Event, listed: Product | None) -> Product:
    today = listed or Product(product_id=product_id)
    return Product(
        product_id=product_id,
        name=today.name or view.text("name"),
        url=today.url or view.link("url"),
        image=today.image or view.link("image_url"),
        price=view.number("price") if today.price is None else today.price,
        category=today.category or view.text("category"),
        last_viewed_at=view.timestamp,
    )
