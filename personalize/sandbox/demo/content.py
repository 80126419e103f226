"""What the demo site shows: posts and products, read once from the data beside this file."""

import tomllib
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import msgspec

SITE_NAME = "Example & Co"


class Post(msgspec.Struct, frozen=True):
    """A blog post. `body` is plain text; an empty line separates paragraphs."""

    slug: str
    title: str
    published: datetime
    category: str
    excerpt: str
    body: str

    @property
    def path(self) -> str:
        """Return where the post is, from the site's root."""
        return f"/blog/{self.slug}"

    def viewed(self, base_url: str) -> dict[str, Any]:
        """Return the properties of a `Post Viewed` event."""
        return {"title": self.title, "url": base_url + self.path, "slug": self.slug, "category": self.category}


class Product(msgspec.Struct, frozen=True):
    """A product of the shop. `price` is in euros."""

    product_id: str
    name: str
    price: float
    category: str
    description: str

    @property
    def path(self) -> str:
        """Return where the product is, from the site's root."""
        return f"/shop/{self.product_id}"

    @property
    def image_path(self) -> str:
        """Return where the product's picture is, from the site's root."""
        return f"/shop/images/{self.product_id}.svg"

    def viewed(self, base_url: str) -> dict[str, Any]:
        """Return the properties of a `Product Viewed` event, as Segment's ecommerce specification names them."""
        return {
            "product_id": self.product_id,
            "name": self.name,
            "url": base_url + self.path,
            "image_url": base_url + self.image_path,
            "price": self.price,
            "category": self.category,
        }


class Content(msgspec.Struct, frozen=True):
    """All posts by slug, newest first, and all products by product id."""

    posts: Mapping[str, Post]
    products: Mapping[str, Product]


def load() -> Content:
    """Return the demo site's content."""
    posts = [msgspec.convert({"slug": slug, **fields}, Post) for slug, fields in _tables("posts.toml")]
    products = [msgspec.convert({"product_id": name, **fields}, Product) for name, fields in _tables("products.toml")]
    newest_first = sorted(posts, key=lambda post: post.published, reverse=True)
    return Content(
        MappingProxyType({post.slug: post for post in newest_first}),
        MappingProxyType({product.product_id: product for product in products}),
    )


def _tables(name: str) -> list[tuple[str, dict[str, Any]]]:
    text = files(__package__).joinpath("data", name).read_text(encoding="utf-8")
    return list(tomllib.loads(text).items())
