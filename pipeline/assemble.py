"""From relations to edges: what was read in many places becomes one claim with a belief.

Everything here is a pure function of what the ledger holds, so that the graph of any year, or without any paper, is
the same function over fewer rows.

Belief follows INDRA (Gyori et al., Mol Syst Biol 2017; Bachman et al., Mol Syst Biol 2023). For one side of a claim,
over the extractors *s* that read it and their evidence *e*::

    P = 1 - prod_s min(1, syst_s + prod_e rand_e)        belief = P_for * (1 - P_against)

The systematic error bounds what one extractor can ever prove by repetition; independent extractors multiply. The
random error of one evidence grows as its score falls: ``rand_e = 1 - (1 - rand_s) * score``. The rates are priors, not
calibrated against curation, and extractors that share training data are not as independent as the formula assumes.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipeline.ledger.identity import curie
from pipeline.settings import Reliability
from pipeline.types import Concept, Document, Edge, Evidence, Graph, Relation, State, content_id, edge_uid

DEFAULT_RELIABILITY: Mapping[str, Reliability] = {
    "gold": Reliability(0.01, 0.05),
    "relations": Reliability(0.05, 0.3),
    "patterns": Reliability(0.05, 0.3),
}
WITHDRAWN = ("retracted", "retraction")


@dataclass(frozen=True, slots=True)
class BeliefRules:
    """How evidence turns into belief, and which predicates have no direction."""

    reliability: Mapping[str, Reliability] = field(default_factory=dict)
    speculative_weight: float = 0.5
    symmetric: Collection[str] = frozenset()

    def of(self, extractor: str) -> Reliability:
        """The error rates of an extractor, by its full name, else by its role.

        >>> BeliefRules({"relations": Reliability(0.1, 0.4)}).of("relations:biomed-re@1f00").random
        0.4
        """
        name = extractor.partition("@")[0]
        role = name.partition(":")[0]
        for table in (self.reliability, DEFAULT_RELIABILITY):
            for key in (name, role):
                if key in table:
                    return table[key]
        return Reliability()


def assemble(
    relations: Iterable[Relation], concepts: Iterable[Concept], documents: Iterable[Document], rules: BeliefRules
) -> Graph:
    """Group relations into edges with their evidence; claims of withdrawn papers are left out.

    A relation whose mentions are not linked, or that joins a concept with itself, states no edge.
    """
    papers = {document.id: document for document in documents}
    withdrawn = withdrawn_ids(papers.values())
    evidence: dict[tuple[str, str, str], dict[str, Evidence]] = defaultdict(dict)
    for relation in relations:
        subject, object_ = relation.subject.concept_id, relation.object.concept_id
        if not subject or not object_ or subject == object_ or relation.document_id in withdrawn:
            continue
        if relation.predicate in rules.symmetric and object_ < subject:
            subject, object_ = object_, subject
        claim = (subject, relation.predicate, object_)
        read = _evidence(relation, claim, papers[relation.document_id])
        known = evidence[claim].get(read.uid)
        if known is None or known.score < read.score:
            evidence[claim][read.uid] = read
    edges = [make_edge(*claim, rows.values(), rules) for claim, rows in evidence.items()]
    return Graph(
        tuple(sorted(concepts, key=lambda concept: concept.id)),
        tuple(sorted(edges, key=lambda edge: edge.uid)),
        tuple(sorted(papers.values(), key=lambda document: document.id)),
    )


def as_of(graph: Graph, year: int, rules: BeliefRules) -> Graph:
    """The graph as it could be known at the end of a year: later and undated papers are left out.

    Concepts that only later papers speak of stay, without edges.
    """
    documents = tuple(d for d in graph.documents if d.year is not None and d.year <= year)
    known = {document.id for document in documents}
    edges = []
    for edge in graph.edges:
        rows = [row for row in edge.evidence if row.document_id in known]
        if rows:
            edges.append(make_edge(edge.subject, edge.predicate, edge.object, rows, rules))
    return replace(graph, edges=tuple(edges), documents=documents)


def withdrawn_ids(documents: Iterable[Document]) -> frozenset[str]:
    """Papers that are retracted, by their own record or by a notice, and the notices themselves.

    A link leads to a paper by any of its identifiers, in any form.

    >>> notice = Document("2", "Retraction", status="retraction", links=(("retracts", "10.1000/XYZ"),))
    >>> sorted(withdrawn_ids([notice, Document("1", "Fish oil", ids=("doi:10.1000/xyz",))]))
    ['1', '2']
    """
    papers = list(documents)
    known: dict[str, set[str]] = defaultdict(set)
    out = set()
    for document in papers:
        for id_ in (document.id, *document.ids):
            known[curie(id_)].add(document.id)
    for document in papers:
        words = {word for word, _ in document.links}
        if document.status in WITHDRAWN or "retracted_by" in words:
            out.add(document.id)
        for word, target in document.links:
            if word in ("retracts", "retracted_by"):
                out |= known.get(curie(target), {target})
    return frozenset(out)


def make_edge(subject: str, predicate: str, object_: str, evidence: Iterable[Evidence], rules: BeliefRules) -> Edge:
    """Compute an edge from its evidence.

    Every evidence is counted once: ``refute`` where it denies the claim, else ``speculative`` or ``support``.
    """
    rows = tuple(sorted(evidence, key=lambda row: row.uid))
    years = [row.year for row in rows if row.year is not None]
    against = [row for row in rows if row.polarity == "negative"]
    guesses = [row for row in rows if row.polarity == "positive" and row.certainty == "speculative"]
    support = len(rows) - len(against) - len(guesses)
    return Edge(
        uid=edge_uid(subject, predicate, object_),
        subject=subject,
        predicate=predicate,
        object=object_,
        belief=belief(rows, rules),
        support=support,
        refute=len(against),
        speculative=len(guesses),
        first_year=min(years, default=None),
        last_year=max(years, default=None),
        state=_state(support, len(against), len(guesses)),
        evidence=rows,
    )


def belief(evidence: Iterable[Evidence], rules: BeliefRules) -> float:
    """Belief in a claim, in [0, 1], from all its evidence; see the formula on top.

    Two extractors at the default rates, one sure reading each: ``1 - (0.05 + 0.3)**2``.

    >>> rows = [
    ...     Evidence(e, "", "d", 0, 1, "", "", "positive", "certain", 1.0, e) for e in ("patterns@1", "relations@2")
    ... ]
    >>> round(belief(rows, BeliefRules()), 4)
    0.8775
    """
    sides: dict[str, dict[str, list[float]]] = {"positive": defaultdict(list), "negative": defaultdict(list)}
    for row in evidence:
        weight = row.score * (rules.speculative_weight if row.certainty == "speculative" else 1.0)
        sides[row.polarity][row.extractor].append(1 - (1 - rules.of(row.extractor).random) * weight)

    def proved(side: dict[str, list[float]]) -> float:
        wrong = (min(1.0, rules.of(s).systematic + math.prod(errors)) for s, errors in sorted(side.items()))
        return 1 - math.prod(wrong)

    return proved(sides["positive"]) * (1 - proved(sides["negative"]))


def name_concepts(
    counts: Iterable[tuple[str, str, str, int, int]], known: Callable[[str], Concept | None]
) -> Iterator[Concept]:
    """A concept for each id that was mentioned: as a vocabulary knows it, else named by its commonest surface.

    ``counts`` are rows (concept id, type, surface, documents, mentions).
    """
    surfaces: dict[str, Counter[str]] = defaultdict(Counter)
    types: dict[str, Counter[str]] = defaultdict(Counter)
    for concept_id, type_, surface, _, mentions in counts:
        surfaces[concept_id][surface] += mentions
        types[concept_id][type_] += mentions
    for concept_id in sorted(surfaces):
        concept = known(concept_id)
        if concept is None:
            concept = Concept(concept_id, _commonest(surfaces[concept_id]), _commonest(types[concept_id]))
        yield concept if concept.type else replace(concept, type=_commonest(types[concept_id]))


def _commonest(counter: Counter[str]) -> str:
    """The most frequent key; of equals the first in the alphabet, so that the order of papers has no say."""
    return min(counter, key=lambda key: (-counter[key], key))


def _evidence(relation: Relation, claim: tuple[str, str, str], document: Document) -> Evidence:
    uid = content_id(relation.document_id, relation.start, relation.end, *claim, relation.polarity, relation.extractor)
    section = next((s.kind for s in document.sections if s.start <= relation.start < s.end), "")
    return Evidence(
        uid=uid,
        edge_uid=edge_uid(*claim),
        document_id=document.id,
        start=relation.start,
        end=relation.end,
        text=relation.of(document.text),
        section=section,
        polarity=relation.polarity,
        certainty=relation.certainty,
        score=relation.score,
        extractor=relation.extractor,
        year=document.year,
        novel=relation.novel,
    )


def _state(support: int, refute: int, speculative: int) -> State:
    if refute:
        return "contested" if support or speculative else "refuted"
    return "supported" if support else "speculative"
