"""The sandbox with many profiles: how long it takes to start, and to answer.

`python -m tests.bench.sandbox` seeds 100,000 events of as many people from a file, as `personalize sandbox --seed`
does, and then asks for two traits by name, of one person after another. `--profiles 1000` is over at once.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from tests.processes import personalize, wait_until

PROFILES = 100_000
READS = 2_000
START_SECONDS = 60
"""What a start with that many events may take on a machine of two cores."""

READ_MILLISECONDS = 2
"""What the median answer may."""

CATEGORIES = ("Cycling", "Coffee", "Design", "Travel")


def history(path: Path, profiles: int) -> None:
    """Write one event of each person."""
    with path.open("w") as file:
        for number in range(profiles):
            call = {
                "type": "track",
                "userId": f"u{number}",
                "event": "Post Viewed",
                "properties": {"category": CATEGORIES[number % len(CATEGORIES)]},
            }
            file.write(json.dumps(call) + "\n")


def reads(sandbox: str, profiles: int, count: int) -> Iterator[float]:
    """Yield the milliseconds of reads of somebody's traits, over one kept connection."""
    chance = random.Random(1)
    with httpx.Client(base_url=sandbox, auth=("sandbox-token", ""), trust_env=False) as client:
        for _ in range(count):
            who = chance.randrange(profiles)
            path = f"/v1/spaces/sandbox/collections/users/profiles/user_id:u{who}/traits"
            started = time.perf_counter()
            answer = client.get(path, params={"include": "favorite_blog_category,first_name"})
            yield (time.perf_counter() - started) * 1000
            assert answer.json()["traits"] == {"favorite_blog_category": CATEGORIES[who % len(CATEGORIES)]}


def measured(profiles: int, count: int) -> tuple[float, float]:
    """Return the seconds of a start, and the milliseconds of the median read."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "history.jsonl"
        history(file, profiles)
        started = time.perf_counter()
        with personalize("sandbox", "--port", "0", "--rate-limit", "0", "--seed", str(file)) as run:
            wait_until(lambda: "listens on" in run.output or run.process.poll() is not None, "the start", seconds=600)
            seconds = time.perf_counter() - started
            sandbox = run.output.split("listens on ")[1].split()[0]
            return seconds, statistics.median(reads(sandbox, profiles, count))


def main() -> None:
    """Measure, print a table, and end with 1 where it is too slow; whoever measures less is not told that it is."""
    arguments = argparse.ArgumentParser(description="Measure the sandbox with many profiles.")
    arguments.add_argument("--profiles", type=int, default=PROFILES)
    arguments.add_argument("--reads", type=int, default=READS)
    given = arguments.parse_args()
    seconds, milliseconds = measured(given.profiles, given.reads)
    table = Table("what", "measured", "may be", title=f"The sandbox, {given.profiles:,} events of as many people")
    table.add_row("start with --seed", f"{seconds:.1f} s", f"{START_SECONDS} s")
    table.add_row("median of traits?include=", f"{milliseconds:.2f} ms", f"{READ_MILLISECONDS} ms")
    Console().print(table)
    whole = given.profiles >= PROFILES and given.reads >= READS
    sys.exit(whole and (seconds > START_SECONDS or milliseconds > READ_MILLISECONDS))


if __name__ == "__main__":
    main()
