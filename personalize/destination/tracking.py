"""The Tracking API, to which batches are sent until it has taken them."""

import gzip
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from personalize.errors import SyncError

TRIES = 8
"""Times that a batch is sent before the run stops: after a minute at most, and longer where `Retry-After` says so."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds: each pause is up to twice the one before, at random, as many runs may wait at once."""

LONGEST_ASKED = 60.0
"""Seconds that `Retry-After` may ask for."""

SECONDS = 30.0
"""What one answer may take."""

REGION = "Make sure that the Endpoint Region setting matches the region of your workspace."


class BatchRefused(Exception):
    """The Tracking API does not take a batch, whenever it is sent."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Time as a run knows it: a test's own, else the machine's."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


class TrackingApi:
    """Sends calls, one batch after the other.

    Args:
        url: with `/v1`.
        client: pooled; its time limits are set here.
        rate: calls a second that are sent at most; 0 is no limit.
        pace: time.
        tries: times that a batch is sent before it is given up.
        seconds: what one answer may take.
        told: is told why a batch waits.
    """

    def __init__(
        self,
        url: str,
        client: httpx.Client,
        *,
        rate: float,
        pace: Pace,
        tries: int = TRIES,
        seconds: float = SECONDS,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._url = f"{url.rstrip('/')}/batch"
        self._client = client
        self._rate = rate
        self._pace = pace
        self._tries = tries
        self._seconds = seconds
        self._told = told
        self._not_before = 0.0

    def send(self, write_key: str, calls: Sequence[bytes]) -> None:
        """Send calls as one batch, which is taken as a whole.

        Raises:
            BatchRefused: it is not taken, and would not be the next time.
            SyncError: the write key is not accepted, or nobody answers.
        """
        self._keep_the_rate(len(calls))
        body = gzip.compress(b'{"batch":[' + b",".join(calls) + b"]}", compresslevel=3, mtime=0)
        for number in range(self._tries):
            reason, pause = self._tried(write_key, body)
            if reason is None:
                return
            if number + 1 < self._tries:
                self._told(f"{reason} Trying again.")
                waits = min(LONGEST_PAUSE, FIRST_PAUSE * 2**number) * (0.5 + self._pace.chance() / 2)
                self._pace.sleep(max(waits, min(pause, LONGEST_ASKED)))
        raise SyncError(
            f"{reason} Given up after {self._tries} tries: run it again later, and it goes on where it was."
        )

    def _tried(self, write_key: str, body: bytes) -> tuple[str | None, float]:
        """Send once; return why it was in vain, if it was, and for how many seconds the API asks to be left alone."""
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        try:
            answer = self._client.post(
                self._url,
                content=body,
                headers=headers,
                auth=(write_key, ""),
                timeout=self._seconds,
                follow_redirects=False,
            )
        except httpx.RequestError as error:
            return f"The Tracking API does not answer ({type(error).__name__}).", 0.0
        if answer.is_success and _is_taken(answer):
            return None, 0.0
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise SyncError(f"The Tracking API does not accept the write key. {REGION}")
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS or answer.is_server_error:
            return f"The Tracking API answers {answer.status_code}.", _seconds(answer.headers)
        if answer.status_code in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
            raise BatchRefused(f"the Tracking API answers {answer.status_code}.")
        raise SyncError(f"The Tracking API answers {answer.status_code}: is {self._url} right? {REGION}")

    def _keep_the_rate(self, calls: int) -> None:
        if self._rate <= 0:
            return
        now = self._pace.clock()
        if now < self._not_before:
            self._pace.sleep(self._not_before - now)
        self._not_before = max(now, self._not_before) + calls / self._rate


def _is_taken(answer: httpx.Response) -> bool:
    """Return whether it is the Tracking API that says so: a proxy's page is a 200 too."""
    try:
        told = answer.json()
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("success") is True


def _seconds(headers: httpx.Headers) -> float:
    """Return what `Retry-After` asks for in seconds, of a date by the clock of whoever says it; else nothing."""
    said = headers.get("Retry-After") or "0"
    try:
        if said.strip().isdecimal():
            return float(said)
        until, now = parsedate_to_datetime(said), parsedate_to_datetime(headers.get("Date") or "")
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0
