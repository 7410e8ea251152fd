"""Find the names of vocabularies in text: Aho-Corasick over folded characters, then rules of case and word boundary.

- Folding maps every character to exactly one (lower case, dashes to spaces), so that offsets stay those of the text.
- A word with a capital beyond its start (``mRNA``, ``COPD``) is a symbol and must stand as written; other words match
  in any case, but a name of up to four letters only as ``gout`` or ``Gout``, and one of two only as ``Au``.
- No letter or digit may touch a name on either side, but for a plural s. A hyphen is a boundary (``aspirin-induced``),
  unless a digit follows or precedes it (``2-methyl-``): then the name is a piece of a longer one.
- The leftmost match wins, the longest among those.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import ahocorasick

from pipeline.types import Mention, Reading, Span, content_id, merge_mentions
from pipeline.vocabulary import Vocabulary

FINGERPRINT = "dictionary@"
"""How the fingerprint of each dictionary begins."""
_VERSION = 1
_SCORE = 0.9
_SHORT = 4

# English words that vocabularies have as names, of things that papers seldom mean by them.
STOP_WORDS = frozenset(
    """
    a able act acts ad add age aid aim air all also am an and any are as ask at back bad band bar base be best bid big
    bit both but by can car case cat check chip cope cream cut data day days dear decrease die dim do dose drug drugs
    early end era even ever face fact fail fall far fast fate few file fit fix for form found from full gain gap gas
    get go good great group had hand has have he her high him his hit hold hot how if impact in increase is it its jaw
    job key kind kit large last late law lead leads led leg let level life light like line link list long lot low made
    main man map mass may men met mid mild mini more most much must name near need net new no non nor not now of off
    old on one open or our out over own pain-free par part past path patient patients per phase plan plus present pure
    put ran rare rate raw red rest role run same sample saw see seen set she short show side sign simple size small so
    some son soon spot step stop such sum sure take task term test than that the their them then there these they this
    time tip to ton too top total toxic trial try two up upper use used via vs was way we well were what when which who
    why will with work year yes yet you your
    acid biological dead death disease diseases emergencies emergency hormone hormones injuries injury ligand ligands
    placebo placebos recurrence recurrences relapse relapses salt salts solution solutions strain strains suspension
    suspensions syndrome syndromes tablet tablets
    """.split()  # noqa: SIM905 - a list of 400 strings would hide the words
) | {"body weight", "clinical course", "disease progression"}
# Symbols of statistics and dosage, which vocabularies know as something else.
STOP_SYMBOLS = frozenset({"BID", "CI", "IP", "IV", "OR", "PO", "SC", "SD", "SE", "SEM", "TID", "VS"})
_DASHES = str.maketrans(dict.fromkeys("-‐‑‒–—−\u00a0\t\n\r\v\f\u2009\u202f", " ") | {"’": "'", "ʼ": "'", "ς": "σ"})
_WORD = re.compile(r"[^\W_]+")
_LETTER = re.compile(r"[^\W\d_]")


def dictionary_names(reading: Reading) -> list[tuple[int, int, str]]:
    """Where a dictionary found names, and of which types."""
    return [(m.start, m.end, m.type) for m in reading.mentions if m.extractor.startswith(FINGERPRINT)]


def fold(text: str) -> str:
    """The text without case and dashes, character by character: the length never changes.

    >>> fold("İL–6 in Raynaud’s"), len(fold("İL–6 in Raynaud’s"))
    ("il 6 in raynaud's", 17)
    """
    return text.replace("İ", "i").lower().translate(_DASHES)


@dataclass(frozen=True, slots=True)
class _Name:
    """What may stand in the text for one folded name: the words that must be exact, with their place in it."""

    type: str
    preferred: bool
    exact: tuple[tuple[int, str], ...]
    whole: bool


_name = lru_cache(maxsize=1 << 12)(_Name)  # most names are alike: sharing them halves the memory


class Dictionary:
    """An extractor that finds the names that vocabularies have for concepts of the given types.

    A name of several types is taken for the type that prefers it, else for the first of them by the alphabet.
    The automaton is built when it is first needed.
    """

    def __init__(self, vocabularies: Sequence[Vocabulary], types: Iterable[str]) -> None:
        self._vocabularies = tuple(vocabularies)
        self._types = tuple(sorted(types))

    @property
    def types(self) -> frozenset[str]:
        """The types whose names it finds."""
        own = [vocabulary.types for vocabulary in self._vocabularies]
        return frozenset(self._types) & frozenset().union(*own) if all(own) else frozenset(self._types)

    @property
    def fingerprint(self) -> str:
        sources = [vocabulary.fingerprint for vocabulary in self._vocabularies]
        return FINGERPRINT + content_id(_VERSION, sorted(STOP_WORDS | STOP_SYMBOLS), sources, self._types, length=8)

    def __call__(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        for reading in readings:
            known = merge_mentions(reading.mentions, self._mentions(reading))
            yield replace(reading, mentions=merge_mentions(known, self._short_forms(reading, known)))

    def find(self, text: str) -> Iterator[tuple[Span, str]]:
        """Spans of names in a text, in order and free of overlap, with their entity types."""
        hits = sorted(self._hits(text), key=lambda hit: (hit[0].start, -hit[0].end))
        end = 0
        for span, type_ in hits:
            if span.start >= end:
                end = span.end
                yield span, type_

    def _hits(self, text: str) -> Iterator[tuple[Span, str]]:
        if not len(self._automaton):
            return
        folded = fold(text)
        for last, (length, names) in self._automaton.iter(folded):
            start, end = last + 1 - length, last + 1
            if start and _in_word(text[start - 1]):
                continue
            end += _plural(text, end)
            if (end < len(text) and _in_word(text[end])) or _is_piece(text, start, end):
                continue
            for name in names:
                if _stands(name, text, start, start + length):
                    yield Span(start, end), name.type
                    break

    def _mentions(self, reading: Reading) -> Iterator[Mention]:
        """Names in the text, but for symbols that the document itself defines as something else."""
        document = reading.document
        found = [self._mention(reading, span, type_) for span, type_ in self.find(document.text)]
        spans = {(mention.start, mention.end) for mention in (*found, *reading.mentions)}
        foreign = {
            pair.short.of(document.text)
            for pair in reading.abbreviations
            if (pair.long.start, pair.long.end) not in spans
        }
        return (mention for mention in found if mention.text not in foreign)

    def _short_forms(self, reading: Reading, known: Sequence[Mention]) -> Iterator[Mention]:
        """Every use of a short form, from its definition on, where the long form is a mention."""
        by_span = {(mention.start, mention.end): mention for mention in known}
        text = reading.document.text
        pairs = sorted(reading.abbreviations, key=lambda pair: pair.short.start)
        for number, pair in enumerate(pairs):
            short, long = pair.short.of(text), by_span.get((pair.long.start, pair.long.end))
            if long is None or not short:
                continue
            again = (later.short.start for later in pairs[number + 1 :] if later.short.of(text) == short)
            until = next(again, len(text))
            for match in re.finditer(re.escape(short), text[pair.short.start : until]):
                start, end = match.start() + pair.short.start, match.end() + pair.short.start
                end += _plural(text, end)
                if not (start and _in_word(text[start - 1])) and not (end < len(text) and _in_word(text[end])):
                    yield self._mention(reading, Span(start, end), long.type)

    def _mention(self, reading: Reading, span: Span, type_: str) -> Mention:
        text = span.of(reading.document.text)
        return Mention(span.start, span.end, reading.document.id, text, type_, _SCORE, self._fingerprint)

    @cached_property
    def _fingerprint(self) -> str:
        return self.fingerprint

    @cached_property
    def _automaton(self) -> Any:
        entries: dict[str, list[_Name]] = {}
        for vocabulary in self._vocabularies:
            for name, _, type_, preferred in vocabulary.names():
                if type_ in self._types and (written := natural(name)):
                    _enter(entries, written, type_, preferred)
        automaton = ahocorasick.Automaton()
        order = {type_: rank for rank, type_ in enumerate(self._types)}
        for folded, names in entries.items():
            if len(names) > 1:
                names.sort(key=lambda name: (not name.preferred, order[name.type]))
            automaton.add_word(folded, (len(folded), tuple(names)))
        automaton.make_automaton()
        return automaton


def _enter(entries: dict[str, list[_Name]], written: str, type_: str, preferred: bool) -> None:
    """Note a name under its folded form, and under its singular where it is a plain plural."""
    folded = fold(written)
    symbols: tuple[tuple[int, str], ...] = ()
    if written[1:] != written[1:].lower():
        symbols = tuple((match.start(), match[0]) for match in _WORD.finditer(written) if _is_symbol(match[0]))
    name = _name(type_, preferred, symbols, len(written) <= _SHORT and not symbols)
    forms = [folded]
    if len(folded) > 5 and written[-1] == "s" and folded[-2] not in "sui":
        forms.append(folded[:-1])
    for form in forms:
        held = entries.setdefault(form, [])
        if name not in held:
            held.append(name)


def natural(name: str) -> str:
    """A name as a text would write it, or "" for one that no text can be searched for.

    >>> natural("Diabetes Mellitus, Type 2"), natural("of"), natural("12"), natural("ALL")
    ('Type 2 Diabetes Mellitus', '', '', 'ALL')
    """
    written = " ".join(reversed(name.split(", "))) if ", " in name else name
    if not _LETTER.search(written) or not (_in_word(written[0]) or written[0] in "([") or len(written) > 120:
        return ""
    symbol = len(written) > 2 and written.isupper() and written not in STOP_SYMBOLS
    if (
        len(written) < 2
        or (len(written) == 2 and written.islower())
        or (not symbol and (written in STOP_SYMBOLS or written.lower() in STOP_WORDS))
    ):
        return ""
    return written


def _is_symbol(word: str) -> bool:
    return word[1:] != word[1:].lower()


def _stands(name: _Name, text: str, start: int, end: int) -> bool:
    """Whether the case of the text is one that the name allows."""
    if name.whole:
        found = text[start:end]
        return found.islower() or found.istitle() if end - start > 2 else found.istitle()
    return all(text.startswith(word, start + offset) for offset, word in name.exact)


def _in_word(char: str) -> bool:
    """A letter, a digit, or an accent that combines with one."""
    return char.isalnum() or unicodedata.combining(char) > 0


def _plural(text: str, end: int) -> int:
    """1 where a lower-case s that ends its word follows, else 0."""
    return int(text[end : end + 1] == "s" and not (end + 1 < len(text) and _in_word(text[end + 1])))


def _is_piece(text: str, start: int, end: int) -> bool:
    """Whether a hyphen ties the span to a digit."""
    before = start > 1 and text[start - 1] == "-" and text[start - 2].isdigit()
    return before or (text[end : end + 1] == "-" and text[end + 1 : end + 2].isdigit())
