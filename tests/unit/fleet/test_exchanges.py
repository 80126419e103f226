"""Exchanges with a real server: what comes back, and what becomes of the connection when something else does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import ResponseError

from personalize.fleet.address import Address, Limits
from personalize.fleet.exchanges import Exchanges
from tests.conftest import free_port
from tests.connections import WAIT_SECONDS
from tests.redises import Server, needs_redis

pytestmark = needs_redis


@asynccontextmanager
async def exchanging(url: str, seconds: float = WAIT_SECONDS) -> AsyncIterator[Exchanges]:
    """Return exchanges over one connection at a time, and close it in the end."""
    client = Address(url).client(Limits(seconds, connections=1))
    assert isinstance(client, Redis)
    yield Exchanges(client, seconds, settling=WAIT_SECONDS)
    await client.aclose()


@pytest.fixture
async def exchanges(server: Server) -> AsyncIterator[Exchanges]:
    async with exchanging(server.url) as exchanges:
        await exchanges.run([("HSET", "ada", "plan", "pro", "bytes", b"\0\xff", "number", 1.5)])
        yield exchanges


async def own(exchanges: Exchanges) -> int:
    """Return the number by which the server knows the connection."""
    [number] = await exchanges.run([("CLIENT", "ID")])
    return int(number)


async def test_commands_are_answered_in_their_order(exchanges: Exchanges) -> None:
    """They are sent together; arguments are texts, bytes and numbers, answers are bytes."""
    commands = [("HMGET", "ada", "plan", "é"), ("HGET", "ada", "bytes"), ("HGET", "ada", "number"), ("EXISTS", "bob")]
    assert await exchanges.run(commands) == [[b"pro", None], b"\0\xff", b"1.5", 0]


async def test_an_error_by_itself_leaves_the_connection_as_it_is(exchanges: Exchanges) -> None:
    """So it is with a script that the server does not know yet."""
    before = await own(exchanges)
    with pytest.raises(ResponseError):
        await exchanges.run([("GET", "ada")])
    assert await own(exchanges) == before


async def test_an_error_among_others_leaves_no_answer_behind(exchanges: Exchanges) -> None:
    """Whoever comes next would take it for theirs."""
    with pytest.raises(ResponseError):
        await exchanges.run([("GET", "ada"), ("HGET", "ada", "plan")])
    assert await exchanges.run([("EXISTS", "bob")]) == [0]


async def test_what_takes_too_long_is_left_with_its_connection(server: Server) -> None:
    """Its answer may come at any time."""
    async with exchanging(server.url, seconds=0.1) as exchanges:
        before = await own(exchanges)
        with pytest.raises(TimeoutError):
            await exchanges.run([("BLPOP", "never", 0)])
        assert await own(exchanges) != before


async def test_where_nobody_is_each_exchange_says_so() -> None:
    """The connection is there for the next one to try."""
    async with exchanging(f"redis://127.0.0.1:{free_port()}") as exchanges:
        for _ in range(2):
            with pytest.raises(Unreachable):
                await exchanges.run([("EXISTS", "bob")])
