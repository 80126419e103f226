"""A run: each row of each model through its mappings, and what has changed to Segment."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from personalize.destination import sources
from personalize.destination.actions import SPACE, Action, Body
from personalize.destination.batches import Batch, Call, encoded
from personalize.destination.mappings import Destination, Model, RowMapping
from personalize.destination.rejects import Rejects
from personalize.destination.rows import Row, Unreadable, as_json
from personalize.destination.state import Mark, State, hashed
from personalize.destination.tracking import BatchRefused
from personalize.destination.values import Json
from personalize.errors import RowRefused

Outcome = Literal["sent", "unchanged", "not triggered", "rejected"]

MAX_SHOWN = 200
"""Characters of a row that cannot be said as JSON."""


@dataclass(slots=True)
class Summary:
    """What became of the rows."""

    rows: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Way:
    """Where calls go.

    Args:
        send: takes a write key and the calls of a batch; see `TrackingApi.send`.
        write_key: for mappings that name no space of their own.
        name: of the whole, such as its URL: what was sent elsewhere was not sent here.
    """

    send: Callable[[str, list[bytes]], None]
    write_key: str | None
    name: str


class Run:
    """One run.

    Args:
        destination: the mappings.
        way: where calls go.
        state: what was sent before.
        rejects: takes the rows that cannot be sent.
        limit: rows of each model that are read at most.
        progressed: is told after each row.
    """

    def __init__(
        self,
        destination: Destination,
        way: Way,
        state: State,
        rejects: Rejects,
        *,
        limit: int | None = None,
        progressed: Callable[[], None] = lambda: None,
    ) -> None:
        self._destination = destination
        self._way = way
        self._state = state
        self._rejects = rejects
        self._limit = limit
        self._progressed = progressed
        self._batches: dict[str, Batch] = {}
        self._waiting: dict[tuple[bytes, bytes], Mark] = {}
        self.summary = Summary()

    def take(self, model: Model, rows: sources.Rows) -> None:
        """Take the rows of a model.

        Raises:
            SyncError: it cannot go on; what was sent is remembered.
        """
        mappings = [one for one in self._destination.mappings if one.model == model.name]
        for number, row in enumerate(rows):
            if number == self._limit:
                break
            self.summary.rows += 1
            self._take_row(model, mappings, row)
            self._progressed()
        self.flush()

    def flush(self) -> None:
        """Send what is waiting."""
        for write_key, batch in self._batches.items():
            self._send(write_key, batch.taken())

    def _take_row(self, model: Model, mappings: list[RowMapping], row: Row | Unreadable) -> None:
        told = _told(row)
        if isinstance(told, Unreadable):
            for mapping in mappings:
                self._reject(told.text, mapping.name, told.reason)
            return
        for mapping in mappings:
            try:
                outcome = self._take_event(model, mapping, told)
            except RowRefused as error:
                self._reject(told, mapping.name, error.reason)
            except UnicodeEncodeError:
                self._reject(told, mapping.name, "it holds half a character, which UTF-8 has no way to write.")
            except RecursionError:
                self._reject(told, mapping.name, "what is made of it has too many objects and lists in one another.")
            else:
                if outcome != "sent":  # which is known when the batch is
                    self.summary.outcomes[outcome] += 1

    def _reject(self, row: Mapping[str, Json] | str, mapping: str, reason: str) -> None:
        self._rejects.add(row, mapping, reason)
        self.summary.outcomes["rejected"] += 1

    def _take_event(self, model: Model, mapping: RowMapping, row: Mapping[str, Json]) -> Outcome:
        event = event_of(row, mapping)
        judged = {**event, "type": kind_of(mapping.action)} if mapping.has_usual_trigger else event
        if mapping.trigger is not None and not mapping.trigger.matches(judged):
            return "not triggered"
        payload = mapping.template.render(event)
        if self._way.write_key is not None and not mapping.names_space:
            payload.setdefault(SPACE.name, self._way.write_key)
        body = mapping.action.call(payload)
        write_key = str(payload[SPACE.name])
        mark = self._mark(model, mapping, row, write_key, body)
        last = self._waiting.get((mark.scope, mark.key)) or self._state.last(mark.scope, mark.key)
        if last is not None and last.digest == mark.digest:
            return "unchanged"
        if last is not None:
            mark = mark._replace(generation=last.generation + 1)
        body.setdefault("messageId", message_id(mark))
        self._add(write_key, Call(encoded(body), mark, mapping.name, row))
        return "sent"

    def _mark(self, model: Model, mapping: RowMapping, row: Mapping[str, Json], write_key: str, body: Body) -> Mark:
        missing = [column for column in model.key if row.get(column) is None]
        if missing:
            raise RowRefused(f"the key column `{missing[0]}` is empty.")
        key: Json = [row[column] for column in model.key] if model.key else dict(row)
        scope = hashed(self._way.name, write_key, mapping.name)
        return Mark(scope, hashed(msgspec.json.encode(key)), hashed(msgspec.json.encode(body)))

    def _add(self, write_key: str, call: Call) -> None:
        batch = self._batches.setdefault(write_key, Batch())
        if not batch.add(call):
            self._send(write_key, batch.taken())
            batch.add(call)
        self._waiting[call.mark.scope, call.mark.key] = call.mark

    def _send(self, write_key: str, calls: list[Call]) -> None:
        """Send calls and remember them; of a batch that is refused, each half by itself, down to the row."""
        if not calls:
            return
        try:
            self._way.send(write_key, [call.body for call in calls])
        except BatchRefused as error:
            if len(calls) == 1:
                self._reject(calls[0].row, calls[0].mapping, str(error))
                self._forget(calls)
                return
            half = len(calls) // 2
            self._send(write_key, calls[:half])
            self._send(write_key, calls[half:])
            return
        self._state.remember(call.mark for call in calls)
        self._forget(calls)
        self.summary.outcomes["sent"] += len(calls)

    def _forget(self, calls: list[Call]) -> None:
        """Forget what waited; a later call of the same row may be waiting still."""
        for call in calls:
            place = (call.mark.scope, call.mark.key)
            if self._waiting.get(place) == call.mark:
                del self._waiting[place]


def _told(row: Row | Unreadable) -> dict[str, Json] | Unreadable:
    try:
        return row if isinstance(row, Unreadable) else as_json(row)
    except RowRefused as error:
        return Unreadable(repr(row)[:MAX_SHOWN], error.reason)


def event_of(row: Mapping[str, Json], mapping: RowMapping) -> dict[str, Json]:
    """Return a row as the event that mappings and triggers speak of.

    Its columns are there by their names, and as `properties` and `traits`; its `type` is the action's call unless a
    column says another.
    """
    return {"type": kind_of(mapping.action), "properties": row, "traits": row, **row}


def kind_of(action: Action) -> str:
    """Return the type of the calls that an action makes."""
    return {"group": "group", "track": "track"}.get(action.name, "identify")


def message_id(mark: Mark) -> str:
    """Return a call's id: the same for the same mapping, row and content, so that Segment counts it once.

    A row that changed meanwhile and is what it was before has another: else Segment would take it for a repetition.
    """
    return f"personalize-{hashed(mark.scope, mark.key, mark.digest, str(mark.generation)).hex()}"
