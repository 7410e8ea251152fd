"""Cypher that both engines understand: the guard that every query passes first, and what statements are made of.

The guard reads tokens, not a grammar. It lets through what starts like a read and refuses every word that would
write, reach files, the network or the server itself, unless the word is plainly a name (``n.set``, ``:Create``,
`` `DELETE` ``, ``'MERGE'``). It stands in front of the engines' own read-only modes, which do not refuse everything:
both would read local files by ``LOAD CSV``.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from graph.rows import ENDS, LABELS, Kind, Row
from pipeline.errors import QueryError

logger = logging.getLogger(__name__)

OPENERS = frozenset({"CALL", "MATCH", "OPTIONAL", "RETURN", "UNWIND", "WITH"})
FORBIDDEN = frozenset(
    {"CREATE", "DELETE", "DETACH", "FOREACH", "INSERT", "MERGE", "NODETACH", "REMOVE", "SET"}
    | {"ALTER", "DENY", "DROP", "GRANT", "RENAME", "REVOKE", "SHOW", "TERMINATE"}
    | {"FORMAT", "LOAD", "USE"}
)
_NAME_BEFORE = frozenset([".", ":", "|", "&", "!", "$", "AS"])
_NAME_AFTER = frozenset([".", ":", ",", ")", "]", "}", "=", "|", "<", ">", "+", "*", "/", "%", "^", ""])
_BATCH = 10_000

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<comment>//[^\n\r]*|/\*.*?\*/)
    | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<quoted>`(?:[^`]|``)*`)
    | (?P<number>\d+(?:\.(?!\.)\d*)?)
    | (?P<word>\w+)
    | (?P<sign>\.\.|.)""",
    re.VERBOSE | re.DOTALL,
)
_ASCII_ESCAPE = re.compile(r"\\u+00[0-7][0-9a-fA-F]")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        """The text as rules compare it; what is quoted is never a keyword."""
        return self.text.upper() if self.kind in ("word", "sign") else self.kind


def check_read_only(cypher: str) -> str:
    """Return the statement without comments and final semicolon, positions unchanged.

    Raises QueryError, which names the word and its place, for anything but one reading statement.

    >>> check_read_only("MATCH (n:Create) RETURN n.set // all;")
    'MATCH (n:Create) RETURN n.set'
    >>> check_read_only("MATCH (n) DETACH DELETE n")
    Traceback (most recent call last):
    pipeline.errors.QueryError: DETACH at line 1, column 11: only reading is allowed (quote a name as `DETACH`)
    """
    _refuse_ascii_escapes(cypher)
    tokens = list(_tokens(cypher))
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens:
        raise QueryError("the query is empty: write Cypher such as MATCH (n:Entity) RETURN n.name LIMIT 10")
    if tokens[0].word not in OPENERS:
        raise QueryError(
            f"{tokens[0].text[:40]!r} at {_place(cypher, tokens[0].at)}: a reading query starts with "
            f"{', '.join(sorted(OPENERS))}"
        )
    words = ["", *(token.word for token in tokens), ""]
    for token, before, after in zip(tokens, words, words[2:], strict=False):
        _check(cypher, before, token, after)
    end = tokens[-1].at + len(tokens[-1].text)
    return _blank_comments(cypher[:end])


def plain(value: Any) -> Any:
    """A value of a driver as plain JSON: dates as ISO text, NaN and infinities as None.

    >>> plain((1, math.nan, {"a": {2}}))
    [1, None, {'a': [2]}]
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def node_value(labels: Iterable[str], properties: Mapping[str, Any]) -> dict[str, Any]:
    """A node in an answer: its labels, ``Entity`` and the like first, and its properties beside them.

    >>> node_value(["Chemical", "Entity"], {"uid": "A:1"})
    {'labels': ['Entity', 'Chemical'], 'uid': 'A:1'}
    """
    order = sorted(labels, key=lambda label: (label not in LABELS.values(), label))
    return {"labels": order, **{name: plain(properties[name]) for name in sorted(properties)}}


def link_value(type_: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """A relationship in an answer."""
    return {"type": type_, **{name: plain(properties[name]) for name in sorted(properties)}}


def _tokens(cypher: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(cypher):
        token = _Token(match.lastgroup or "", match[0], match.start())
        unclosed = token.kind == "sign" and (token.text in "'\"`" or cypher.startswith("/*", token.at))
        if unclosed:
            raise QueryError(f"{token.text} at {_place(cypher, token.at)} is never closed")
        if token.kind not in ("space", "comment"):
            yield token


def _check(cypher: str, before: str, token: _Token, after: str) -> None:
    """Refuse a token that writes, given the words beside it."""
    place = _place(cypher, token.at)
    if token.text == ";":
        raise QueryError(f"a second statement at {place}: ask one question at a time")
    if token.word == "CALL" and before not in _NAME_BEFORE and after not in _NAME_AFTER | {"{", "("}:
        raise QueryError(f"CALL at {place}: only subqueries, CALL {{ ... }}, may be called")
    if token.word == "TRANSACTIONS":
        forbidden = before in ("IN", "CONCURRENT")
    else:
        forbidden = token.word in FORBIDDEN and before not in _NAME_BEFORE and after not in _NAME_AFTER
    if forbidden:
        raise QueryError(f"{token.word} at {place}: only reading is allowed (quote a name as `{token.text}`)")


def _refuse_ascii_escapes(cypher: str) -> None:
    r"""Refuse ``\u0027`` and the like: Neo4j resolves them before it reads tokens, so they could close a string."""
    escape = _ASCII_ESCAPE.search(cypher)
    if escape:
        raise QueryError(f"{escape[0]} at {_place(cypher, escape.start())}: write the character itself")


def _blank_comments(cypher: str) -> str:
    """Replace comments by blanks: one of the engines does not know ``/* */``."""
    parts = (
        re.sub(r"[^\n\r]", " ", match[0]) if match.lastgroup == "comment" else match[0]
        for match in _TOKEN.finditer(cypher)
    )
    return "".join(parts)


def quote_end(cypher: str) -> str:
    """Quote the property ``end`` of evidence, which the embedded engine reads as the end of a CASE."""
    words = [match[0] for match in _TOKEN.finditer(cypher)]
    pairs = zip(["", *words], words, strict=False)
    return "".join("`end`" if (before, word) == (".", "end") else word for before, word in pairs)


def _place(cypher: str, at: int) -> str:
    line = cypher.count("\n", 0, at) + 1
    return f"line {line}, column {at - cypher.rfind(chr(10), 0, at)}"


def match_ends(kind: Kind) -> str:
    """Cypher that finds what a row of this kind is tied to, as ``end0``, ``end1``, ...

    >>> match_ends("claim")
    'MATCH (end0:Entity {uid: row.end0}) MATCH (end1:Entity {uid: row.end1})'
    """
    return " ".join(f"MATCH (end{i}:{LABELS[end]} {{uid: row.end{i}}})" for i, end in enumerate(ENDS[kind]))


def parameters(batch: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows as the parameter of an UNWIND."""
    return [
        {"uid": row.uid, "properties": dict(row.properties), **{f"end{i}": end for i, end in enumerate(row.ends)}}
        for row in batch
    ]


def batches(
    found: Iterable[Row], size: int = _BATCH, *, backwards: bool = False
) -> Iterator[tuple[Kind, tuple[str, ...], list[Row]]]:
    """Rows of one kind and the same labels, at most ``size`` together, those that others hang on first (or last).

    >>> claim = Row("claim", "c", ("TREATS",), {}, ("a", "b"))
    >>> entities = [Row("entity", uid, ("Entity",), {}) for uid in "abc"]
    >>> [(kind, len(batch)) for kind, labels, batch in batches([claim, *entities], 2)]
    [('entity', 2), ('entity', 1), ('claim', 1)]
    """

    def group(row: Row) -> tuple[int, Kind, tuple[str, ...]]:
        return len(ENDS[row.kind]), row.kind, row.labels

    for (_, kind, labels), members in groupby(sorted(found, key=group, reverse=backwards), key=group):
        while batch := list(islice(members, size)):
            yield kind, labels, batch


def labels_of(labels: Iterable[str]) -> str:
    """Labels or a type as Cypher spells them, quoted.

    >>> labels_of(["Entity", "Cell`Line"])
    ':`Entity`:`Cell``Line`'
    """
    return "".join(":`" + label.replace("`", "``") + "`" for label in labels)
