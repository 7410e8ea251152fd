"""Concept indexes: build one from vocabulary files, open it in a moment, look names up.

An index is one read-only SQLite file, memory-mapped, so that opening costs nothing and processes share it. Names are
found exactly, or by a key that forgets spelling (:func:`normalise`). Equal input gives an equal ``digest``, which is
part of every ``fingerprint``.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pipeline.errors import VocabularyError
from pipeline.types import Concept, content_id
from pipeline.vocabulary_annotated import is_annotated, read_names
from pipeline.vocabulary_formats import Part, Skipped, read_vocabulary

FORMAT = "hypograph-vocabulary-1"

_LETTERS = "α β γ δ ε ζ η θ ι κ λ μ ν ξ ο π ρ σ τ υ φ χ ψ ω"
_SPELLINGS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi "
    "chi psi omega"
)
_GREEK = dict(zip(_LETTERS.split(), _SPELLINGS.split(), strict=True))
_SPELT = str.maketrans(
    {letter: f" {name} " for letter, name in _GREEK.items()} | {"’": "'", "ʼ": "'", "æ": "ae", "œ": "oe"}
)
_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "xi": "11", "xii": "12"}
_ROMAN_LETTER = {"i": "1", "v": "5", "x": "10"}
_NUMBERED = frozenset({"type", "class", "phase", "stage", "grade", "factor", "group", "mark"})
_POSSESSIVE = re.compile(r"'s?\b")
_TOKEN = re.compile(r"\d+|[^\W\d_]+")


@lru_cache(maxsize=1 << 16)
def normalise(text: str) -> str:
    """A key that is equal for spellings of one name, and empty where there is neither letter nor digit.

    Case, accents, punctuation, possessives and plural endings go; letters and digits part; Greek letters are spelt
    out, Roman numerals become digits; British spelling becomes American; "Head, Modifier" is turned round. The capital
    S of a short word is no plural, so that AIDS keeps its own.

    >>> normalise("Diabetes Mellitus, Type II"), normalise("type 2 diabetes mellitus")
    ('type 2 diabete mellitus', 'type 2 diabete mellitus')
    >>> normalise("IL-6") == normalise("il 6") == normalise("IL6")
    True
    >>> normalise("Raynaud’s tumours"), normalise("TNF-α"), normalise("AIDS")
    ('raynaud tumor', 'tnf alpha', 'aids')
    """
    plain = unicodedata.normalize("NFKC", text)
    if ", " in plain:
        plain = " ".join(reversed(plain.split(", ")))
    if not plain.isascii():
        plain = plain.translate(_SPELT)
        decomposed = unicodedata.normalize("NFKD", plain)
        plain = "".join(c for c in decomposed if not unicodedata.combining(c))
        plain = plain.translate(_SPELT) if plain.isascii() else plain.casefold().translate(_SPELT)
    tokens = _TOKEN.findall(_POSSESSIVE.sub("", plain))
    return " ".join(
        _numeral(previous, token) for previous, token in zip(["", *tokens], map(_stem, tokens), strict=False)
    )


def _stem(token: str) -> str:
    """One token without plural ending and British spelling."""
    word = token.casefold()
    plural = word[-1] == "s" and len(word) > (3 if token[-1] == "s" else 5)
    if plural and not word.endswith(("ss", "us", "is")):
        word = _singular(word)
    if "ae" in word or "oe" in word:
        word = word.replace("ae", "e").replace("oe", "e")
    if len(word) > 4 and word.endswith("our"):
        word = f"{word[:-3]}or"
    return word.replace("sulph", "sulf")


def _singular(word: str) -> str:
    """
    >>> [_singular(word) for word in ("arteries", "viruses", "abscesses", "neuroses", "diseases", "oils")]
    ['artery', 'virus', 'abscess', 'neurosis', 'disease', 'oil']
    """
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("oses", "yses")) and len(word) > 6:
        return f"{word[:-2]}is"
    if word.endswith(("sses", "xes", "ches", "shes", "uses")) and len(word) > 5:
        return word[:-2]
    return word[:-1]


def _numeral(previous: str, token: str) -> str:
    if token in _ROMAN_LETTER and previous.casefold() in _NUMBERED:
        return _ROMAN_LETTER[token]
    return _ROMAN.get(token, token)


@dataclass(frozen=True, slots=True)
class Match:
    """A concept that a name was found for: its preferred ``name``, and the name that ``matched``."""

    concept_id: str
    name: str
    type: str
    matched: str
    preferred: bool


@dataclass(frozen=True, slots=True)
class VocabularyStats:
    """What a build took in and left out; ``skipped`` maps a reason to how often and where first."""

    path: Path
    concepts: int
    names: int
    types: dict[str, int]
    skipped: dict[str, tuple[int, str]]
    digest: str


def build(name: str, files: Iterable[Path], out: Path, *, type: str | None = None) -> VocabularyStats:  # noqa: A002
    """Build the index ``<name>.vocab`` from vocabulary files, replacing an older one in one step.

    Files may be annotated papers too: what these call a concept becomes its synonym, as the last of all that is read.

    ``out`` is the folder to put it in, or the file itself if it ends in ``.vocab``. ``type`` is given to concepts whose
    file does not tell theirs; a concept without any is linked to mentions of every type, but never found by itself.
    Raises VocabularyError for a file that cannot be read, and where nothing is left to index.
    """
    path = out if out.suffix == ".vocab" else out / f"{name}.vocab"
    draft = _Draft(type or "")
    annotated = {file: is_annotated(file) for file in map(Path, files)}
    for file in sorted(annotated, key=annotated.__getitem__):
        for part in read_names(file) if annotated[file] else read_vocabulary(file):
            draft.add(part)
    concepts = draft.concepts()
    if not concepts:
        raise VocabularyError(f"vocabulary {name}: no concepts in the files given; {_why(draft.skipped)}")
    digest = content_id([[c.id, c.name, c.type, c.synonyms, c.parents, c.definition] for c in concepts], length=32)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{name}-", delete=False) as handle:
        temporary = Path(handle.name)
    try:
        names = _write(temporary, name, digest, concepts)
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    types = dict(sorted(Counter(concept.type for concept in concepts).items()))
    return VocabularyStats(path, len(concepts), names, types, draft.skipped, digest)


def _why(skipped: dict[str, tuple[int, str]]) -> str:
    reasons = [f"{count} rows: {reason} (first {place})" for reason, (count, place) in skipped.items()]
    return "; ".join(reasons) or "they have no rows"


@dataclass(slots=True)
class _Merged:
    """The parts of one concept so far; dicts keep the order of first sight."""

    place: str
    name: str
    type: str = ""
    synonyms: dict[str, None] = field(default_factory=dict)
    parents: dict[str, None] = field(default_factory=dict)
    definition: str = ""
    unfit: str = ""


class _Draft:
    """Parts joined by id; the first name, type and definition win."""

    def __init__(self, default_type: str) -> None:
        self.default_type = default_type
        self.merged: dict[str, _Merged] = {}
        self.skipped: dict[str, tuple[int, str]] = {}

    def add(self, part: Part | Skipped) -> None:
        if isinstance(part, Skipped):
            return self._skip(part.place, part.reason)
        concept = self.merged.setdefault(part.id, _Merged(part.place, part.name))
        concept.type = concept.type or part.type
        concept.definition = concept.definition or part.definition
        concept.unfit = concept.unfit or part.unfit
        concept.synonyms.update(dict.fromkeys((part.name, *part.synonyms)))
        concept.parents.update(dict.fromkeys(part.parents))
        return None

    def _skip(self, place: str, reason: str) -> None:
        count, first = self.skipped.get(reason, (0, place))
        self.skipped[reason] = (count + 1, first)

    def concepts(self) -> list[Concept]:
        """The concepts by id, less those that no file gives a use for."""
        found = []
        for id_, parts in sorted(self.merged.items()):
            if parts.unfit and not parts.type:
                self._skip(parts.place, parts.unfit)
                continue
            synonyms = tuple(name for name in parts.synonyms if name != parts.name)
            type_ = parts.type or self.default_type
            found.append(Concept(id_, parts.name, type_, synonyms, tuple(parts.parents), parts.definition))
        return found


_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE concept (number INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
                      parents TEXT NOT NULL, definition TEXT NOT NULL);
CREATE TABLE name (text TEXT NOT NULL, key TEXT NOT NULL, concept INTEGER NOT NULL, preferred INTEGER NOT NULL);
"""
_INDEXES = """
CREATE UNIQUE INDEX concept_id ON concept (id);
CREATE INDEX name_text ON name (text);
CREATE INDEX name_key ON name (key);
CREATE INDEX name_concept ON name (concept);
"""


def _write(path: Path, name: str, digest: str, concepts: list[Concept]) -> int:
    """Fill an empty file; returns the number of names."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.executescript(_SCHEMA)
    database.executemany("INSERT INTO meta VALUES (?, ?)", [("format", FORMAT), ("name", name), ("digest", digest)])
    database.executemany(
        "INSERT INTO concept VALUES (?, ?, ?, ?, ?, ?)",
        ((n, c.id, c.name, c.type, "|".join(c.parents), c.definition) for n, c in enumerate(concepts)),
    )
    names = [
        (text, normalise(text), n, text == c.name) for n, c in enumerate(concepts) for text in (c.name, *c.synonyms)
    ]
    database.executemany("INSERT INTO name VALUES (?, ?, ?, ?)", names)
    database.executescript(_INDEXES)
    database.commit()
    database.close()
    return len(names)


_SELECT = "SELECT c.id, c.name, c.type, n.text, n.preferred FROM name n JOIN concept c ON c.number = n.concept"


class Vocabulary:
    """An open index; safe to share between threads, since nothing ever writes to it."""

    def __init__(self, database: sqlite3.Connection, name: str, digest: str) -> None:
        self._database = database
        self.name = name
        self.digest = digest

    @classmethod
    def open(cls, path: Path) -> Vocabulary:
        """Open an index; raises VocabularyError for a missing, foreign or older file."""
        remedy = "build it with `hypograph vocab build`"
        if not path.is_file():
            raise VocabularyError(f"{path}: no vocabulary there: {remedy}")
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        try:
            meta = dict(database.execute("SELECT key, value FROM meta"))
        except sqlite3.DatabaseError as error:
            database.close()
            raise VocabularyError(f"{path}: not a vocabulary index ({error}): {remedy}") from error
        if meta.get("format") != FORMAT:
            database.close()
            raise VocabularyError(f"{path}: its format is {meta.get('format')!r}, not {FORMAT!r}: {remedy} again")
        database.execute(f"PRAGMA mmap_size = {1 << 31}")
        return cls(database, meta["name"], meta["digest"])

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Vocabulary:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def fingerprint(self) -> str:
        return f"{self.name}@{self.digest[:12]}"

    @property
    def types(self) -> frozenset[str]:
        """The entity types of its concepts; ``""`` among them where some have none."""
        return frozenset(type_ for (type_,) in self._database.execute("SELECT DISTINCT type FROM concept"))

    def lookup(self, text: str) -> tuple[Match, ...]:
        """Concepts that have exactly this name; preferred names first, then by id."""
        return self._matches(f"{_SELECT} WHERE n.text = ? ORDER BY n.preferred DESC, c.id", text, text)

    def lookup_normalised(self, text: str) -> tuple[Match, ...]:
        """Concepts with a name of the same :func:`normalise` key; preferred names first, then by id."""
        key = normalise(text)
        return (
            self._matches(f"{_SELECT} WHERE n.key = ? ORDER BY n.preferred DESC, c.id, n.text", key, text)
            if key
            else ()
        )

    def _matches(self, select: str, value: str, text: str) -> tuple[Match, ...]:
        """One match a concept: its preferred name, else the name most like the text."""
        best: dict[str, Match] = {}
        for id_, name, type_, matched, preferred in self._database.execute(select, (_storable(value),)):
            match = Match(id_, name, type_, matched, bool(preferred))
            held = best.setdefault(match.concept_id, match)
            if not held.preferred and held.matched.casefold() != text.casefold() == match.matched.casefold():
                best[match.concept_id] = match
        return tuple(best.values())

    def concept(self, id_: str) -> Concept | None:
        """The concept of that id with all its names, or None."""
        row = self._database.execute(
            "SELECT number, id, name, type, parents, definition FROM concept WHERE id = ?", (_storable(id_),)
        ).fetchone()
        if row is None:
            return None
        number, found, name, type_, parents, definition = row
        texts = self._database.execute(
            "SELECT text FROM name WHERE concept = ? AND NOT preferred ORDER BY rowid", (number,)
        )
        synonyms = tuple(text for (text,) in texts)
        return Concept(found, name, type_, synonyms, tuple(parents.split("|")) if parents else (), definition)

    def parents(self, id_: str) -> tuple[str, ...]:
        """Ids of the next broader concepts, empty for an unknown id."""
        concept = self.concept(id_)
        return concept.parents if concept else ()

    def names(self) -> Iterator[tuple[str, str, str, bool]]:
        """Every name with its concept's id and type, and whether it is the preferred one."""
        rows = self._database.execute(f"{_SELECT} ORDER BY n.rowid")
        return ((text, id_, type_, bool(preferred)) for id_, _, type_, text, preferred in rows)


def _storable(text: str) -> str:
    """SQLite takes no lone surrogates, which no name has either."""
    return text.encode("utf-8", "replace").decode("utf-8")
