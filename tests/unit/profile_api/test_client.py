"""The client: what it asks of the Profile API, how it pages, and what each failure becomes."""

import asyncio
import gzip
import json
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from personalize import errors
from personalize.errors import ProfileApiError
from personalize.model import Event, ExternalId
from personalize.needs import Events, EventsSpec, TraitsSpec
from personalize.ports import Errand
from personalize.profile_api.budget import Unlimited
from personalize.profile_api.client import MAX_BODY, REGIONS, ProfileClient
from personalize.profile_api.guard import Guard
from personalize.profile_api.sections import MAX_PAGES, READ_SECONDS, SectionReader
from personalize.profile_api.token import AccessToken
from personalize.telemetry.metrics import Metrics
from personalize.testing.recording import LAST_PAGE
from tests.doubles import event
from tests.loops import now, run
from tests.unit.profile_api.budgets import Metered

TOKEN = "canary-of-a-token"
ADA = ExternalId("user_id", "canary-of-an-id")
BASIC = "Basic " + b64encode(f"{TOKEN}:".encode()).decode()
PROFILE = "https://profiles.test/v1/spaces/space1/collections/users/profiles/user_id%3Acanary-of-an-id"
TRAITS = TraitsSpec(("plan",), ttl=300)
VIEWED = EventsSpec((Events("Viewed", limit=2),), ttl=300)

ONCE = Errand("page", deadline=0.0)
"""Late from the start: what it asks for is tried once."""

Answer = httpx.Response | Exception


class Api:
    """A Profile API at the transport: gives its answers in turn, the last one again and again, and records requests."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self.metrics = Metrics(CollectorRegistry())
        self._answers = list(answers)
        self.client = client_over(httpx.MockTransport(self.handle), self.metrics)
        self.reader = reader_over(self.client)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def urls(self) -> list[str]:
        return [str(request.url) for request in self.requests]

    def counted(self, route: str) -> dict[str, float]:
        """Return how many calls of a route ended how."""
        samples = next(iter(self.metrics.upstream_requests.collect())).samples
        return {
            sample.labels["outcome"]: sample.value
            for sample in samples
            if sample.labels["route"] == route and sample.name.endswith("_total")
        }


def client_over(transport: httpx.AsyncBaseTransport, metrics: Metrics | None = None) -> ProfileClient:
    return ProfileClient(
        space_id="space1",
        access_token=AccessToken(TOKEN),
        base_url="https://profiles.test/",
        metrics=metrics or Metrics(CollectorRegistry()),
        transport=transport,
    )


def reader_over(client: ProfileClient) -> SectionReader:
    return SectionReader(client, Guard(Unlimited(), metrics=Metrics(CollectorRegistry())))


def traits(**values: Any) -> httpx.Response:
    return httpx.Response(200, json={"traits": values, "cursor": LAST_PAGE})


def page(*names: str, next: str | None = None, **cursor: Any) -> httpx.Response:  # noqa: A002 -- Segment's word
    """Return a page of events with these names; with a `next` there are more."""
    data = [event(name, f"2026-11-20T10:00:00.{number:03}Z") for number, name in enumerate(names)]
    return httpx.Response(200, json={"data": data, "cursor": {"has_more": next is not None, "next": next} | cursor})


def refused(status: int, code: str | None = None) -> httpx.Response:
    headers = {"Request-Id": "1111-2222"}
    if code is None:
        return httpx.Response(status, headers=headers, text=f"<html>{TOKEN} {ADA}</html>")
    return httpx.Response(status, headers=headers, json={"error": {"code": code, "message": f"{TOKEN} {ADA}"}})


async def names_of(api: Api, spec: EventsSpec) -> list[str]:
    """Read events and return their names, in order."""
    content = await api.reader.read("users", ADA, spec, ONCE)
    assert isinstance(content, tuple)
    return [one.name for one in content if isinstance(one, Event)]


async def failure(reader: SectionReader, spec: TraitsSpec | EventsSpec = TRAITS) -> ProfileApiError:
    """Read a section that cannot be read; whatever the reason, it shows neither the token nor the id."""
    with pytest.raises(ProfileApiError) as failed:
        await reader.read("users", ADA, spec, ONCE)
    error = failed.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error)
    for secret in (TOKEN, BASIC, ADA.value):
        assert secret not in shown
    assert BASIC not in locals_shown(error)
    return error


def locals_shown(error: Exception) -> str:
    """Return what a reporter that collects local variables would tell of our frames, but for those of this file."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    return "".join(str(frame.locals) for frame in frames if frame.filename != __file__)


def test_base_urls_are_the_documented_ones() -> None:
    """Of the two regions that Segment has."""
    assert REGIONS == {"us": "https://profiles.segment.com", "eu": "https://profiles.euw1.segment.com"}


@pytest.mark.parametrize("told", ["", "a b", "x" * 129, "1\t2", "ada@example.test", "<script>", "1234\u0661"])
async def test_an_odd_request_id_is_not_told(told: str) -> None:
    """It is shown in messages and logs: what is no id stays out of them."""
    api = Api(httpx.Response(500, headers=[(b"Request-Id", told.encode())]))
    error = await failure(api.reader)
    assert (error.request_id, str(error)) == (None, "The Profile API answered 500.")


@pytest.mark.parametrize("told", ["1111-2222", "a.B_3-" * 21])
async def test_a_request_id_is_told(told: str) -> None:
    """As support asks for it."""
    assert (await failure(Api(httpx.Response(500, headers={"Request-Id": told})).reader)).request_id == told


async def test_the_token_is_the_basic_username_and_the_password_is_empty() -> None:
    """As the documentation asks, and with one of each header."""
    api = Api(traits(plan="pro"))
    await api.reader.read("users", ADA, TRAITS, ONCE)
    headers = api.requests[0].headers
    assert headers.get_list("authorization") == [BASIC]
    assert headers.get_list("accept") == ["application/json"]
    assert headers.get_list("accept-encoding") == ["identity"]
    assert headers.get_list("user-agent") == ["personalize"]


def test_a_repr_has_no_token() -> None:
    """It tells which space of which region, as a log may."""
    assert repr(Api(traits()).client) == "ProfileClient(space_id='space1', base_url='https://profiles.test')"


async def test_a_token_that_is_replaced_is_sent_from_then_on(tmp_path: Path) -> None:
    """With the next request, and it is told by a failure as little as the first one."""
    (tmp_path / "token").write_text("canary-of-a-new-token")
    token = AccessToken(TOKEN, tmp_path / "token")
    api = Api(traits(plan="pro"), refused(401, "authentication_error"))
    client = ProfileClient(
        space_id="space1",
        access_token=token,
        base_url="https://profiles.test",
        metrics=api.metrics,
        transport=httpx.MockTransport(api.handle),
    )
    await client.traits("users", ADA)
    assert await token.reread()
    with pytest.raises(errors.AuthenticationFailed) as failed:
        await client.traits("users", ADA)
    new = "Basic " + b64encode(b"canary-of-a-new-token:").decode()
    assert [request.headers["Authorization"] for request in api.requests] == [BASIC, new]
    shown = "".join(traceback.format_exception(failed.value)) + repr(failed.value) + repr(client) + repr(token)
    assert not any(secret in shown for secret in (TOKEN, BASIC, "canary-of-a-new-token", new))


async def test_traits_are_asked_for_by_name() -> None:
    """One GET that includes exactly the names, with a limit that lets them all through."""
    api = Api(traits(plan="pro", **{"a b": 1}))
    found = await api.reader.read("users", ADA, TraitsSpec(("a b", "plan", "none"), ttl=300), ONCE)
    assert found == {"plan": "pro", "a b": 1}
    assert api.requests[0].method == "GET"
    assert api.urls == [f"{PROFILE}/traits?include=a%20b,plan,none&limit=3"]


async def test_a_trait_that_was_not_asked_for_is_left() -> None:
    """Where `include` is ignored, nothing more than the need is kept."""
    assert await Api(traits(plan="pro", email="a@b.test")).reader.read("users", ADA, TRAITS, ONCE) == {"plan": "pro"}


async def test_accounts_are_read_from_their_collection() -> None:
    """The same routes under the other collection."""
    api = Api(traits())
    await api.reader.read("accounts", ExternalId("group_id", "g1"), TRAITS, ONCE)
    assert "/collections/accounts/profiles/group_id%3Ag1/traits?" in api.urls[0]


@pytest.mark.parametrize(("count", "sizes"), [(200, [200]), (201, [200, 1]), (450, [200, 200, 50])])
async def test_more_traits_than_a_call_may_have_are_split(count: int, sizes: list[int]) -> None:
    """Each call has at most 200, each name is asked for once, and the answers are joined."""
    names = tuple(f"t{number}" for number in range(count))
    api = Api(*(traits(**dict.fromkeys(names[start : start + 200], 1)) for start in range(0, count, 200)))
    found = await api.reader.read("users", ADA, TraitsSpec(names, ttl=300), ONCE)
    assert found == dict.fromkeys(names, 1)
    assert [int(request.url.params["limit"]) for request in api.requests] == sizes
    assert [name for request in api.requests for name in request.url.params["include"].split(",")] == list(names)


async def test_events_are_asked_for_by_name_and_newest_first() -> None:
    """One GET includes the names of all needs, each once."""
    api = Api(page("B", "A"))
    spec = EventsSpec((Events("B", "A c"), Events("A c", "A")), ttl=300)
    assert await names_of(api, spec) == ["B", "A"]
    assert api.urls == [f"{PROFILE}/events?include=A,A%20c,B&limit=100&sort=desc"]


async def test_events_are_paged_by_next_alone() -> None:
    """An answer's `url` never chooses whom we ask: the host stays ours, the cursor goes out encoded."""
    hostile = "https://attacker.test/v1/steal?next=1"
    api = Api(page("Viewed", next="a+b/=&x=1", url=hostile), page("Viewed", url=hostile))
    assert await names_of(api, VIEWED) == ["Viewed", "Viewed"]
    first = f"{PROFILE}/events?include=Viewed&limit=100&sort=desc"
    assert api.urls == [first, f"{first}&next=a%2Bb%2F%3D%26x%3D1"]


async def test_a_third_page_follows_the_second_ones_cursor() -> None:
    """Cursors replace each other instead of piling up."""
    api = Api(page("Viewed", next="one"), page(next="two"), page("Viewed"))
    await names_of(api, VIEWED)
    assert [request.url.params.get_list("next") for request in api.requests] == [[], ["one"], ["two"]]


async def test_paging_stops_when_every_need_is_filled() -> None:
    """What nobody would take is not fetched."""
    api = Api(page("Viewed", "Viewed", next="more"))
    assert await names_of(api, VIEWED) == ["Viewed", "Viewed"]
    assert len(api.requests) == 1


async def test_paging_goes_on_for_a_rare_event() -> None:
    """A frequent event fills the first pages, but not the need of the rare one."""
    spec = EventsSpec((Events("Rare", limit=1), Events("Viewed", limit=2)), ttl=300)
    api = Api(page("Viewed", "Viewed", "Viewed", next="1"), page("Viewed", "Rare", next="2"))
    assert await names_of(api, spec) == ["Viewed", "Viewed", "Rare"]
    assert len(api.requests) == 2


async def test_a_cursor_that_does_not_move_ends_the_paging() -> None:
    """The same page would come again."""
    api = Api(page("Viewed", next="more"))
    assert await names_of(api, EventsSpec((Events("Never", "Viewed"),), ttl=300)) == ["Viewed"] * 2
    assert len(api.requests) == 2


async def test_paging_is_capped() -> None:
    """A history without an end is read so far and no farther, and what was found is kept."""
    api = Api(*(page("Viewed", next=str(number)) for number in range(MAX_PAGES + 1)))
    assert await names_of(api, EventsSpec((Events("Never", "Viewed"),), ttl=300)) == ["Viewed"] * MAX_PAGES
    assert len(api.requests) == MAX_PAGES


@pytest.mark.parametrize(
    "cursor",
    [
        None,
        {},
        {"has_more": False, "next": "more"},
        {"has_more": True},
        {"has_more": True, "next": ""},
        {"has_more": True, "next": None},
    ],
)
async def test_paging_stops_on_the_last_page(cursor: dict[str, Any] | None) -> None:
    """Nothing more, or nothing to ask for it by."""
    body = {"data": [event("Viewed")], "cursor": cursor}
    api = Api(httpx.Response(200, json=body))
    assert await names_of(api, VIEWED) == ["Viewed"]
    assert len(api.requests) == 1


async def test_only_events_that_a_need_takes_are_kept() -> None:
    """Each need takes its newest; one that several take is kept once, and what was not asked for not at all."""
    spec = EventsSpec((Events("A", limit=1), Events("A", "B", limit=3)), ttl=300)
    api = Api(page("A", "other", "B", "A", "B", "A"))
    assert await names_of(api, spec) == ["A", "B", "A"]


async def test_a_failed_page_fails_the_section() -> None:
    """Half a history is not passed off as the whole."""
    api = Api(page("Viewed", next="more"), refused(503))
    assert type(await failure(api.reader, VIEWED)) is errors.ServerFault
    assert api.counted("events") == {"ok": 1, "server_fault": 1}


REFUSALS: list[tuple[int, str | None, type[ProfileApiError]]] = [
    (400, None, errors.InvalidRequest),
    (401, None, errors.AuthenticationFailed),
    (403, None, errors.AuthenticationFailed),
    (404, None, errors.Unreadable),
    (429, None, errors.RateLimited),
    (500, None, errors.ServerFault),
    (502, None, errors.ServerFault),
    (503, None, errors.ServerFault),
    (504, None, errors.ServerFault),
    (201, None, errors.Unreadable),
    (302, None, errors.Unreadable),
    (418, None, errors.Unreadable),
    (404, "not_found", errors.ProfileNotFound),
    (401, "authentication_error", errors.AuthenticationFailed),
    (400, "invalid_request_error", errors.InvalidRequest),
    (400, "validation_error", errors.ValidationFailed),
    (429, "rate_limit_error", errors.RateLimited),
    (400, "not_found", errors.ProfileNotFound),
    (400, "authentication_error", errors.AuthenticationFailed),
    (500, "rate_limit_error", errors.RateLimited),
    (404, "validation_error", errors.ValidationFailed),
    (404, "a_new_code", errors.Unreadable),
    (503, "a_new_code", errors.ServerFault),
]


@pytest.mark.parametrize(("status", "code", "kind"), REFUSALS)
async def test_a_refusal_is_told_by_its_code_else_by_its_status(
    status: int, code: str | None, kind: type[ProfileApiError]
) -> None:
    """With Segment's id of the answer, for their support, and without its message."""
    api = Api(refused(status, code))
    error = await failure(api.reader)
    assert type(error) is kind
    assert str(error) == f"The Profile API answered {status}. (Request-Id 1111-2222)"
    assert (error.request_id, error.upstream_status, error.upstream_code) == ("1111-2222", status, code)
    assert api.counted("traits") == {kind.label: 1}
    assert len(api.requests) == 1


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("1e9", 60.0), ("soon", None), (None, None)])
async def test_a_spent_rate_limit_tells_when_to_come_back(header: str | None, seconds: float | None) -> None:
    """As the answer's header says, if it says so."""
    error = await failure(Api(httpx.Response(429, headers={"Retry-After": header} if header else None)).reader)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after == seconds


async def test_an_answer_may_lack_a_request_id() -> None:
    """Then the error names none."""
    error = await failure(Api(httpx.Response(500)).reader)
    assert str(error) == "The Profile API answered 500."
    assert error.request_id is None


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (httpx.ConnectError, errors.Unreachable),
        (httpx.ReadError, errors.Unreachable),
        (httpx.RemoteProtocolError, errors.Unreachable),
        (httpx.ConnectTimeout, errors.TimedOut),
        (httpx.ReadTimeout, errors.TimedOut),
        (httpx.PoolTimeout, errors.TimedOut),
        (TimeoutError, errors.TimedOut),
    ],
)
async def test_a_transports_failure_is_told_by_its_kind_alone(
    raised: type[Exception], kind: type[ProfileApiError]
) -> None:
    """A foreign message may quote the URL with its id, or the headers with the token; and nothing of it stays."""
    foreign = raised(f"{PROFILE} {BASIC} {TOKEN}")
    api = Api(foreign)
    error = await failure(api.reader)
    assert type(error) is kind
    assert foreign.__traceback__ is None
    assert str(error) == f"The Profile API could not be read ({raised.__name__})."
    assert api.counted("traits") == {kind.label: 1}


@pytest.mark.parametrize(
    "body",
    [
        f"<html>{TOKEN} {ADA}</html>".encode(),
        f'["{TOKEN}"]'.encode(),
        b'{"traits": null}',
        f'{{"traits": {{"plan": "{TOKEN}'.encode(),
        b"",
    ],
)
async def test_an_answer_of_another_shape_is_unreadable(body: bytes) -> None:
    """A 200 from something between us and Segment is not a profile; its id is told, its body is not."""
    error = await failure(Api(httpx.Response(200, content=body, headers={"Request-Id": "1111-2222"})).reader)
    assert type(error) is errors.Unreadable
    assert error.request_id == "1111-2222"


def filled(size: int) -> bytes:
    """Return an answer of exactly this many bytes."""
    shell = len(json.dumps({"traits": {"plan": ""}}))
    return json.dumps({"traits": {"plan": "x" * (size - shell)}}).encode()


async def test_an_answer_of_the_largest_size_is_read() -> None:
    """The limit itself is allowed."""
    found = await Api(httpx.Response(200, content=filled(MAX_BODY))).reader.read("users", ADA, TRAITS, ONCE)
    assert isinstance(found, dict)
    assert len(found["plan"]) > MAX_BODY - 100


async def test_a_larger_answer_is_unreadable() -> None:
    """One byte more is too many."""
    error = await failure(Api(httpx.Response(200, content=filled(MAX_BODY + 1))).reader)
    assert type(error) is errors.Unreadable


@pytest.mark.parametrize(
    ("status", "kind"), [(200, errors.Unreadable), (404, errors.Unreadable), (500, errors.ServerFault)]
)
async def test_an_endless_answer_is_left(status: int, kind: type[ProfileApiError]) -> None:
    """Reading stops at the limit, whatever the status, and memory stays bounded."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield bytes(65536)

    assert type(await failure(Api(httpx.Response(status, content=endless())).reader)) is kind
    assert sent <= MAX_BODY + 65536


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "gzip, identity"])
async def test_an_encoded_answer_is_unreadable(encoding: str) -> None:
    """Identity was asked for; a small body that expands to a large one is never expanded."""
    opened = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal opened
        opened = True
        yield gzip.compress(bytes(MAX_BODY * 4))

    error = await failure(Api(httpx.Response(200, content=body(), headers={"Content-Encoding": encoding})).reader)
    assert type(error) is errors.Unreadable
    assert not opened


async def test_identity_may_be_said() -> None:
    """Some answer the encoding that was asked for by its name."""
    answer = httpx.Response(200, json={"traits": {"plan": 1}}, headers={"Content-Encoding": "Identity"})
    assert await Api(answer).reader.read("users", ADA, TRAITS, ONCE) == {"plan": 1}


class Dripping(httpx.AsyncBaseTransport):
    """Answers at once and never ends the body: each chunk comes well within any limit between two chunks."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async def drops() -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.05)

        return httpx.Response(200, content=drops())


async def test_a_read_is_bounded_however_slowly_it_drips() -> None:
    """The limit is on the whole, and the call is counted as timed out."""
    metrics = Metrics(CollectorRegistry())
    async with asyncio.timeout(30):
        error = await failure(reader_over(client_over(Dripping(), metrics)))
    assert type(error) is errors.TimedOut
    labels = {"route": "traits", "outcome": "timed_out"}
    assert metrics.registry.get_sample_value("personalize_upstream_requests_total", labels) == 1


def test_every_page_is_admitted_by_itself() -> None:
    """Each is a call of the budget, for the errand that it is made for; one that failed fast is asked for again."""

    async def test() -> None:
        api = Api(page("Viewed", next="1"), refused(503), page(next="2"), page("Viewed"))
        budget = Metered()
        reader = SectionReader(api.client, Guard(budget, metrics=api.metrics, clock=now))
        found = await reader.read("users", ADA, VIEWED, Errand("server", now() + 0.8))
        assert isinstance(found, tuple)
        assert len(found) == 2
        assert budget.asked == ["server"] * 4
        assert [request.url.params.get("next") for request in api.requests] == [None, "1", "1", "2"]

    run(test())


def test_waiting_for_admission_is_a_part_of_the_read() -> None:
    """It ends at its time limit, though its errand would have had more patience, and it is not sent any more."""

    async def test() -> None:
        api = Api(traits())
        budget = Metered(free_at=now() + 10)
        reader = SectionReader(api.client, Guard(budget, metrics=api.metrics, clock=now))
        begun = now()
        with pytest.raises(errors.TimedOut):
            await reader.read("users", ADA, TRAITS, Errand("page", begun + 20))
        assert now() == pytest.approx(begun + READ_SECONDS)
        assert api.requests == []

    run(test())


async def test_a_cancelled_read_stays_cancelled() -> None:
    """Whoever stops the service sees the read end, not an error of Segment's."""
    asked = asyncio.Event()

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    read = asyncio.create_task(reader_over(client_over(Silent())).read("users", ADA, TRAITS, ONCE))
    await asked.wait()
    read.cancel()
    with pytest.raises(asyncio.CancelledError):
        await read


async def test_calls_are_counted_and_timed_by_route() -> None:
    """Every page is a call."""
    api = Api(traits(plan=1), page("Viewed", next="more"), page("Viewed"))
    await api.reader.read("users", ADA, TRAITS, ONCE)
    await api.reader.read("users", ADA, VIEWED, ONCE)
    assert (api.counted("traits"), api.counted("events")) == ({"ok": 1}, {"ok": 2})
    seconds = api.metrics.registry.get_sample_value("personalize_upstream_seconds_count", {"route": "events"})
    assert seconds == 2


async def test_redirects_are_not_followed() -> None:
    """The token goes to the configured host and to no other."""
    api = Api(httpx.Response(307, headers={"Location": "https://attacker.test/"}))
    assert type(await failure(api.reader)) is errors.Unreadable
    assert [request.url.host for request in api.requests] == ["profiles.test"]


@pytest.mark.parametrize("base_url", ["http://proxy.test/segment", "http://proxy.test/segment/"])
async def test_requests_go_to_the_given_base_url(base_url: str) -> None:
    """With or without a slash at its end, and under a path of a proxy."""
    api = Api(traits())
    transport, metrics = httpx.MockTransport(api.handle), Metrics(CollectorRegistry())
    client = ProfileClient(
        space_id="s", access_token=AccessToken(TOKEN), base_url=base_url, metrics=metrics, transport=transport
    )
    await reader_over(client).read("users", ExternalId("user_id", "1"), TRAITS, ONCE)
    profile = "http://proxy.test/segment/v1/spaces/s/collections/users/profiles/user_id%3A1"
    assert api.urls == [f"{profile}/traits?include=plan&limit=1"]


async def test_closing_the_client_closes_its_transport() -> None:
    """The pool goes with it."""
    closed = asyncio.Event()

    class Closable(httpx.AsyncBaseTransport):
        async def aclose(self) -> None:
            closed.set()

    await client_over(Closable()).aclose()
    assert closed.is_set()


async def test_a_client_without_a_transport_has_a_pool_of_its_own() -> None:
    """It reads over real sockets, here one that nobody listens on."""
    metrics = Metrics(CollectorRegistry())
    client = ProfileClient(
        space_id="s", access_token=AccessToken(TOKEN), base_url="http://127.0.0.1:1", metrics=metrics
    )
    assert type(await failure(reader_over(client))) is errors.Unreachable
    await client.aclose()


@pytest.mark.parametrize("location", ["javascript:x", "http://xn----/", "http://elsewhere.test/"])
async def test_a_redirect_is_unreadable_wherever_it_leads(location: str) -> None:
    """It is neither followed nor looked at."""
    api = Api(httpx.Response(302, headers={"Location": location}))
    assert type(await failure(api.reader)) is errors.Unreadable
    assert len(api.requests) == 1


async def test_a_url_that_no_server_would_take_is_an_invalid_request() -> None:
    """Names that make 64 KiB of a URL are told as one of our own errors."""
    spec = TraitsSpec(tuple(f"{number:03}" + "x" * 400 for number in range(200)), ttl=300)
    with pytest.raises(errors.InvalidRequest):
        await Api(traits()).reader.read("users", ADA, spec, ONCE)


async def test_cookies_are_not_kept() -> None:
    """What an answer sets for one visitor is not sent with the next one's request."""
    api = Api(httpx.Response(200, json={"traits": {}}, headers={"Set-Cookie": "v=1"}))
    for _ in range(2):
        await api.reader.read("users", ADA, TRAITS, ONCE)
    assert [request.headers.get("Cookie") for request in api.requests] == [None, None]


async def test_no_library_logs_an_id(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever level the process that runs us logs at."""
    caplog.set_level("DEBUG")
    await Api(traits(plan=1)).reader.read("users", ADA, TRAITS, ONCE)
    assert "canary" not in caplog.text


async def test_an_unreadable_answer_is_counted_as_one() -> None:
    """A 200 that says nothing is not `ok`."""
    api = Api(httpx.Response(200, text="<html>"))
    assert type(await failure(api.reader)) is errors.Unreadable
    assert api.counted("traits") == {"unreadable": 1}


@pytest.mark.parametrize(
    ("status", "kind"), [(404, errors.Unreadable), (401, errors.AuthenticationFailed), (503, errors.ServerFault)]
)
async def test_an_encoded_refusal_keeps_its_status(status: int, kind: type[ProfileApiError]) -> None:
    """What went wrong is told even if the body cannot be looked at."""
    answer = httpx.Response(status, content=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})
    assert type(await failure(Api(answer).reader)) is kind
