"""FQL, in which triggers are written: `type = "identify" and traits.plan != null`.

`and` binds tighter than `or`, as everywhere; Segment's own parser takes whichever comes last for all of a group.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from personalize.destination.conditions import OBJECTS, WORDS, Comparison, Group, Operator
from personalize.errors import QueryError

MAX_DEPTH = 32
"""Brackets in one another."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
      | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
      | (?P<operator><=|>=|!=|=|<|>)
      | (?P<mark>[(),!])
      | (?P<word>(?:\\.|[^\s"'()<>=!,\\])+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

_COMPARING: Mapping[str, Operator] = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OF_NUMBERS: Mapping[str, Operator] = {**_COMPARING, "=": "number_equals", "!=": "number_not_equals"}
_OF_CONSTANTS: Mapping[tuple[str, str], Operator] = {
    ("=", "true"): "is_true",
    ("=", "false"): "is_false",
    ("!=", "null"): "exists",
    ("=", "null"): "not_exists",
}
_NEGATED: Mapping[Operator, Operator] = {
    "contains": "not_contains",
    "starts_with": "not_starts_with",
    "ends_with": "not_ends_with",
}


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of a query: `kind` is a name of the pattern's groups, or `end`; `at` its first character, from 1."""

    kind: str
    said: str
    at: int

    @property
    def named(self) -> str:
        return "the end" if self.kind == "end" else f"`{self.said}`"


def parse(query: str) -> Group:
    """Return what a query asks.

    Raises:
        QueryError: it is none.
    """
    parser = _Parser(list(_tokens(query)))
    found = parser.alternatives()
    parser.expect("end")
    return found


def _tokens(query: str) -> Iterator[_Token]:
    at = 0
    while rest := query[at:].strip():
        found = _TOKEN.match(query, at)
        if found is None:
            raise QueryError(len(query) - len(query[at:].lstrip()) + 1, f"`{rest[:12]}` is no word, text or number.")
        kind = found.lastgroup or ""
        yield _Token(kind, found[kind], found.start(kind) + 1)
        at = found.end()
    yield _Token("end", "", len(query) + 1)


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def alternatives(self) -> Group:
        """Read conditions that `or` joins, each of which may be several that `and` joins."""
        parts = [self._together()]
        while self._takes("word", "or"):
            parts.append(self._together())
        if len(parts) == 1:
            return parts[0]
        return Group("or", tuple(part.children[0] if len(part.children) == 1 else part for part in parts))

    def expect(self, kind: str, said: str = "") -> _Token:
        """Take the next token, which has to be this."""
        token = self._tokens[self._next]
        if token.kind != kind or (said and token.said != said):
            wanted = f"`{said}`" if said else {"end": "`and` or `or`"}.get(kind, f"a {kind}")
            raise QueryError(token.at, f"expected {wanted}, not {token.named}.")
        self._next += 1
        return token

    def _together(self) -> Group:
        children = [self._condition()]
        while self._takes("word", "and"):
            children.append(self._condition())
        if len(children) == 1 and isinstance(children[0], Group):
            return children[0]
        return Group("and", tuple(children))

    def _takes(self, kind: str, said: str) -> bool:
        token = self._tokens[self._next]
        is_it = token.kind == kind and token.said.lower() == said
        self._next += is_it
        return is_it

    def _condition(self) -> Group | Comparison:
        if self._takes("mark", "("):
            return self._bracketed()
        negated = self._takes("mark", "!")
        token = self.expect("word")
        if token.said in ("contains", "match"):
            return self._call(token, negated=negated)
        if negated:
            raise QueryError(token.at, "`!` stands before `contains(…)` or `match(…)`.")
        return self._comparison(_subject(token))

    def _bracketed(self) -> Group:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise QueryError(self._tokens[self._next].at, f"more than {MAX_DEPTH} brackets in one another.")
        found = self.alternatives()
        self.expect("mark", ")")
        self._depth -= 1
        return found

    def _call(self, function: _Token, *, negated: bool) -> Comparison:
        self.expect("mark", "(")
        subject = _subject(self.expect("word"))
        self.expect("mark", ",")
        token = self.expect("text")
        self.expect("mark", ")")
        said = _unquoted(token.said)
        operator, value = _pattern(said, token) if function.said == "match" else ("contains", said)
        return Comparison(subject, _NEGATED[operator] if negated else operator, value)

    def _comparison(self, subject: str) -> Comparison:
        operator = self.expect("operator")
        token = self._tokens[self._next]
        self._next += 1
        if token.kind == "text":
            return Comparison(subject, _COMPARING[operator.said], _unquoted(token.said))
        if token.kind == "number":
            number = float(token.said) if "." in token.said else int(token.said)
            return Comparison(subject, _OF_NUMBERS[operator.said], number)
        found = _OF_CONSTANTS.get((operator.said, token.said))
        if found is None:
            raise QueryError(token.at, f'expected "text", a number, true, false or null, not {token.named}.')
        return Comparison(subject, found)


def _subject(token: _Token) -> str:
    """Return the path of what a word names."""
    root = token.said.split(".", 1)[0]
    if token.said in WORDS or (root in OBJECTS and "." in token.said):
        return token.said
    raise QueryError(
        token.at, f"there is no `{token.said}`: write {', '.join(WORDS)}, or {'.…, '.join(OBJECTS)}.… with a name."
    )


def _unquoted(said: str) -> str:
    return _ESCAPED.sub(r"\1", said[1:-1])


def _pattern(said: str, token: _Token) -> tuple[Operator, str]:
    """Return what a pattern with stars at its ends asks for."""
    inner = said.strip("*")
    if "*" in inner or not inner:
        raise QueryError(token.at, 'a pattern is "text*", "*text" or "*text*".')
    words: dict[tuple[bool, bool], Operator] = {
        (False, True): "starts_with",
        (True, False): "ends_with",
        (True, True): "contains",
    }
    operator = words.get((said.startswith("*"), said.endswith("*")))
    if operator is None:
        raise QueryError(token.at, 'a pattern has a star: "text*", "*text" or "*text*".')
    return operator, inner
