"""Whatever is sent, it is answered: with a result or a problem, never with a failure of ours."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote_from_bytes

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doubles import ORIGIN
from tests.tokens import SECRET, claims, hs256
from tests.tokens import unsigned as first_parts
from tests.trust.conftest import opened

Ask = Callable[[httpx.Request], httpx.Response]

BASE = "http://service.test"
PATHS = ("/api/name", "/api/recommended-posts", "/api/customer-context", "/api/own-account", "/api/personalize")
IDS = ("user_id", "anonymous_id", "group_id", "external_id")
TOLD = {200, 304, 400, 401, 403, 404, 415}

fuzzed = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
heads = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from(["HS256", "ES256", "EdDSA", "none", "HS512", "RS256"]) | values,
        "kid": st.sampled_from(["web", "mobile", "shop"]) | values,
        "typ": values,
        "crit": values,
        "b64": st.booleans(),
        "jwk": values,
    },
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "sub": st.sampled_from(["user_id:ada", "anonymous_id:a"])
        | st.text(max_size=30).map("user_id:{}".format)
        | values,
        "aud": st.just("personalize") | values,
        "exp": st.just(claims()["exp"]) | values,
        "nbf": values,
        "iat": values,
    },
)
texts = st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
ids = st.dictionaries(st.sampled_from(IDS), st.binary(max_size=40) | texts, max_size=4)
bodies = st.fixed_dictionaries(
    {"recipes": st.just([{"name": "name"}, {"name": "own-account"}]) | values},
    optional={**dict.fromkeys(IDS, st.text(max_size=30) | values), "timeout_ms": st.integers() | values},
)
proofs = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda word: b"Bearer " + word),
    st.builds(lambda head, body: f"Bearer {hs256(head, body, SECRET.encode())}".encode(), heads, payloads),
    st.builds(lambda head, body: f"Bearer {first_parts(head, body)}.".encode(), heads, payloads),
    st.builds(lambda body: f"Bearer {hs256({'alg': 'HS256', 'kid': 'web'}, body, SECRET.encode())}".encode(), payloads),
)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Return what asks a service that is open for all examples."""
    with asyncio.Runner() as runner:
        opening = opened(tmp_path_factory.mktemp("house"))
        house = runner.run(opening.__aenter__())
        yield lambda request: runner.run(house.client.send(request))
        runner.run(opening.__aexit__(None, None, None))


@fuzzed
@given(path=st.sampled_from(PATHS), proof=proofs)
def test_any_proof_is_answered(ask: Ask, path: str, proof: bytes) -> None:
    """A token may say anything in either part, signed or not."""
    url = f"{BASE}{path}?user_id=ada&group_id=acme{'&recipes=name' if path == '/api/personalize' else ''}"
    answer = ask(httpx.Request("GET", url, headers=[(b"Authorization", proof)]))
    assert answer.status_code in TOLD, answer.text


@fuzzed
@given(path=st.sampled_from(PATHS), given_ids=ids, proof=st.none() | proofs)
def test_any_id_is_answered(ask: Ask, path: str, given_ids: dict[str, bytes], proof: bytes | None) -> None:
    """It may be of any bytes, for bytes are what comes."""
    query = "&".join(f"{name}={quote_from_bytes(value)}" for name, value in given_ids.items())
    url = f"{BASE}{path}?{query}{'&recipes=name' if path == '/api/personalize' else ''}"
    answer = ask(httpx.Request("GET", url, headers=[] if proof is None else [(b"Authorization", proof)]))
    assert answer.status_code in TOLD, answer.text


@fuzzed
@given(body=st.binary(max_size=100) | bodies)
def test_any_body_is_answered(ask: Ask, body: object) -> None:
    """JSON or not, of the right types or not."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    url, headers = f"{BASE}/api/personalize", {"Content-Type": "application/json"}
    answer = ask(httpx.Request("POST", url, headers=headers, content=content))
    assert answer.status_code in TOLD, answer.text


HEADERS = ("Origin", "X-Forwarded-For", "If-None-Match", "Accept", "X-Request-Id", "X-Signature")
MARK = b"<canary>"
words = st.sampled_from(
    [
        b"null",
        ORIGIN.encode(),
        b"*",
        b'W/"',
        b'"a", "b"',
        b"text/html;q=0.1",
        b"application/json",
        b"::1",
        b"[",
        b"0" * 40,
    ]
)
values_of_headers = st.lists(words | st.binary(max_size=40) | st.just(MARK), max_size=4).map(b",".join)
told_headers = st.lists(st.tuples(st.sampled_from(HEADERS), values_of_headers), max_size=8)


@settings(fuzzed, max_examples=200)
@given(path=st.sampled_from((*PATHS, "/webhooks/segment", "/livez", "/nothing")), headers=told_headers)
def test_any_header_is_answered_and_none_is_echoed(ask: Ask, path: str, headers: list[tuple[str, bytes]]) -> None:
    """However often it comes and whatever is in it: what goes back is ours, or one of the exact origins."""
    method = "POST" if path == "/webhooks/segment" else "GET"
    query = {"/api/personalize": "?user_id=ada&recipes=recommended-posts", "/api/recommended-posts": "?user_id=ada"}
    sent = [(name.encode(), value) for name, value in headers]
    answer = ask(httpx.Request(method, f"{BASE}{path}{query.get(path, '')}", headers=sent))
    assert answer.status_code < 500, answer.text
    told = b"\n".join((answer.content, *(part for header in answer.headers.raw for part in header)))
    assert MARK not in told
    assert answer.headers.get("Access-Control-Allow-Origin") in {None, ORIGIN}
    assert re.fullmatch(r"[A-Za-z0-9-]{1,64}", answer.headers["X-Request-Id"])
