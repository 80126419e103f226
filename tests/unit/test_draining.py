"""Leaving: when the service says that it goes, and when it goes."""

import asyncio
from contextlib import closing
from signal import SIGINT, SIGTERM
from threading import Event

import pytest
import uvicorn

from personalize import listening
from personalize.draining import DrainingServer


async def nothing(*_: object) -> None:
    """Answer nothing."""


def leaving(delay: float) -> tuple[DrainingServer, Event]:
    told = Event()
    return DrainingServer(uvicorn.Config(nothing, log_config=None), told, delay), told


async def test_a_first_signal_is_said_and_waited_for() -> None:
    """Until the delay is over; nothing is said before it."""
    one, told = leaving(60.0)
    assert not told.is_set()
    one.handle_exit(SIGTERM, None)
    assert told.is_set()
    assert not await one.on_tick(1)
    assert not one.should_exit


@pytest.mark.parametrize("second", [SIGTERM, SIGINT])
def test_a_second_signal_is_not_waited_for(second: int) -> None:
    """Whoever asks twice means it."""
    one, _ = leaving(60.0)
    one.handle_exit(SIGTERM, None)
    one.handle_exit(second, None)
    assert one.should_exit
    assert not one.force_exit


@pytest.mark.parametrize(("signal", "delay"), [(SIGINT, 60.0), (SIGTERM, 0.0)])
def test_who_need_not_wait_does_not(signal: int, delay: float) -> None:
    """Ctrl-C has no balancer before it, and a delay of nothing is none."""
    one, told = leaving(delay)
    one.handle_exit(signal, None)
    assert one.should_exit
    assert told.is_set()


async def test_the_end_of_the_delay_is_the_end() -> None:
    """By the monotonic clock."""
    one, _ = leaving(0.001)
    one.handle_exit(SIGTERM, None)
    await asyncio.sleep(0.01)
    assert await one.on_tick(1)


def test_delay_and_drain_share_their_time() -> None:
    """From the signal to the end no more than is promised, whatever the delay."""
    with closing(listening.bind("127.0.0.1", 0)):
        told = [listening.config(nothing, drain_delay=delay).timeout_graceful_shutdown for delay in (0.0, 4.5, 15.0)]
    assert told == [20, 15, 5]
