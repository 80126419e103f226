"""Pictures of products: drawn, not stored, and the same each time."""

import colorsys
import random
import zlib

from personalize.sandbox.demo.content import Product
from personalize.sandbox.demo.markup import Markup, Templates, joined

WIDTH, HEIGHT = 480, 360
MEDIA_TYPE = "image/svg+xml"


def svg(product: Product, templates: Templates) -> str:
    """Return a product's picture: its category's colour, bubbles of its own, and its initial."""
    hue = zlib.crc32(product.category.encode()) % 360
    # A seeded generator, because a picture should not change between two visits. Nothing here is secret.
    dice = random.Random(product.product_id)  # noqa: S311 - draws bubbles
    return templates.render(
        "picture.svg",
        width=WIDTH,
        height=HEIGHT,
        name=product.name,
        initial=product.name[0],
        light=_colour(hue, 0.93),
        deep=_colour(hue + dice.uniform(25, 60), 0.76),
        ink=_colour(hue, 0.28),
        bubbles=joined(_bubble(dice) for _ in range(9)),
    )


def _bubble(dice: random.Random) -> Markup:
    x, y, radius = dice.randrange(WIDTH), dice.randrange(HEIGHT), dice.randrange(18, 96)
    return Markup(f'<circle cx="{x}" cy="{y}" r="{radius}" fill-opacity="{dice.uniform(0.08, 0.34):.2f}"/>')


def _colour(hue: float, lightness: float) -> str:
    """Return a colour of a hue (degrees) and a lightness (0 to 1) as `#rrggbb`."""
    channels = colorsys.hls_to_rgb(hue % 360 / 360, lightness, 0.55)
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)
