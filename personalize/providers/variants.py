"""The provider `variants`: what the members of audiences see, from one TOML file, polled."""

import tomllib
from collections.abc import Sequence
from functools import partial
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from personalize.errors import ProviderFailed
from personalize.model import Variant, Variants
from personalize.providers.batch import Batch
from personalize.providers.documents import Documents
from personalize.providers.fetch import Document
from personalize.providers.poll import Polled
from personalize.providers.sources import Sources
from personalize.telemetry.metrics import Metrics

EXAMPLE = Variants(
    [
        Variant("big-spender", {"headline": "Thank you", "text": "Shipping is on us."}, audience="big_spender"),
        Variant("everybody", {"headline": "Welcome", "text": "Have a look around."}),
    ]
)
"""What there is where no file is named; its audience is one of the Profile API documentation's."""


class _Table(Struct, forbid_unknown_fields=True):
    """A `[[variants]]` table. What it says under a misspelt `audience` would be for everybody."""

    name: str
    content: dict[str, Any]
    audience: str | None = None


class _File(Struct, forbid_unknown_fields=True):
    variants: list[_Table]


def variants_from(
    location: str, client: httpx.AsyncClient, metrics: Metrics, *, interval: float = 60.0
) -> Polled[Variants]:
    """Return the provider of a file's variants; it polls while it is entered.

    Args:
        location: an http(s) URL, a `file://` URL or a file path.
        client: what URLs are fetched with; it must outlive the provider.
        metrics: where loads and failures are counted.
        interval: seconds between two loads.
    """
    read = partial(Documents(client).read, location, read_variants)
    return Polled("variants", Sources({location: read}, _variants).load, Variants(), metrics, interval=interval)


def read_variants(document: Document) -> Batch[Variant]:
    """Return the variants of `[[variants]]` tables, each with `name`, `content` and perhaps `audience`.

    Raises:
        ProviderFailed: it is not TOML, or has something else than variants.
    """
    try:
        told = tomllib.loads(document.body.decode())
        tables = msgspec.convert(told, _File).variants
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        raise ProviderFailed(f"{document.shown} is not TOML") from None
    except msgspec.ValidationError as error:
        raise ProviderFailed(f"{document.shown}: {error}") from None
    return Batch(tuple(Variant(one.name, one.content, one.audience) for one in tables))


def _variants(batches: Sequence[Batch[Variant]]) -> Variants:
    return Variants(variant for batch in batches for variant in batch.items)
