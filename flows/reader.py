"""The reader of a field: its stages, wired in order from its domain pack.

Documents are split, mentions found and linked, relations read and their assertion marked. Models are loaded when the
first document comes, so that a run that finds nothing new loads none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from itertools import chain
from pathlib import Path

from extractors.adapters import fingerprint
from extractors.base import Extractor
from pipeline.domains import Domain
from pipeline.errors import HypographError
from pipeline.link import Linker
from pipeline.settings import VOCABULARY_THRESHOLD
from pipeline.text import split
from pipeline.types import Document, Failure, Reading, content_id
from pipeline.vocabulary import Vocabulary

log = logging.getLogger(__name__)


def _dictionary(reader: Reader) -> Extractor | None:
    from extractors.dictionary import Dictionary

    return Dictionary(reader.vocabularies, reader.domain.types) if reader.vocabularies else None


class Lazy:
    """An extractor that is loaded when the first reading comes; its fingerprint is known before."""

    def __init__(self, fingerprint: str, load: Callable[[], Extractor]) -> None:
        self.fingerprint = fingerprint
        self._load = cache(load)

    def __call__(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        for first in (stream := iter(readings)):
            yield from self._load()(chain([first], stream))


def _tagger(reader: Reader) -> Extractor | None:
    if "tagger" not in reader.adapters:
        return None
    name, threshold = reader.adapters["tagger"], reader.threshold

    def load() -> Extractor:
        from extractors.tagger import Tagger

        return Tagger.load(name, threshold=threshold)

    return Lazy(fingerprint("tagger", name, threshold), load)


def _patterns(reader: Reader) -> Extractor | None:
    from extractors.patterns import Patterns

    return Patterns(reader.domain)


def _relations(reader: Reader) -> Extractor | None:
    if "relations" not in reader.adapters:
        return None
    name, domain = reader.adapters["relations"], reader.domain

    def load() -> Extractor:
        from extractors.relations import RelationTagger

        return RelationTagger.load(name, domain)

    return Lazy(fingerprint("relations", name, domain.fingerprint), load)


def _specific(reader: Reader) -> Extractor | None:
    from extractors.hypernyms import MostSpecific

    told = reader.vocabularies and any(relation.specific for relation in reader.domain.relations)
    return MostSpecific(reader.vocabularies, reader.domain) if told else None


def _assertions(_: Reader) -> Extractor | None:
    from extractors.assertion import Assertions

    return Assertions()


Make = Callable[["Reader"], Extractor | None]
FINDERS: Mapping[str, Make] = {"dictionary": _dictionary, "tagger": _tagger}
RELATERS: Mapping[str, Make] = {
    "patterns": _patterns,
    "relations": _relations,
    "specific": _specific,
    "assertion": _assertions,
}


class Reader:
    """Reads documents of one domain; a document that breaks a stage becomes a Failure and the others go on."""

    def __init__(
        self,
        domain: Domain,
        vocabularies: Sequence[Vocabulary],
        *,
        which: str = "best",
        threshold: float = VOCABULARY_THRESHOLD,
    ) -> None:
        self.domain = domain
        self.threshold = threshold
        self.vocabularies = tuple(vocabularies)
        self.adapters = domain.adapters_of(which)

    @classmethod
    def open(
        cls,
        domain: Domain,
        vocabularies: Iterable[Path],
        *,
        which: str = "best",
        threshold: float = VOCABULARY_THRESHOLD,
    ) -> Reader:
        """Open the concept indexes at these paths; those that know none of the domain's types are left out."""
        indexes = [Vocabulary.open(path) for path in vocabularies]
        own = [index for index in indexes if not index.types or index.types & domain.types]
        return cls(domain, own, which=which, threshold=threshold)

    @cached_property
    def linker(self) -> Linker:
        return Linker(self.vocabularies, self.domain.types)

    @cached_property
    def finders(self) -> list[Extractor]:
        return self._make(FINDERS)

    @cached_property
    def relaters(self) -> list[Extractor]:
        return self._make(RELATERS)

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides what is read: equal fingerprints over equal documents mean equal readings."""
        parts = [stage.fingerprint for stage in (*self.finders, self.linker, *self.relaters)]
        return f"{self.domain.name}@{content_id(self.domain.fingerprint, *parts)}"

    def read(self, documents: Sequence[Document]) -> Iterator[Reading | Failure]:
        """Mentions, links and relations of each document, in order."""
        return self._guarded([split(document) for document in documents], self._stages)

    def relate(self, readings: Sequence[Reading]) -> Iterator[Reading | Failure]:
        """Relations alone, between mentions that are given; corpus labels become the types of the domain."""
        own = [self._in_own_types(reading) for reading in readings]
        return self._guarded(own, lambda given: self._relation_stages(self.linker(given)))

    def _stages(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        """Link after every finder: what a vocabulary knows then stands against a guess that overlaps it."""
        for finder in self.finders:
            readings = self.linker(finder(readings))
        return self._relation_stages(readings)

    def _relation_stages(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        for relater in self.relaters:
            readings = relater(readings)
        return iter(readings)

    def _guarded(
        self, readings: Sequence[Reading], stages: Callable[[Iterable[Reading]], Iterator[Reading]]
    ) -> Iterator[Reading | Failure]:
        """Read a batch as one; where that breaks, read its documents one by one to find the culprit."""
        try:
            yield from list(stages(readings))
        except HypographError:
            raise
        except Exception as error:
            if len(readings) > 1:
                for reading in readings:
                    yield from self._guarded([reading], stages)
                return
            log.debug("cannot read %s", readings[0].document.id, exc_info=True)
            yield Failure(readings[0].document.id, "extract", f"{type(error).__name__}: {error}", stage="extract")

    def _in_own_types(self, reading: Reading) -> Reading:
        whole = split(reading.document)
        typed = ((mention, self.domain.type_of(mention.type)) for mention in reading.mentions)
        mentions = tuple(replace(mention, type=type_) for mention, type_ in typed if type_)
        return replace(whole, mentions=mentions, sentences=reading.sentences or whole.sentences)

    def _make(self, table: Mapping[str, Make]) -> list[Extractor]:
        made = [make(self) for make in table.values()]
        return [extractor for extractor in made if extractor is not None]
