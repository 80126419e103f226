"""A shop's catalogue as JSON, JSON Lines, CSV or Google's product feed becomes products. Pure: bytes in.

Members and columns may be called as in our own answers, as in Segment's ecommerce events, or as Google calls them.
"""

import codecs
import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

from personalize.errors import ProviderFailed
from personalize.model import Product, as_text
from personalize.providers.batch import Batch, batched
from personalize.providers.fetch import Document
from personalize.providers.merchant import read_items
from personalize.providers.text import http_link, one_line

MAX_PRODUCTS = 100_000
"""Products kept of one source, in its order: they take about 60 MiB in every process."""

MAX_COMMAS = 30 * MAX_PRODUCTS
"""As many as there are between the values of so many products; a list of numbers of the same size would take all
memory."""

Record: TypeAlias = Mapping[str, Any]
"""What a catalogue says of one product, by whatever names it uses."""

_IDS = ("product_id", "id", "sku")
_NAMES = ("name", "title")
_URLS = ("url", "link")
_IMAGES = ("image", "image_url", "image_link")
_CATEGORIES = ("category", "product_type", "google_product_category")
_DELIMITERS = ",;\t|"
_PRICE = re.compile(r"(?:[A-Z]{3}|[^\w\s.,-])?\s*(\d+(?:,\d{3})*(?:\.\d+)?)\s*(?:[A-Z]{3}|[^\w\s.,-])?")
"""A number with a decimal point, and perhaps a currency before or after it: `1,299.00 EUR`, as Google has it."""


class _Listed(Struct):
    """A JSON document with a member for its list."""

    products: list[Raw]


def read_catalog(document: Document) -> Batch[Product]:
    """Return a catalogue's products in its order; what has no id is left out. What it is, its content tells.

    Raises:
        ProviderFailed: it is no catalogue, it broke off, or nothing in it has an id.
    """
    body = document.body.removeprefix(codecs.BOM_UTF8).lstrip()
    try:
        return batched(
            (_product(one, document.shown) for one in _records(body, document.shown)),
            most=MAX_PRODUCTS,
            shown=document.shown,
        )
    except UnicodeDecodeError:
        raise ProviderFailed(f"{document.shown} is not UTF-8") from None
    except (msgspec.MsgspecError, RecursionError):
        raise ProviderFailed(f"{document.shown} is not whole JSON") from None
    except csv.Error:
        raise ProviderFailed(f"{document.shown} is not whole CSV") from None


def _records(body: bytes, shown: str) -> Iterator[Record | None]:
    match body[:1]:
        case b"[" | b"{":
            return map(_record, _in_json(body, shown))
        case b"<":
            return read_items(body, shown)
    return _in_csv(body, shown)


def _record(raw: bytes | Raw) -> Record | None:
    told = msgspec.json.decode(raw)
    return told if isinstance(told, dict) else None


def _in_json(body: bytes, shown: str) -> Iterable[bytes | Raw]:
    """Return the parts that are products, undecoded: decoding them all in one go would hold up every other thread."""
    if body.count(b",") > MAX_COMMAS:
        raise ProviderFailed(f"{shown} has more values than {MAX_PRODUCTS:,} products would")
    if body.startswith(b"["):
        return msgspec.json.decode(body, type=list[Raw])
    try:
        return msgspec.json.decode(body, type=_Listed).products
    except msgspec.DecodeError:
        return filter(bytes.strip, io.BytesIO(body))  # not one document, but one a line


def _in_csv(body: bytes, shown: str) -> Iterator[Record | None]:
    head = body.partition(b"\n")[0].decode()
    delimiter = max(_DELIMITERS, key=head.count)
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(body), "utf-8", newline=""), delimiter=delimiter, strict=True)
    names = [re.sub(r"\s+", "_", name.strip().lower()).removeprefix("g:") for name in next(rows, ())]
    if not set(names) & set(_IDS):
        raise ProviderFailed(f"{shown} is neither JSON nor XML, nor CSV with a column {' or '.join(_IDS)}")
    for row in filter(None, rows):
        yield dict(zip(names, row, strict=True)) if len(row) == len(names) else None


def _product(told: Record | None, base: str) -> Product | None:
    product_id = _text(told, _IDS) if told is not None else None
    if told is None or product_id is None:
        return None
    return Product(
        product_id=product_id,
        name=_text(told, _NAMES),
        url=http_link(_text(told, _URLS), base),
        image=http_link(_text(told, _IMAGES), base),
        price=_price(told.get("price")),
        category=_text(told, _CATEGORIES),
    )


def _text(told: Record, names: Iterable[str]) -> str | None:
    """Return the first text or whole number of these names, on one line."""
    texts = (one_line(as_text(told.get(name))) for name in names)
    return next(filter(None, texts), None)


def _price(told: object) -> float | None:
    """Return a number, or the number of a text; `None` for what is no price, or larger than any."""
    if isinstance(told, str):
        written = _PRICE.fullmatch(told.strip())
        told = float(written[1].replace(",", "")) if written else None
    if not isinstance(told, int | float) or isinstance(told, bool):
        return None
    try:
        return float(told) if math.isfinite(told) else None
    except OverflowError:  # JSON's whole numbers have no end
        return None
