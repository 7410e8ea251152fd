"""JSON objects of a file, one after the other: JSON lines, an array, one object, or a list inside an object.

The file is read through a window that slides along it, so that an array of any length takes the memory of one record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from typing import TextIO, TypeAlias, TypeVar

from pipeline.sources.shared import fields, stream
from pipeline.sources.shared.stream import Stream, Unreadable, check
from pipeline.types import Failure

Object: TypeAlias = dict[str, object]
Found: TypeAlias = Object | Unreadable
Result = TypeVar("Result")

_CHUNK = 1 << 16  # characters
_WASTE = 2 * stream.MAX_RECORD  # characters; each broken record may swallow all that follow, which takes long
_BLANKS = re.compile(r"[ \t\r\n]*")
_NEXT = re.compile(r'\n\{["}\s]')  # a line on which an object begins
_TOKEN = 12  # characters; no token but a string is longer, so an error farther from the window's end is none of cutting
_LISTS = re.compile(r"[\[{]")
_BEGINS = re.compile(r'\s*\[?\s*\{\s*(?:\}|"(?:[^"\\\n]|\\.)*"\s*:)')


def begins(head: str) -> bool:
    """Whether a file begins like a JSON object or an array of them; a brace alone is no sign.

    >>> begins('[{"id": 1}'), begins("{1,3}-Diols and their salts"), begins("[The use of echo]")
    (True, False, False)
    """
    return _BEGINS.match(head) is not None


def read(
    stream: Stream, parse: Callable[[Object], Result], name: str, inside: Collection[str] = ()
) -> Iterator[Result | Failure]:
    """Parse the objects of a file one by one; one that is bad is a Failure at its place, and the next one follows."""
    return fields.each(records(stream, inside), lambda found: parse(_sound(found)), name)


def records(stream: Stream, inside: Collection[str] = ()) -> Iterator[tuple[str, Found]]:
    """The objects of a file with their places; one that is damaged comes as the Unreadable that tells why.

    ``inside`` are the keys of answers that hold the records: with ``("message", "items")``, those of
    ``{"status": "ok", "message": {"items": [...]}}``. Behind a bad line the next one is tried; where the end of a
    bad element cannot be told, Unreadable is raised, for the rest of its array is lost.
    """
    window = _Window(stream.text)
    while opening := window.peek():
        line, count = f"line {window.line()}", 0
        try:
            for place, found in _found(window, inside):
                yield place or line, found
                count += 1
                inside = inside if place else ()  # the first line is no answer, so the others are none
        except Unreadable as error:
            if count or opening == "[":
                raise
            if window.wasted > _WASTE:
                raise Unreadable("is broken in too many places: the rest is not read") from error
            yield line, error
            window.skip()


def _found(window: _Window, inside: Collection[str]) -> Iterator[tuple[str, Found]]:
    """The records of the value that begins here; a record that is the value itself has no place."""
    opening = window.peek()
    if opening == "[":
        window.take("[")
        for number, _ in enumerate(window.parts("]"), 1):
            yield f"item {number}", window.record()
    elif opening == "{" and inside:
        yield from _members(window, inside)
    elif opening == "{":
        yield "", window.record()
    else:
        raise Unreadable(f"is no JSON object but {window.ahead()}")


def _members(window: _Window, inside: Collection[str]) -> Iterator[tuple[str, Found]]:
    """The records of the members that are named; the object itself where it has none of them."""
    made: Object = {}
    answer = False
    window.faults.clear()
    window.take("{")
    for _ in window.parts("}"):
        key = window.key()
        if key in inside and _LISTS.match(window.peek()):
            answer = True
            yield from _found(window, inside)
        elif key in made:
            window.faults.append(_twice(key))
            window.value()
        else:
            made[key] = window.value()
    if not answer:
        yield "", _judged(made, window.faults)


class _Window:
    """The characters of a file from where the reader is, as many as were needed.

    ``faults`` are those of what was decoded; ``wasted`` counts the characters that were decoded for nothing.
    """

    def __init__(self, text: TextIO) -> None:
        self.faults: list[str] = []
        self.wasted = 0
        self._text, self._window, self._at = text, "", 0
        self._line, self._counted = 1, 0
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._constant)

    def peek(self) -> str:
        """The next character that is no blank; ``""`` at the end."""
        while True:
            blanks = _BLANKS.match(self._window, self._at)
            self._at = blanks.end() if blanks else self._at
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._fill():
                return ""

    def take(self, character: str) -> bool:
        """Step over the character if it is the next one."""
        found = self.peek() == character
        self._at += found
        return found

    def parts(self, close: str) -> Iterator[None]:
        """Step through an array or object that was opened: once for each part, which the caller takes."""
        if self.take(close):
            return
        while True:
            yield
            if self.take(close):
                return
            if not self.take(","):
                raise self._error(f"no ',' or '{close}'", self._at)

    def key(self) -> str:
        key = self.value()
        if not isinstance(key, str) or not self.take(":"):
            raise self._error("no key with a colon", self._at)
        return key

    def record(self) -> Found:
        """The next value, which is to be an object."""
        self.faults.clear()
        before = self.ahead()
        value = self.value()
        return _judged(value, self.faults) if isinstance(value, dict) else Unreadable(f"is no JSON object but {before}")

    def value(self) -> object:
        """The next value; what is wrong inside it is added to the faults, Unreadable is raised where it has no end."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._window, self._at)
            except json.JSONDecodeError as error:
                cut = error.pos + _TOKEN > len(self._window) or error.msg.startswith("Unterminated string")
                if cut and self._grow():
                    continue
                raise self._error(error.msg, error.pos) from error
            except RecursionError as error:
                self.wasted += len(self._window) - self._at
                raise Unreadable("is nested too deeply") from error
            except ValueError as error:  # a number of more digits than Python reads
                raise Unreadable(f"is no JSON: {error}") from error
            if end < len(self._window) or not self._fill():  # else a number may go on
                return self._stepped(value, end)

    def line(self) -> int:
        """The number of the line that is reached."""
        self._line += self._window.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def ahead(self) -> str:
        """What comes next, for messages."""
        self.peek()
        return repr(self._window[self._at : self._at + 40].partition("\n")[0])

    def skip(self) -> None:
        """Go to the next line on which an object begins."""
        while not (found := _NEXT.search(self._window, self._at)):
            self._at = max(self._at, len(self._window) - 2)
            if not self._fill():
                self._at = len(self._window)
                return
        self._at = found.start() + 1

    def _stepped(self, value: object, end: int) -> object:
        try:
            check(self._window[self._at : end])
        except Unreadable as error:
            self.faults.append(str(error))
        self._at = end
        return value

    def _grow(self) -> bool:
        """Fetch more of a value, which may have MAX_RECORD characters."""
        if len(self._window) - self._at > stream.MAX_RECORD:
            raise Unreadable(f"is longer than {stream.MAX_RECORD:,} characters: cut it into papers")
        return self._fill()

    def _fill(self) -> bool:
        """Drop what was read and fetch as much again as is left, so that a long record is decoded a few times only."""
        self.line()
        left = len(self._window) - self._at
        if more := self._text.read(max(_CHUNK, left)):
            self._window, self._at, self._counted = self._window[self._at :] + more, 0, 0
        return bool(more)

    def _error(self, problem: str, at: int) -> Unreadable:
        self.wasted += at - self._at
        line = self.line() + self._window.count("\n", self._at, at)
        seen = self._window[at : at + 20]
        if at >= len(self._window) or problem.startswith("Unterminated"):
            return Unreadable(f"is no JSON: it is cut off at line {line}")
        return Unreadable(f"is no JSON: {problem} at line {line}, before {seen!r}")

    def _object(self, pairs: list[tuple[str, object]]) -> Object:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            self.faults.append(_twice(next(key for key in keys if keys.count(key) > 1)))
        return made

    def _constant(self, name: str) -> None:
        self.faults.append(f"is no JSON: it holds {name}, which is no number")


def _twice(key: str) -> str:
    return f"has the key {key!r} twice in one object"


def _judged(made: Object, faults: list[str]) -> Found:
    return Unreadable(faults[0]) if faults else made


def _sound(found: Found) -> Object:
    if isinstance(found, Unreadable):
        raise found
    return found


def rows(value: object) -> list[Object]:
    """The objects of a list, or the one that it is; what is none is left out.

    >>> rows([{"a": 1}, None]), rows({"a": 1}), rows("a")
    ([{'a': 1}], [{'a': 1}], [])
    """
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def text(value: object) -> str:
    """A string or number as text, the first that says something of a list; ``""`` for anything else.

    >>> text(["", " Fish oil"]), text(7), text(None), text({"a": 1})
    ('Fish oil', '7', '', '')
    """
    if isinstance(value, list):
        return next((found for found in map(text, value) if found), "")
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def below(value: object, *keys: str) -> object:
    """What lies under the keys, one below the other; None where the way ends.

    >>> below({"source": {"name": "Blood"}}, "source", "name"), below({"source": None}, "source", "name")
    ('Blood', None)
    """
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
