"""Names of concepts from annotated papers: what their authors call what a vocabulary calls otherwise.

MeSH has no "nephropathy" and no "cardiotoxic"; BC5CDR's annotators say which descriptors are meant by them. A name
counts for the concept that more than half of its places mean; one of several concepts at once counts for none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from pipeline import sources
from pipeline.errors import VocabularyError
from pipeline.sources.shared.gold import GOLD, JOINTS, NO_CONCEPT
from pipeline.sources.shared.unpack import BROKEN
from pipeline.types import Failure, Mention
from pipeline.vocabulary_formats import Part, Rows, Skipped

LINKED = frozenset({"bioc", "brat", "extracted", "pubtator"})
"""Formats of papers whose annotations may say which concept is meant."""


def is_annotated(path: Path) -> bool:
    """Whether a file holds annotated papers, by its content."""
    try:
        return sources.format_of(path) in LINKED
    except BROKEN:
        return False


def read_names(path: Path) -> Rows:
    """Read the names that the annotated papers of a file have for concepts, the most frequent one of a concept first.

    They have no types: those of the vocabularies' own concepts hold. Raises VocabularyError where no annotation names
    a concept.
    """
    meant: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in sources.annotated(path):
        if isinstance(item, Failure):
            yield Skipped(f"{item.source}:{item.place}", item.reason)
            continue
        for mention in item.mentions:
            meant[" ".join(mention.text.split())][_concept(mention)] += 1
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, concepts in meant.items():
        concept, count = concepts.most_common(1)[0]
        if concept and 2 * count > concepts.total():
            names[concept][name] = count
    if not names:
        raise VocabularyError(f"{path}: none of its annotations names a concept: give annotations with concept ids")
    for concept, counts in names.items():
        first, *others = (name for name, _ in counts.most_common())
        yield Part(str(path), concept, first, synonyms=tuple(others))


def _concept(mention: Mention) -> str:
    """The one concept that annotators say is meant; "" where there are none or several."""
    ids = [grounding.concept_id for grounding in mention.groundings if grounding.method == GOLD]
    one = ids[0] if len(ids) == 1 else ""
    return "" if JOINTS.search(one) or one.rpartition(":")[2] in NO_CONCEPT else one
