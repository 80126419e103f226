"""Catalogues become products, whatever they are written in; what is not whole does not."""

import json
from pathlib import Path

import pytest

from personalize.errors import ProviderFailed
from personalize.model import Product
from personalize.providers import catalog
from personalize.providers.batch import Batch
from personalize.providers.catalog import MAX_COMMAS, read_catalog
from personalize.providers.fetch import Document

SHOP = "https://shop.example.com/products"
MUG = Product(
    product_id="mug-1",
    name="Mug, blue & white",
    url=f"{SHOP}/mug-1",
    image="https://cdn.example.com/mug.png",
    price=1299.5,
    category="Kitchen > Mugs",
)
RECORD = {
    "id": "mug-1",
    "title": "Mug,  blue & white",
    "link": f"{SHOP}/mug-1",
    "image_link": "https://cdn.example.com/mug.png",
    "price": "1,299.50 EUR",
    "product_type": "Kitchen > Mugs",
}
OURS = {
    "product_id": "mug-1",
    "name": "Mug, blue & white",
    "url": f"{SHOP}/mug-1",
    "image_url": "https://cdn.example.com/mug.png",
    "price": 1299.5,
    "category": "Kitchen > Mugs",
    "stock": {"any": "thing"},
}
G = 'xmlns:g="http://base.google.com/ns/1.0"'
MEMBERS = (
    "<g:id>mug-1</g:id><g:shipping><g:price>3 EUR</g:price></g:shipping><g:price>1299.50 EUR</g:price>"
    "<g:image_link>https://cdn.example.com/mug.png</g:image_link><g:product_type>Kitchen &gt; Mugs</g:product_type>"
    "<g:product_type>Gifts</g:product_type>"
)
RSS = (
    f'<?xml version="1.0"?><rss version="2.0" {G}><channel><title>Shop</title>'
    f"<item><title>Mug, blue &amp; white</title><link>{SHOP}/mug-1</link>"
    f"<description>Long.</description>{MEMBERS}</item></channel></rss>"
)
ATOM = (
    f'<feed xmlns="http://www.w3.org/2005/Atom" {G}><id>shop</id><title>Shop</title><entry><id>tag:1</id>'
    f'<title>Short</title><g:title><![CDATA[Mug, blue & white]]></g:title><link href="{SHOP}/mug-1"/>'
    f"{MEMBERS}</entry></feed>"
)
HEAD = "id,title,link,image link,price,g:product_type\r\n"
ROW = f'mug-1,"Mug, blue & white",{SHOP}/mug-1,https://cdn.example.com/mug.png,1299.50,Kitchen > Mugs\r\n'


def read(body: str | bytes) -> Batch[Product]:
    """Return the products of a catalogue."""
    return read_catalog(Document(f"{SHOP}.txt?token=hunter2", body.encode() if isinstance(body, str) else body))


def reason(body: str | bytes) -> str:
    """Return why a catalogue is refused."""
    with pytest.raises(ProviderFailed) as failed:
        read(body)
    assert str(failed.value).startswith(f"{SHOP}.txt ")
    return str(failed.value).removeprefix(f"{SHOP}.txt ")


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([OURS]),
        json.dumps([RECORD]),
        json.dumps({"products": [RECORD], "page": 1}, indent=1),
        json.dumps(RECORD),
        f"{json.dumps(RECORD)}\n\n{json.dumps({'id': 'other'})}\r\n",
        "\ufeff" + json.dumps([OURS]),
        HEAD + ROW,
        "\ufeff" + HEAD + ROW + "\r\n",
        HEAD.replace(",", "\t") + "\t".join(str(value) for value in RECORD.values()) + "\n",
        HEAD.replace(",", ";") + ";".join(str(value) for value in RECORD.values()),
        RSS,
        ATOM,
        "\n" + RSS.replace("><", ">\n <"),
    ],
    ids=[
        "ours",
        "google",
        "wrapped",
        "one-line",
        "lines",
        "bom",
        "csv",
        "csv-bom",
        "tabs",
        "semicolons",
        "rss",
        "atom",
        "pretty-rss",
    ],
)
def test_a_product_is_the_same_from_everywhere(body: str) -> None:
    """In our own words, in Segment's and in Google's."""
    assert read(body).items[0] == MUG


def test_a_product_may_be_an_id_alone() -> None:
    """The rest is not known; a number is the text of it."""
    assert read('[{"sku": 17}]').items == (Product(product_id="17"),)


@pytest.mark.parametrize(
    ("told", "price"),
    [
        (5, 5.0),
        (0, 0.0),
        ("19.99", 19.99),
        (" 19.99 USD ", 19.99),
        ("EUR 19", 19.0),
        ("€19", 19.0),
        ("19 €", 19.0),
        ("1,234,567.5", 1234567.5),
        ("9" * 400, None),
        (10**400, None),
        ("19,99", None),
        ("free", None),
        ("-5", None),
        ("", None),
        (True, None),
        (None, None),
        ([5], None),
    ],
)
def test_a_price_is_a_number(told: object, price: float | None) -> None:
    """With a decimal point, as Google asks for; what may mean two things means none."""
    assert read(json.dumps([{"id": "a", "price": told}])).items[0].price == price


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "ftp://shop.example.com/", "https://a\u0007b/"]
)
def test_only_http_links_are_kept(link: object) -> None:
    """A product without one stays."""
    assert read(json.dumps([{"id": "a", "url": link, "image": link}])).items == (Product(product_id="a"),)


@pytest.mark.parametrize(
    "body",
    [
        '[{"id": "a"}, {"title": "none"}, {"id": ""}, 5, null, {"id": {"x": 1}}]',
        '{"id": "a"}\n{"title": "none"}\n{"id": ""}\n5\nnull\n[]\n',
        "id,title\na,A\n,none\na,b,c\nx\n \x20,y\n\x20,z\n",
        f"<rss {G}><channel>{'<item><title>none</title></item>' * 5}<item><g:id>a</g:id></item></channel></rss>",
    ],
)
def test_what_has_no_id_is_left_out(body: str) -> None:
    """As is a line with other columns than the head; each is counted."""
    batch = read(body)
    assert ([one.product_id for one in batch.items], batch.left_out) == (["a"], 5)


@pytest.mark.parametrize("body", ["[]", '{"products": []}', "id,title\n", f"<rss {G}><channel/></rss>"])
def test_a_whole_catalogue_without_products_is_empty(body: str) -> None:
    """A shop may be emptied."""
    assert read(body).items == ()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "is neither JSON nor XML, nor CSV with a column product_id or id or sku"),
        ("Service unavailable", "is neither JSON nor XML, nor CSV"),
        ("name,price\nMug,5\n", "is neither JSON nor XML, nor CSV"),
        ('[{"id": "a"}, {"id": "b', "is not whole JSON"),
        ('{"id": "a"}\n{"id": "b', "is not whole JSON"),
        ('{"products": [{"id": "a"}', "is not whole JSON"),
        ('{"error": "closed"}', "has 1 items, and none that can be used"),
        (b'[{"id": "\xff"}]', "is not UTF-8"),
        ("[" * 100_000, "is not whole JSON"),
        ('id,title\na,"unclosed\n', "is not whole CSV"),
        (b"id,title\na,\xff\n", "is not UTF-8"),
        (b"id,\xff\n", "is not UTF-8"),
        ("id,title\n" + "x" * 200_000 + ",y\n", "is not whole CSV"),
        (RSS[:-30], "is not whole XML"),
        (RSS.replace("</title>", "", 1), "is not whole XML"),
        ("<!DOCTYPE html><html></html>", "is XML, but no product feed"),
        ('<urlset xmlns="x"/>', "is XML, but no product feed"),
    ],
)
def test_what_is_not_whole_fails(body: str | bytes, told: str) -> None:
    """Half a catalogue must not replace a whole one; nothing of it is quoted, nor of the URL's secrets."""
    assert reason(body).startswith(told)


def test_a_bomb_of_entities_does_not_go_off(tmp_path: Path) -> None:
    """A product feed needs no entities of its own, inner or outer."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    for declared in (laughs, f'<!ENTITY l9 SYSTEM "file://{tmp_path}">'):
        body = f"<!DOCTYPE rss [{declared}]>" + RSS.removeprefix('<?xml version="1.0"?>').replace("Shop", "&l9;")
        assert reason(body) == "defines entities, which may expand without end"


def test_a_list_of_nothing_but_values_costs_nothing() -> None:
    """Compressed it is a thousand times smaller than what it would take."""
    assert reason(f"[{'1,' * MAX_COMMAS}1,1]") == "has more values than 100,000 products would"


def test_a_feed_of_nothing_but_depth_costs_nothing() -> None:
    """64 KiB of gzip are 64 MiB of it, and would take 3 GiB: expat remembers each element that is open."""
    assert reason("<rss>" + "<a>" * 1000) == "is nested deeper than any product feed"


def test_a_large_feed_is_read_as_it_comes() -> None:
    """Items that fall on the edges of what is parsed at once are whole."""
    item = f"<item>{MEMBERS}</item>"
    batch = read(f"<rss {G}><channel>{item * 1000}</channel></rss>")
    assert len(batch.items) == 1000
    assert set(batch.items) == {batch.items[0]}


def test_products_beyond_the_cap_are_counted() -> None:
    """They would cost memory in every process."""
    most = catalog.MAX_PRODUCTS
    batch = read("id\n" + "".join(f"{number}\n" for number in range(most + 5)))
    assert (len(batch.items), batch.left_out, batch.items[-1].product_id) == (most, 5, str(most - 1))
