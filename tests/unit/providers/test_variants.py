"""Variants of audiences, from a TOML file."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from personalize.errors import ProviderFailed
from personalize.providers.fetch import Document, new_client
from personalize.providers.variants import read_variants, variants_from
from personalize.registry import shipped_folder
from personalize.telemetry.metrics import Metrics

FILE = """
[[variants]]
name = "gold"
audience = "gold_members"
content = { headline = "Thank you", size = 2 }

[[variants]]
name = "all"
content = { headline = "Welcome" }
"""


async def test_a_file_is_read(tmp_path: Path) -> None:
    """Until then nobody sees anything: the example is for those who name no file."""
    file = tmp_path / "variants.toml"
    file.write_text(FILE)
    async with new_client(private=True) as web:
        provider = variants_from(str(file), web, Metrics(CollectorRegistry()))
        assert len(provider.items()) == 0
        async with provider:
            variants = provider.items()
    gold, everybody = variants.of(["gold_members"]), variants.of([])
    assert gold is not None
    assert everybody is not None
    assert (gold.name, gold.content) == ("gold", {"headline": "Thank you", "size": 2})
    assert everybody.name == "all"
    assert len(variants) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[[variants", "is not TOML"),
        (b"\xff", "is not TOML"),
        (b"", "missing required field `variants`"),
        (b"[[variant]]\nname = 'x'\ncontent = {}", "unknown field `variant`"),
        (
            b"[[variants]]\nname = 'x'\ncontent = {}\naudiance = 'gold'",
            r"unknown field `audiance` - at `\$.variants\[0\]`",
        ),
        (b"variants = 1", "Expected `array`"),
        (b"[[variants]]\nname = 1\ncontent = {}", "Expected `str`"),
        (b"[[variants]]\nname = 'x'", "missing required field `content`"),
    ],
)
def test_what_is_not_a_file_of_variants_is_refused(body: bytes, reason: str) -> None:
    """With what is wrong, so that the last good ones stay."""
    with pytest.raises(ProviderFailed, match=reason):
        read_variants(Document("https://u:p@shop.example.com/v.toml?key=x", body))


def test_the_documented_file_is_read() -> None:
    """Of recipes/README.md."""
    told = (shipped_folder() / "README.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```toml\n(\[\[variants\]\].*?)```", told, re.DOTALL)
    batch = read_variants(Document("variants.toml", shown.encode()))
    assert [(one.name, one.audience) for one in batch.items] == [("gold", "gold_members"), ("everybody", None)]
