"""One key replaces another, and nobody who holds a token of either notices."""

from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from personalize.app.application import create_app
from personalize.testing import RecordingProfileApi
from personalize.testing.services import client_of
from tests.doubles import settings_of
from tests.tokens import EC_KEY, OTHER_SECRET, SECRET, bearer, claims, es256, minted, public_pem

OLD = f"old:{SECRET}"
NEW = f"new:{OTHER_SECRET}"
NAME = "/api/last-viewed-not-purchased?user_id=ada"


async def client_with(stack: AsyncExitStack, keys: str) -> httpx.AsyncClient:
    """Return a client of a replica that was started with these keys."""
    app = create_app(settings_of(IDENTITY_KEYS=keys), transport=RecordingProfileApi().transport)
    return await stack.enter_async_context(client_of(app))


async def test_a_key_is_replaced_without_a_refusal() -> None:
    """Replicas learn the new key one after the other, then it is signed with, then the old one is taken out."""
    old, new = minted(kid="old"), minted(kid="new", secret=OTHER_SECRET)
    async with AsyncExitStack() as stack:
        first, both, last = [await client_with(stack, keys) for keys in (OLD, f"{OLD},{NEW}", NEW)]
        rollout = [(first, old), (both, old), (both, new), (last, new)]
        answers = [await replica.get(NAME, headers=bearer(token)) for replica, token in rollout for _ in range(2)]
        assert {answer.status_code for answer in answers} == {200}
        too_early, too_late = [await one.get(NAME, headers=bearer(t)) for one, t in ((first, new), (last, old))]
        assert (too_early.status_code, too_late.status_code) == (401, 401)


async def test_a_secret_is_replaced_by_a_pair(tmp_path: Path) -> None:
    """A key of another algorithm may be live beside it."""
    (tmp_path / "public.pem").write_bytes(public_pem(EC_KEY))
    async with AsyncExitStack() as stack:
        both = await client_with(stack, f"{OLD},new:@{tmp_path}/public.pem")
        for token in (minted(kid="old"), es256(claims(), kid="new")):
            assert (await both.get(NAME, headers=bearer(token))).status_code == 200


@pytest.mark.parametrize(("keys", "status"), [(OLD, 200), (f"{OLD},{NEW}", 401)])
async def test_a_token_without_a_name_is_for_the_only_key(keys: str, status: int) -> None:
    """Nobody tries one key after another."""
    async with AsyncExitStack() as stack:
        replica = await client_with(stack, keys)
        assert (await replica.get(NAME, headers=bearer(minted(kid=None)))).status_code == status
