"""Relations told of the most specific concept alone: what is said of a kind as well as of one of its kinds says less.

Who says that a drug induced *torsade de pointes*, an *arrhythmia*, tells one thing; BC5CDR's makers annotate it for the
first alone, and a graph is better without the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

from pipeline.domains import Domain
from pipeline.types import Reading, content_id
from pipeline.vocabulary import Vocabulary

VERSION = 1


class MostSpecific:
    """An :class:`extractors.base.Extractor` that leaves out relations to an ancestor of another object.

    It minds the relations that the domain pack calls ``specific``, and the parents that the vocabularies know.
    """

    def __init__(self, vocabularies: Sequence[Vocabulary], domain: Domain) -> None:
        self.names = frozenset(kind.name for kind in domain.relations if kind.specific)
        self.vocabularies = tuple(vocabularies)
        own = content_id(VERSION, sorted(self.names), [vocabulary.fingerprint for vocabulary in vocabularies])
        self.fingerprint = f"specific@{own}"
        self._ancestors = cache(self._all_above)

    def __call__(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        for reading in readings:
            told: Mapping[tuple[str, str], set[str]] = defaultdict(set)
            for relation in reading.relations:
                if relation.predicate in self.names:
                    told[relation.predicate, relation.subject.concept_id].add(relation.object.concept_id)
            general = {
                (*key, above) for key, objects in told.items() for one in objects for above in self._ancestors(one)
            }
            kept = tuple(
                relation
                for relation in reading.relations
                if (relation.predicate, relation.subject.concept_id, relation.object.concept_id) not in general
            )
            yield replace(reading, relations=kept) if len(kept) < len(reading.relations) else reading

    def _all_above(self, concept_id: str) -> frozenset[str]:
        """The ancestors of a concept, itself left out; a vocabulary with a loop in it ends too."""
        found: set[str] = set()
        ahead = [concept_id]
        while ahead:
            current = ahead.pop()
            parents = {parent for vocabulary in self.vocabularies for parent in vocabulary.parents(current)}
            ahead.extend(parents - found)
            found |= parents
        return frozenset(found - {concept_id})
