"""Signatures of the webhook's calls: what they cover, and that nothing else passes for signed."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.errors import BadSignature, BodyTooLarge
from personalize.trust.signature import MAX_CALL_BYTES, MAX_CALLS, MAX_MEMBERS, MAX_TOKENS, Signatures
from tests.documents import ROOT

VECTORS = json.loads((ROOT / "tests/data/segment_webhook/signatures.json").read_text(encoding="utf-8"))
SECRET = b"fake-secret-of-the-webhook"
SIGNATURES = Signatures(SECRET)
CALL = b'{"type":"identify","userId":"ada","traits":{"a,b":[1,{"c":2}],"q":"\\"}{,"}}'


def signed(text: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, text, hashlib.sha1).hexdigest()


@pytest.mark.parametrize("vector", VECTORS["calls"], ids=lambda one: one["name"])
def test_what_segment_signs_is_recognised(vector: dict[str, Any]) -> None:
    """A single call wholly, a batch by its first call; the others of it are unsigned."""
    body = vector["body"].encode()
    parts = Signatures(VECTORS["secret"].encode()).parts(body, vector["signature"])
    told = json.loads(body)
    if vector["covers"] == "body":
        assert (parts.signed, parts.unsigned) == ((body,), ())
    else:
        assert parts.signed[0] in body
        assert [json.loads(one) for one in (*parts.signed, *parts.unsigned)] == told
        assert len(parts.signed) == 1


@pytest.mark.parametrize("vector", VECTORS["calls"], ids=lambda one: one["name"])
def test_a_byte_that_is_another_is_not_signed(vector: dict[str, Any]) -> None:
    """Nor are the same values, written otherwise."""
    told = json.loads(vector["body"])
    head = told[0] if isinstance(told, list) else told
    head["userId"] = "u124"
    for text in (json.dumps(told, separators=(",", ":")), vector["body"].replace('"u', '"U').replace("user1", "User1")):
        with pytest.raises(BadSignature, match="not that of this body"):
            Signatures(VECTORS["secret"].encode()).parts(text.encode(), vector["signature"])


def test_blanks_around_a_batchs_calls_are_not_part_of_them() -> None:
    """The first call's exact bytes are what is signed."""
    parts = SIGNATURES.parts(b" [\n  " + CALL + b" ,\t{} ]\n", signed(CALL))
    assert (parts.signed, parts.unsigned) == ((CALL,), (b"{}",))


@pytest.mark.parametrize(
    "extras", [b',"extras":{"a":1,"b":[2]}}', b',"audience_id":"aud_1","note":"x, {y}"}', b',"userId":"eve"}']
)
def test_members_that_a_sender_adds_are_left_out(extras: bytes) -> None:
    """Only what was signed is given on: whoever adds something says nothing by it."""
    body = CALL[:-1] + extras
    for sent in (body, b"[" + body + b',{"userId":"bob"}]'):
        assert SIGNATURES.parts(sent, signed(CALL)).signed == (CALL,)


def test_a_batch_that_is_signed_as_a_whole_is_believed_as_a_whole() -> None:
    """The signature is over the body, as it is of a single call."""
    body = b'[{"userId":"ada"},{"userId":"bob"}]'
    assert SIGNATURES.parts(body, signed(body)).signed == (b'{"userId":"ada"}', b'{"userId":"bob"}')
    assert SIGNATURES.parts(b"[]", signed(b"[]")).signed == (b"[]",)
    assert SIGNATURES.parts(b"[broken", signed(b"[broken")).signed == (b"[broken",)


@pytest.mark.parametrize("signature", [None, "", " ", "0" * 39, "0" * 41, "g" * 40, "é" * 40, "sha1=" + "0" * 40])
def test_what_is_no_signature_is_refused_before_the_body_is_looked_at(signature: str | None) -> None:
    """And says what is expected."""
    with pytest.raises(BadSignature, match="is missing, or is no hexadecimal HMAC-SHA1"):
        SIGNATURES.parts(CALL, signature)


def test_a_signature_may_be_in_capitals() -> None:
    """Hexadecimal digits are the same in both."""
    assert SIGNATURES.parts(CALL, f" {signed(CALL).upper()} ").signed == (CALL,)


def test_another_secret_is_anothers() -> None:
    """Nobody else's signature counts."""
    with pytest.raises(BadSignature):
        SIGNATURES.parts(CALL, signed(CALL, b"another-fake-secret"))


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"[" + b'{"userId":"eve"},' + CALL + b"]", CALL),
        (b'{"userId":"eve",' + CALL[1:], CALL),
        (b'{"a":' + CALL + b"}", CALL),
        (b"[[" + CALL + b"]]", CALL),
        (CALL, CALL[:-1]),
        (b'{"a":1}', b"{}"),
        (b"[]", b""),
        (b"[", b""),
        (b"[{]", b"{"),
        (b'"a,b"', b'"a}'),
    ],
    ids=range(10),
)
def test_a_signature_of_something_inside_is_none_of_the_whole(body: bytes, part: bytes) -> None:
    """Only a first call, and only from its beginning."""
    with pytest.raises(BadSignature):
        SIGNATURES.parts(body, signed(part))


def test_the_signed_part_ends_within_some_members() -> None:
    """A digest for each of thousands would be work for nothing."""
    added = b"".join(b',"m%d":0' % number for number in range(MAX_MEMBERS))
    head = b'{"userId":"ada"}'
    assert SIGNATURES.parts(head[:-1] + added + b"}", signed(head)).signed == (head,)
    first = b'{"a":0' + added + b"}"
    with pytest.raises(BadSignature):
        SIGNATURES.parts(first[:-1] + b',"extra":0}', signed(first))


@pytest.mark.parametrize("batch", [False, True])
def test_the_signed_part_is_looked_for_in_messages_of_segments_size(*, batch: bool) -> None:
    """Whatever is larger and not signed as a whole is nobody's: it is not taken apart."""
    head, added = b'{"userId":"%s"}', b',"extra":0}'
    room = MAX_CALL_BYTES - len(added) + 1 - len(head % b"")
    for length, found in ((room, True), (room + 1, False)):
        whole = head % (b"a" * length)
        body = whole[:-1] + added
        assert is_found(b"[" + body + b"]" if batch else body, signed(whole)) is found
        assert is_found(whole, signed(whole))


@pytest.mark.parametrize("token", [b"{}", b'"",', b"[],"])
def test_the_signed_part_ends_within_some_tokens(token: bytes) -> None:
    """However small they are: to look at all that fits into a body would keep everybody else waiting."""
    each = {b"{}": 2, b'"",': 2, b"[],": 3}[token]
    before = len([b"{", b'"a"', b"[", b"]", b","])
    most = (MAX_TOKENS - before) // each
    for count, found in ((most, True), (most + 1, False)):
        whole = b'{"a":[' + token * count + b"]}"
        assert is_found(whole[:-1] + b',"extra":0}', signed(whole)) is found


def is_found(body: bytes, signature: str) -> bool:
    """Whether there is something in a body that a signature covers."""
    try:
        return bool(SIGNATURES.parts(body, signature).signed)
    except BadSignature:
        return False


def test_a_batch_has_no_more_calls_than_segments() -> None:
    """Whatever it is signed with."""
    body = b"[" + b",".join([b"{}"] * (MAX_CALLS + 1)) + b"]"
    with pytest.raises(BodyTooLarge, match="more than 2500 calls"):
        SIGNATURES.parts(body, signed(b"{}"))
    with pytest.raises(BadSignature):  # nobody signed it, so nobody counts
        SIGNATURES.parts(body, signed(b"[]"))


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 50_000, b'{"' + b'\\"' * 250_000, b'{"a,' * 120_000, b""])
def test_hostile_bodies_cost_little_and_are_refused(body: bytes) -> None:
    """However deep, long or broken."""
    with pytest.raises(BadSignature):
        SIGNATURES.parts(body, "0" * 40)


@given(st.binary(max_size=200) | st.text(alphabet='[]{},:"\\ab1 ', max_size=60).map(str.encode))
def test_whatever_a_body_is_its_own_signature_covers_it_and_no_other_does(body: bytes) -> None:
    """No bytes break it."""
    assert all(one in body for one in SIGNATURES.parts(body, signed(body)).signed)
    with pytest.raises(BadSignature):
        SIGNATURES.parts(body, signed(body + b"."))


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.lists(st.integers(), max_size=3), min_size=1))
def test_members_behind_the_signed_ones_are_always_found(told: dict[str, Any]) -> None:
    """Whatever names and values the signed ones have."""
    call = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    if len(told) <= MAX_MEMBERS:
        assert SIGNATURES.parts(call[:-1] + b',"extras":{"x":[",}"]}}', signed(call)).signed == (call,)
