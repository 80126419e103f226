"""Everything that can be made to go wrong around a running service, each for as long as a `with` lasts."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.faults.proxy import Bandwidth, Down, Latency, LimitData, Proxy, ResetPeer, Slicer, SlowClose, Timeout, Toxic
from tests.faults.redis_server import RedisServer
from tests.faults.service import Sandbox

TOXICS: tuple[Toxic, ...] = (
    Latency(0.3, jitter=0.3),
    Latency(3.0),
    Bandwidth(2000),
    Slicer(20, variation=15, pause=0.02),
    SlowClose(2.0),
    LimitData(150),
    LimitData(1500),
    Timeout(),
    Timeout(0.5),
    ResetPeer(),
    ResetPeer(0.2),
    Down(),
)

FAULTS: tuple[dict[str, Any], ...] = (
    {"latency_ms": 500, "jitter_ms": 500},
    {"latency_ms": 5000},
    {"status": 500},
    {"status": 503, "latency_ms": 100},
    {"status": 429, "retry_after": "2", "times": 3},
    {"status": 429, "times": 3},
    {"status": 401, "times": 1},
    {"kind": "reset"},
    {"kind": "truncate"},
    {"kind": "garbage"},
    {"kind": "drip", "pace_ms": 5},
)

Trouble = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Neighbours:
    """What a service depends on, and the ways to it."""

    sandbox: Sandbox
    to_sandbox: Proxy
    redis: RedisServer
    to_redis: Proxy

    def troubles(self) -> dict[str, Trouble]:
        """Return what can go wrong, by a name to be printed."""
        return {
            **{f"segment {fault}": partial(self._misbehaving, fault) for fault in FAULTS},
            **{f"way to segment {toxic}": partial(self.to_sandbox.having, toxic) for toxic in TOXICS},
            **{f"way to redis {toxic}": partial(self.to_redis.having, toxic) for toxic in TOXICS},
            "segment stands still": self.sandbox.stopped,
            "redis stands still": self.redis.stopped,
            "redis is killed": self.redis.killed,
            "redis is full": self.redis.full,
            "redis pauses": self._pausing,
        }

    @contextmanager
    def _misbehaving(self, fault: dict[str, Any]) -> Iterator[None]:
        self.sandbox.misbehave(**fault)
        yield
        self.sandbox.behave()

    @contextmanager
    def _pausing(self) -> Iterator[None]:
        self.redis.pause(random.uniform(0.1, 2.0))
        yield
