"""Distributions as an installer leaves them behind, without the installer."""

from collections.abc import Mapping
from pathlib import Path


def distribution(folder: Path, name: str, group: str, points: Mapping[str, str]) -> None:
    """Make a folder of Python's path hold an installed distribution with entry points of one group."""
    metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{point} = {value}\n" for point, value in points.items())
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{lines}")
