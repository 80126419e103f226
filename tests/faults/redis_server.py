"""A Redis of a test's own that can be killed, stopped, filled and made to pause."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from tests.conftest import free_port, real_part
from tests.redises import Server


class RedisServer(Server):
    """A real redis-server that keeps its port over restarts; its data is lost with it.

    Args:
        folder: where it may write.
    """

    def __init__(self, folder: Path) -> None:
        real_part("redis-server")
        super().__init__(folder, free_port())

    @contextmanager
    def running(self) -> Iterator["RedisServer"]:
        """Run while the body does; it may be killed and started in between."""
        try:
            self.start()
            yield self
        finally:
            self.stop()
            self.client.close()

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Be gone while the body runs, and start again, empty, after it."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stand still, with every socket open, while the body runs."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Refuse every write for want of memory while the body runs."""
        self.client.config_set("maxmemory-policy", "noeviction")
        self.client.config_set("maxmemory", "1")
        try:
            yield
        finally:
            self.client.config_set("maxmemory", "0")

    def pause(self, seconds: float) -> None:
        """Answer nobody for some seconds."""
        self.client.client_pause(int(seconds * 1000), all=True)

    def names(self) -> list[bytes]:
        """Return the keys of the service."""
        return cast("list[bytes]", self.client.keys("personalize:*"))

    def profiles(self) -> list[bytes]:
        """Return the keys that hold what is known of profiles, not only that they were forgotten."""
        return [key for key in self.names() if self.client.type(key) == b"hash" and self.sections(key)]

    def sections(self, key: bytes) -> dict[bytes, bytes]:
        """Return a profile's sections as they are stored."""
        fields = cast("dict[bytes, bytes]", self.client.hgetall(key))
        return {name: value for name, value in fields.items() if name != b"stamp"}
