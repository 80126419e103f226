"""Exchanges are noted for whoever watches, and for nobody else."""

import asyncio

from personalize.telemetry import exchanges


async def test_what_tasks_of_the_body_do_is_seen() -> None:
    """And nothing of what others do meanwhile."""

    async def call(route: str) -> None:
        exchanges.note(route, "ok", 0.0, "id-of-segment")

    others = asyncio.create_task(call("others"))
    with exchanges.watched() as seen:
        await asyncio.gather(call("traits"), asyncio.create_task(call("events")), others)
    exchanges.note("later", "ok", 0.0)
    assert sorted(one.route for one in seen) == ["events", "traits"]
    assert {one.request_id for one in seen} == {"id-of-segment"}
    assert all(one.seconds > 0 for one in seen)
