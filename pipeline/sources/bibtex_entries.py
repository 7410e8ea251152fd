"""The syntax of BibTeX: entries, their fields, and the values that are put together of strings.

A file is cut into entries by counting braces, and each entry is read alone, in time that grows with its length only:
one that is broken costs no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipeline.sources.shared.fields import storable
from pipeline.sources.shared.stream import MAX_RECORD, Unreadable

_BEGIN = re.compile(r"(?<![\w.@\\])@[ \t]*([A-Za-z]+)[ \t]*([{(])")
_BARE = re.compile(r"\s*@[A-Za-z]+\s*")  # its brace stands on the next line
# an entry at the beginning of a line, where another one has not ended: the other one is broken
_INNER = re.compile(
    r"""[ \t]*@(?:string[ \t]*[{(]|[a-z]+[ \t]*[{(][ \t]*[^\s{}(),="#%']*[ \t]*(?:,|$))""", re.IGNORECASE
)
_ASTRAY = re.compile(r"[\s,]*[A-Za-z][\w-]*\s*=\s*[{\"]|\s*[A-Za-z]+[ \t]*\{[ \t]*[^\s{}(),=\"]+[ \t]*,")
_LEFT_OVER = re.compile(r"(?:[ \t,}]|\n(?![ \t]*\n))*[A-Za-z][\w-]*\s*=\s*[{\"\w]")
_DELIMITER = re.compile(r'[{}")]')

_KEY = re.compile(r"\s*([^,={}\"]*?)\s*(?:,|\Z)")
_SKIP = re.compile(r"[\s,]*(?:%[^\n]*(?:\n[\s,]*|\Z))*")
_NAME = re.compile(r"([^\s=,{}\"#%()']+)\s*=\s*")
_WORD = re.compile(r"[^\s,#{}\"%()=]+")
_JOINED = re.compile(r"\s*#\s*")
_MAX_STRING = 1 << 13  # characters; strings of strings may double with each line
_FAR = 400  # characters behind a block that may still belong to it
_MOST_KEY = 60
_MAX_STRINGS = 10_000


@dataclass(frozen=True, slots=True)
class Block:
    """``@kind{body}``, the number of its first line, and what is wrong with it as a whole."""

    line: int
    kind: str
    body: str
    fault: str = ""

    @property
    def key(self) -> str:
        found = _KEY.match(self.body)
        return found[1] if found else ""

    @property
    def place(self) -> str:
        key = f" ({storable(self.key)[:_MOST_KEY]})" if self.key else ""
        return f"entry at line {self.line}{key}"


@dataclass(slots=True)
class _Open:
    """A block of which the end is yet to come."""

    line: int
    kind: str
    closing: str
    depth: int = 0
    quoted: bool = False
    size: int = 0
    pieces: list[str] = field(default_factory=list)

    def take(self, line: str, at: int) -> int:
        """Take a line up to the end of the block; returns where the block ends, or -1 if it goes on."""
        for found in _DELIMITER.finditer(line, at):
            sign = found[0]
            if sign == self.closing and not self.depth and not self.quoted:
                self._add(line[at : found.start()])
                return found.end()
            if sign == '"':  # quotes count only where a parenthesis, which they may hide, ends the block
                self.quoted ^= self.closing == ")" and not self.depth
            else:
                self.depth += {"{": 1, "}": -1}.get(sign, 0)
        self._add(line[at:] + "\n")
        return -1

    def done(self, fault: str = "") -> Block:
        return Block(self.line, self.kind, "".join(self.pieces), fault)

    def _add(self, text: str) -> None:
        if self.size <= MAX_RECORD:  # a little more than is allowed, so that it is seen
            self.pieces.append(text)
            self.size += len(text)


def blocks(numbered: Iterator[tuple[int, str]]) -> Iterator[Block]:
    """Cut numbered lines into blocks; what stands between them is comment, unless it looks like a field.

    >>> [(block.kind, block.body) for block in blocks(iter([(1, "@book{a, title={B}} @string(c = 1)")]))]
    [('book', 'a, title={B}'), ('string', 'c = 1')]
    """
    held: Block | None = None  # a block is sure only when what follows it is seen
    behind = ""
    for block in _raw(numbered):
        if block.kind or block.fault:
            if held:
                yield held
            held, behind = block, ""
        elif len(behind) < _FAR:
            behind += block.body
            if held and (left := _LEFT_OVER.match(behind)):
                fault = f"ends before {left[0].strip()[:40]!r}: it closes more braces than it opens"
                held, behind = replace(held, fault=held.fault or fault), " " * _FAR
            elif _ASTRAY.match(block.body):
                if held:
                    yield held
                held = Block(block.line, "", "", f"stands outside of all entries: {block.body.strip()[:40]!r}")
                behind = " " * _FAR
    if held:
        yield held


def _raw(numbered: Iterator[tuple[int, str]]) -> Iterator[Block]:
    """Blocks, and as blocks of no kind the text between them, but for lines that are commented out."""
    opened: _Open | None = None
    bare = ""
    for number, read in numbered:
        if len(read) > MAX_RECORD:
            yield (opened or _Open(number, "", "")).done(f"has a line of more than {MAX_RECORD:,} characters")
            opened = None
            continue
        line, bare, at = bare + read, "", 0
        if opened and opened.kind != "comment" and _INNER.match(line):
            yield opened.done("is not closed: a brace is missing")
            opened = None
        if not opened and line.lstrip().startswith("%"):
            continue
        while at >= 0:
            if opened:
                at = opened.take(line, at)
                if at >= 0:
                    yield opened.done()
                    opened = None
            elif begin := _BEGIN.search(line, at):
                yield Block(number, "", line[at : begin.start()])
                opened, at = _Open(number, begin[1].lower(), "}" if begin[2] == "{" else ")"), begin.end()
            else:
                bare = line.strip() if _BARE.fullmatch(line) else ""
                yield Block(number, "", line[at:] + "\n")
                break
    if opened:
        yield opened.done("is not closed: the file is cut off, or a brace is missing")


def fields(body: str, strings: Mapping[str, str]) -> dict[str, str]:
    """The fields of an entry by their names in small letters; the first holds where there are two.

    A name that is no known string stands for itself: so do the months.

    >>> fields('smith, title = "A {"}B{"}", month = 1 # "~" # JAN, Year = y', {"y": "1985"})
    {'title': 'A {"}B{"}', 'month': '1~JAN', 'year': '1985'}
    """
    key = _KEY.match(body)
    at = _past(_SKIP, body, key.end() if key else 0)
    found: dict[str, str] = {}
    total = 0
    while name := _NAME.match(body, at):
        value, at = _value(body, name.end(), strings)
        total += len(value)
        if total > MAX_RECORD:
            raise Unreadable(f"is longer than {MAX_RECORD:,} characters with its strings put in")
        found.setdefault(name[1].lower(), value)
        at = _past(_SKIP, body, at)
    if at < len(body):
        raise Unreadable(f"has something that is no field: {body[at : at + 30]!r}")
    return found


def define(body: str, strings: dict[str, str]) -> None:
    """Add the definitions of a ``@string`` to those that are known."""
    for name, value in fields(f",{body}", strings).items():
        if len(value) > _MAX_STRING:
            raise Unreadable(f"defines a string of more than {_MAX_STRING:,} characters, {name!r:.40}")
        if len(strings) >= _MAX_STRINGS:
            raise Unreadable(f"defines more than {_MAX_STRINGS:,} strings")
        strings[name] = value


def _value(body: str, at: int, strings: Mapping[str, str]) -> tuple[str, int]:
    """Strings, numbers and names joined by ``#``, and where they end."""
    parts: list[str] = []
    size = 0
    while size <= MAX_RECORD:
        if body[at : at + 1] in ("{", '"'):
            end = _end(body, at)
            parts.append(body[at + 1 : end - 1])
            at = end
        elif word := _WORD.match(body, at):
            parts.append(strings.get(word[0].lower(), word[0]))
            at = word.end()
        else:
            raise Unreadable(f"has a field without a value: {body[max(0, at - 30) : at + 10]!r}")
        size += len(parts[-1])
        joined = _JOINED.match(body, at)
        if not joined:
            break
        at = joined.end()
    return "".join(parts), at


def _end(body: str, at: int) -> int:
    """Where the value ends that begins with the brace or the quote at ``at``."""
    depth, quote = 0, body[at] == '"'
    for found in _DELIMITER.finditer(body, at + 1 if quote else at):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth < 0 or (not depth and (found[0] == '"' if quote else found[0] == "}")):
            break
    else:
        raise Unreadable(f"has a value that is not closed: {body[at : at + 30]!r}")
    if depth < 0:
        raise Unreadable(f"has a value with more braces closed than opened: {body[at : at + 30]!r}")
    return found.end()


def _past(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
