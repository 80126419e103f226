"""Real Redis of tests: single servers, a master with its Sentinels, a Cluster. Each process is ended by its own id."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
import redis

from tests.processes import wait_until

SERVER = shutil.which("redis-server")
START_SECONDS = 10.0
SERVICE = "cache"
"""What the Sentinels call their master."""

SLOTS = 16_384

needs_redis = pytest.mark.skipif(
    SERVER is None and "REQUIRE_REAL_PARTS" not in os.environ, reason="redis-server is not installed"
)


@dataclass
class Server:
    """A redis-server process of our own on a port of this machine, and a plain client to look into it."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None
    client: "redis.Redis" = field(init=False)

    def __post_init__(self) -> None:
        self.client = redis.Redis(port=self.port, socket_timeout=5)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert SERVER is not None
        usual = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "")
        command = [SERVER, *self.options, *usual]  # a file of options would have to be the first
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self.answers, f"redis-server on {self.port}", START_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process and no other."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=START_SECONDS)
            self.process = None

    def calls(self) -> dict[str, int]:
        """Return how often each command was run since the last reset, but for those of looking and of scripts."""
        looking = {"info", "config|resetstat", "client|setinfo", "hello", "ping", "select"}
        stats = cast("dict[str, dict[str, Any]]", self.client.info("commandstats"))
        counts = {name.removeprefix("cmdstat_"): one["calls"] for name, one in stats.items()}
        return {name: count for name, count in counts.items() if name not in looking}

    def run(self, *words: Any) -> Any:
        """Run a command that the plain client has no method for."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


@contextmanager
def server(*options: str) -> Iterator[Server]:
    """Run one server."""
    with TemporaryDirectory(prefix="redis") as folder, ExitStack() as stack:
        yield _started(stack, Path(folder), *options)


@dataclass
class Guarded:
    """A master, its replica, and the Sentinels that watch them."""

    servers: list[Server]
    sentinels: list[Server]

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(one.address for one in self.sentinels)}/{SERVICE}"

    @property
    def master(self) -> Server:
        """The server that the first Sentinel names."""
        _, port = self.sentinels[0].run("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(one for one in self.servers if one.port == int(port))


@contextmanager
def sentinels() -> Iterator[Guarded]:
    """Run a master with one replica and two Sentinels, of which both must agree that it is down."""
    with TemporaryDirectory(prefix="redis") as name, ExitStack() as stack:
        folder = Path(name)
        master = _started(stack, folder)
        replica = _started(stack, folder, "--replicaof", "127.0.0.1", str(master.port))
        guarded = Guarded([master, replica], [_sentinel(stack, folder, master) for _ in range(2)])
        wait_until(lambda: _watched(guarded), "the Sentinels to know each other and the replica", START_SECONDS)
        yield guarded


@dataclass
class Cluster:
    """Three nodes that share all slots."""

    nodes: list[Server]

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(one.address for one in self.nodes)}"

    def owner(self, slot: int) -> Server:
        """Return the node that a slot belongs to."""
        return next(one for one in self.nodes if slot in _slots(one))

    def move(self, slot: int, to: Server) -> None:
        """Move a slot with its keys, one by one, as redis-cli would: asking nodes meanwhile are told where to go."""
        source = self.owner(slot)
        self.begin_move(slot, source, to)
        while keys := cast("list[bytes]", source.run("CLUSTER", "GETKEYSINSLOT", slot, 100)):
            source.run("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *keys)
        for one in (to, source, *self.nodes):
            one.run("CLUSTER", "SETSLOT", slot, "NODE", _identity(to))

    @staticmethod
    def begin_move(slot: int, source: Server, to: Server) -> None:
        """Mark a slot as moving."""
        to.run("CLUSTER", "SETSLOT", slot, "IMPORTING", _identity(source))
        source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", _identity(to))


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run three masters that form a Cluster."""
    with TemporaryDirectory(prefix="redis") as name, ExitStack() as stack:
        nodes = [_node(stack, Path(name), number) for number in range(3)]
        share = -(-SLOTS // len(nodes))
        for number, node in enumerate(nodes):
            first, last = number * share, min((number + 1) * share, SLOTS) - 1
            node.run("CLUSTER", "ADDSLOTSRANGE", first, last)
            nodes[0].run("CLUSTER", "MEET", "127.0.0.1", node.port)
        wait_until(lambda: all(_whole(node) for node in nodes), "the Cluster to be whole", START_SECONDS)
        yield Cluster(nodes)


def _started(stack: ExitStack, folder: Path, *options: str) -> Server:
    one = Server(folder, _free_port(), options)
    stack.callback(one.stop)
    stack.callback(one.client.close)
    one.start()
    return one


def _sentinel(stack: ExitStack, folder: Path, master: Server) -> Server:
    one = Server(folder, _free_port())
    config = folder / f"{one.port}.conf"
    config.write_text(
        f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 2\n"
        f"sentinel down-after-milliseconds {SERVICE} 500\n"
        f"sentinel failover-timeout {SERVICE} 2000\n"
    )
    one.options = (str(config), "--sentinel")
    stack.callback(one.stop)
    stack.callback(one.client.close)
    one.start()
    return one


def _node(stack: ExitStack, folder: Path, number: int) -> Server:
    own = folder / str(number)
    own.mkdir()
    return _started(stack, own, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000")


def _free_port() -> int:
    """Return a port that is free, as is the one of a Cluster's bus, ten thousand above it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return port if port < 50_000 else port - 20_000


def _watched(guarded: Guarded) -> bool:
    states = [one.run("SENTINEL", "MASTER", SERVICE) for one in guarded.sentinels]
    return all(_told(state, "num-slaves") == 1 and _told(state, "num-other-sentinels") == 1 for state in states)


def _told(state: Any, name: str) -> int:
    told = state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
    return int(told.get(name) or told.get(name.encode()) or 0)


def _whole(node: Server) -> bool:
    info = node.run("CLUSTER", "INFO")
    text = info.decode() if isinstance(info, bytes) else str(info)
    return "cluster_state:ok" in text or "'cluster_state': 'ok'" in text


def _identity(node: Server) -> str:
    identity = node.run("CLUSTER", "MYID")
    return identity.decode() if isinstance(identity, bytes) else str(identity)


def _slots(node: Server) -> set[int]:
    ranges = node.run("CLUSTER", "SLOTS")
    mine = [one for one in _ranges(ranges) if one[2] == node.port]
    return {slot for first, last, _ in mine for slot in range(first, last + 1)}


def _ranges(told: Any) -> list[tuple[int, int, int]]:
    if isinstance(told, dict):
        return [(first, last, int(owners["primary"][1])) for (first, last), owners in told.items()]
    return [(first, last, int(owner[1])) for first, last, owner, *_ in told]
