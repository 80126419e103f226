"""The demo site's pages, as HTML."""

import msgspec

from personalize.sandbox.demo.content import SITE_NAME, Content, Post, Product
from personalize.sandbox.demo.markup import Markup, Templates, joined

POSTS, PRODUCTS = 3, 4
"""How many a box has."""


class Pages:
    """Renders every page of the demo site.

    Args:
        content: what there is to show.
        templates: what it is shown with.
        service_url: where personalize.js is, and what it asks.
        write_key: what the pages' script tracks with; like any write key in a page, it is public.
    """

    def __init__(self, content: Content, templates: Templates, *, service_url: str, write_key: str) -> None:
        self._content = content
        self._render = templates.render
        self._service_url = service_url
        self._write_key = write_key

    def home(self) -> str:
        """Return the front page: what is recommended, what was viewed, and the newest posts."""
        main = self._render(
            "home.html",
            recommended=self._recommended(),
            viewed=self._viewed(),
            posts=joined(self._post_card(post) for post in self._content.posts.values()),
        )
        return self._page("A demo of personalization", main)

    def post(self, post: Post, base_url: str) -> str:
        """Return a post's page. Its script tracks that it was viewed."""
        main = self._render(
            "post.html",
            properties=_json(post.viewed(base_url)),
            title=post.title,
            category=post.category,
            published=_date(post),
            machine_date=post.published.date().isoformat(),
            excerpt=post.excerpt,
            paragraphs=joined(self._render("paragraph.html", text=text) for text in post.body.strip().split("\n\n")),
            recommended=self._recommended(base_url + post.path),
        )
        return self._page(post.title, main)

    def shop(self) -> str:
        """Return the page of all products."""
        cards = joined(self._product_card(product) for product in self._content.products.values())
        return self._page("Shop", self._render("shop.html", products=cards, viewed=self._viewed()))

    def product(self, product: Product, base_url: str) -> str:
        """Return a product's page. Its script tracks that it was viewed, and that it was bought."""
        main = self._render(
            "product.html",
            properties=_json(product.viewed(base_url)),
            name=product.name,
            image=product.image_path,
            category=product.category,
            description=product.description,
            price=f"{product.price:.2f}",
            viewed=self._viewed(),
        )
        return self._page(product.name, main)

    def lost(self) -> str:
        """Return the page for what is not there."""
        return self._page("Not found", self._render("lost.html"))

    def _page(self, title: str, main: Markup) -> str:
        return self._render(
            "layout.html",
            title=f"{title} · {SITE_NAME}",
            site=SITE_NAME,
            service_url=self._service_url,
            write_key=self._write_key,
            main=main,
        )

    def _recommended(self, read: str = "") -> Markup:
        """Return the box of posts; until they are there, and if they never are, it shows the newest ones."""
        posts = [post for post in self._content.posts.values() if not read.endswith(post.path)][:POSTS]
        return self._render("posts_box.html", exclude=read, fallback=joined(map(self._post_card, posts)))

    def _viewed(self) -> Markup:
        """Return the box of products that the visitor has looked at; it begins with some of the shop's."""
        products = list(self._content.products.values())[:PRODUCTS]
        return self._render("products_box.html", fallback=joined(map(self._product_card, products)))

    def _post_card(self, post: Post) -> Markup:
        return self._render(
            "post_card.html",
            path=post.path,
            title=post.title,
            category=post.category,
            excerpt=post.excerpt,
        )

    def _product_card(self, product: Product) -> Markup:
        return self._render(
            "product_card.html",
            path=product.path,
            image=product.image_path,
            name=product.name,
            category=product.category,
            price=f"{product.price:.2f}",
        )


def _date(post: Post) -> str:
    return f"{post.published.day} {post.published:%B %Y}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
