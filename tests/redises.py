"""Real Redis of tests: single servers, a master with its Sentinels, a Cluster. Each process is ended by its own id."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conftest import free_port
from tests.processes import wait_until

SERVER = shutil.which("redis-server")
START_SECONDS = 10.0
SERVICE = "cache"
"""What the Sentinels call their master."""

SLOTS = 16_384
MAX_PORT = 55_000

needs_redis = pytest.mark.skipif(
    SERVER is None and "REQUIRE_REAL_PARTS" not in os.environ, reason="redis-server is not installed"
)


def looking(port: int, password: str | None = None) -> "redis.Redis":
    """Return a client that says at once what is wrong."""
    return redis.Redis(port=port, password=password, socket_timeout=5, retry=Retry(NoBackoff(), 0))


@dataclass
class Server:
    """A redis-server process of our own on a port of this machine, and a plain client to look into it."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None
    client: "redis.Redis" = field(init=False)

    def __post_init__(self) -> None:
        self.client = looking(self.port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.launch()
        wait_until(self.answers, f"redis-server on {self.port}", START_SECONDS)

    def launch(self) -> None:
        """Start it, without waiting."""
        assert SERVER is not None
        usual = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "")
        command = [SERVER, *self.options, *usual]  # a file of options would have to be the first
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

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

    def info(self, section: str) -> dict[str, Any]:
        """Return what it says of itself."""
        return self.client.info(section)

    def calls(self) -> dict[str, int]:
        """Return how often each command was run since the last reset, but for those of looking and of scripts."""
        looking = {"info", "config|resetstat", "client|setinfo", "hello", "ping", "select"}
        counts = {name.removeprefix("cmdstat_"): one["calls"] for name, one in self.info("commandstats").items()}
        return {name: count for name, count in counts.items() if name not in looking}

    def run(self, *words: Any) -> Any:
        """Run a command that the plain client has no method for."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py's, untyped

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
        return f"redis+sentinel://{self.hosts}/{SERVICE}"

    @property
    def hosts(self) -> str:
        """Where the Sentinels are, as a URL has it."""
        return ",".join(one.address for one in self.sentinels)

    @property
    def master(self) -> Server:
        """The server that the first Sentinel names."""
        _, port = self.sentinels[0].run("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(one for one in self.servers if one.port == int(port))

    def fail_over(self) -> None:
        """Make the replica the master, as an operator would, and wait until all Sentinels name it."""
        old = self.master
        self.sentinels[0].run("SENTINEL", "FAILOVER", SERVICE)
        wait_until(lambda: self.master is not old, "the failover")


@contextmanager
def sentinels(password: str = "") -> Iterator[Guarded]:
    """Run a master with one replica and two Sentinels, of which both must agree that it is down.

    A password is the servers'; the Sentinels have none.
    """
    with TemporaryDirectory(prefix="redis") as name, ExitStack() as stack:
        folder = Path(name)
        secret = ("--requirepass", password, "--masterauth", password) if password else ()
        master = _started(stack, folder, *secret, password=password)
        replica = _started(stack, folder, *secret, "--replicaof", "127.0.0.1", str(master.port), password=password)
        guarded = Guarded([master, replica], [_sentinel(stack, folder, master, password) for _ in range(2)])
        wait_until(lambda: _watched(guarded), "the Sentinels to know each other and the replica", START_SECONDS)
        yield guarded


@dataclass
class Cluster:
    """Nodes that share all slots, and one that may be given some."""

    nodes: list[Server]
    spare: Server | None = None

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(one.address for one in self.nodes)}"

    def owner(self, slot: int) -> Server:
        """Return the node that a slot belongs to."""
        return next(one for one in self.nodes if slot in _slots(one))

    def slot(self, key: str) -> int:
        """Return the slot that a key is in."""
        return int(self.nodes[0].run("CLUSTER", "KEYSLOT", key))

    def move(self, slot: int, to: Server) -> None:
        """Move a slot with its keys, one by one, as redis-cli would: asking nodes meanwhile are told where to go."""
        with self.moving(slot, to):
            pass

    @contextmanager
    def moving(self, slot: int, to: Server, source: Server | None = None) -> Iterator[None]:
        """Move a slot: while the body runs its keys are there already, and it is not; then it follows."""
        source = source or self.owner(slot)
        self.begin_move(slot, source, to)
        _migrate(slot, source, to)
        yield
        _migrate(slot, source, to)
        for one in (to, source, *self.nodes):
            one.run("CLUSTER", "SETSLOT", slot, "NODE", _identity(to))

    @staticmethod
    def begin_move(slot: int, source: Server, to: Server) -> None:
        """Mark a slot as moving."""
        to.run("CLUSTER", "SETSLOT", slot, "IMPORTING", _identity(source))
        source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", _identity(to))


@contextmanager
def cluster(*, spare: bool = False) -> Iterator[Cluster]:
    """Run three masters that form a Cluster, and one more without slots if that is wished for."""
    with TemporaryDirectory(prefix="redis") as name, ExitStack() as stack:
        nodes = [_node(stack, Path(name), number) for number in range(3)]
        share = -(-SLOTS // len(nodes))
        for number, node in enumerate(nodes):
            first, last = number * share, min((number + 1) * share, SLOTS) - 1
            node.run("CLUSTER", "ADDSLOTSRANGE", first, last)
            nodes[0].run("CLUSTER", "MEET", "127.0.0.1", node.port)
        joined = [_node(stack, Path(name), len(nodes))] if spare else []
        for node in joined:
            nodes[0].run("CLUSTER", "MEET", "127.0.0.1", node.port)
        wait_until(lambda: all(_whole(node) for node in (*nodes, *joined)), "the Cluster to be whole", START_SECONDS)
        yield Cluster(nodes, *joined)


def _started(stack: ExitStack, folder: Path, *options: str, password: str = "") -> Server:
    one = Server(folder, _free_port(), options)
    if password:
        one.client = looking(one.port, password)
    stack.callback(one.stop)
    stack.callback(one.client.close)
    one.start()
    return one


def _sentinel(stack: ExitStack, folder: Path, master: Server, password: str) -> Server:
    one = Server(folder, _free_port())
    config = folder / f"{one.port}.conf"
    config.write_text(
        f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 2\n"
        f"sentinel down-after-milliseconds {SERVICE} 500\n"
        f"sentinel failover-timeout {SERVICE} 2000\n"
        + (f"sentinel auth-pass {SERVICE} {password}\n" if password else "")
    )
    one.options = (str(config), "--sentinel")
    stack.callback(one.stop)
    stack.callback(one.client.close)
    one.start()
    return one


def _node(stack: ExitStack, folder: Path, number: int) -> Server:
    own = folder / str(number)
    own.mkdir()
    kept = ("--cluster-allow-replica-migration", "no")  # a master that has lost its last slot stays one
    return _started(stack, own, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", *kept)


def _migrate(slot: int, source: Server, to: Server) -> None:
    while keys := cast("list[bytes]", source.run("CLUSTER", "GETKEYSINSLOT", slot, 100)):
        source.run("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *keys)


def _free_port() -> int:
    """Return a port that is free, and that leaves room for a Cluster's bus, ten thousand above it."""
    return next(port for port in iter(free_port, None) if port < MAX_PORT)


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
