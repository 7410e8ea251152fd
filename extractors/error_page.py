"""One self-contained HTML page about what was read wrongly: which types, which borders, which words, which papers.

Gold marks lie above the text and found ones below it; each says its type in words, and what is wrong says so, so
that the page can be read without its colours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise

from extractors.calibration import Trust
from extractors.evaluate import Score
from extractors.mistakes import SHIFTS, Compared, Pair, WrongRelation, confusion, shifts, strings
from extractors.pages import render as fill
from pipeline.text import split
from pipeline.types import Mention, Span, merge_mentions

MOST_DOCUMENTS = 20
MOST_STRINGS = 25
MOST_EXAMPLES = 8
MOST_RELATIONS = 30
WHOLE_TEXT = 4_000
"""Of a longer text only the sentences with errors are shown, and of these so many:"""
MOST_SENTENCES = 40
CONTEXT = 45
LABEL_WIDTH = 0.72  # of a letter of a label, in letters of the text


@dataclass(frozen=True, slots=True)
class Page:
    """What a page tells. ``familiar`` holds by type the scores of mentions that training texts name, and of others."""

    title: str
    subtitle: str
    scores: Mapping[str, Score]
    compared: Sequence[Compared]
    familiar: Mapping[str, tuple[Score, Score]] = field(default_factory=dict)
    trust: Sequence[Trust] = ()
    colours: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """A gold or found mention over a piece of text; ``label`` is set on the first piece, ``wrong`` says what is."""

    type: str
    label: str
    wrong: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text with at most one gold and one found mark over it."""

    text: str
    gold: Mark | None
    found: Mark | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the confusion matrix: how many, how many of them with other borders, share of the row in tenths."""

    count: int
    borders: int
    heat: int
    kind: str


def render(page: Page) -> str:
    """The page as text; all that comes from papers is escaped."""
    counted = confusion(page.compared)
    types = sorted({kind for cell in counted for kind in cell if kind})
    colours = {kind: page.colours.get(kind, "") for kind in types}
    worst = sorted((c for c in page.compared if c.errors), key=lambda c: (-c.errors, c.gold.document.id))
    wrong = [relation for document in page.compared for relation in document.relations]
    return fill(
        "error_page",
        colours,
        page=page,
        types=types,
        matrix=list(_matrix(page.compared, counted, types)),
        borders=list(_borders(page.compared, types)),
        shifts=SHIFTS,
        examples=[(kind, list(_examples(page.compared, kind))) for kind in SHIFTS],
        strings=[(name, strings(page.compared, missed=name == "missed")) for name in ("missed", "invented")],
        most_strings=MOST_STRINGS,
        worst=[(document, list(_shown(document))) for document in worst[:MOST_DOCUMENTS]],
        wrong_documents=len(worst),
        claims=_claims(wrong),
        relations=[(relation, list(_sentence(relation))) for relation in _in_turn(wrong)[:MOST_RELATIONS]],
        relation_count=len(wrong),
    )


def pieces(text: str, pairs: Iterable[Pair], start: int = 0, end: int | None = None) -> Iterator[Piece]:
    """Cut a text at the borders of all mentions; of mentions of one side that overlap the longest is marked."""
    end = len(text) if end is None else end
    pairs = list(pairs)
    layers = [_drawn(pairs, side) for side in ("gold", "found")]
    cuts = {start, end}
    for mention in chain(*layers):
        first_word = text.find(" ", mention.start, mention.end)  # a label hangs on it, and must not be broken
        cuts |= {mention.start, mention.end, first_word if first_word > 0 else mention.end}
    edges = sorted(cut for cut in cuts if start <= cut <= end)
    for one, other in pairwise(edges):
        yield Piece(text[one:other], *(_mark(layer, one, text_start=start) for layer in layers))


def _drawn(pairs: Iterable[Pair], side: str) -> dict[Mention, str]:
    """The mentions of one side that are drawn, in reading order, and what is wrong with each."""
    wrong: dict[Mention, str] = {}
    for pair in pairs:
        mention, other = (pair.gold, pair.found) if side == "gold" else (pair.found, pair.gold)
        if mention:
            alone = "missed" if side == "gold" else "invented"
            wrong[mention] = "" if pair.right else alone if other is None else pair.shift or "other type"
    return {mention: wrong[mention] for mention in merge_mentions(wrong)}


def _mark(drawn: Mapping[Mention, str], place: int, *, text_start: int) -> Mark | None:
    mention = next((mention for mention in drawn if mention.start <= place < mention.end), None)
    if mention is None:
        return None
    wrong = drawn[mention]
    if place not in (mention.start, text_start):
        return Mark(mention.type, "", wrong)
    room = int((len(mention.text) + 1) / LABEL_WIDTH) - (2 if wrong else 0)
    label = mention.type if len(mention.type) <= room else mention.type[: max(room, 3)]
    return Mark(mention.type, f"✗ {label}" if wrong else label, wrong)


def _matrix(
    compared: Iterable[Compared], counted: Mapping[tuple[str, str], int], types: Sequence[str]
) -> Iterator[tuple[str, list[Cell], int]]:
    """Rows of gold types, that of what was invented last; columns of found types, what was missed last."""
    moved = Counter(pair.cell[0] for document in compared for pair in document.pairs if pair.shift)
    for gold in (*types, ""):
        row = [(found, counted.get((gold, found), 0)) for found in (*types, "")]
        total = sum(count for _, count in row)
        cells = [
            Cell(
                count,
                moved[gold] if found == gold else 0,
                -(-10 * count // total) if total else 0,
                "right" if found == gold else "wrong",
            )
            for found, count in row
        ]
        yield gold, cells, total


def _borders(compared: Sequence[Compared], types: Iterable[str]) -> Iterator[tuple[str, list[int], int]]:
    """For each type how many mentions are too long, too short and shifted, and how many there are in the gold."""
    moved = shifts(compared)
    totals = Counter(pair.cell[0] for document in compared for pair in document.pairs)
    for kind in types:
        counts = [len(moved.get((kind, shift), ())) for shift in SHIFTS]
        if any(counts):
            yield kind, counts, totals[kind]


def _examples(compared: Sequence[Compared], shift: str) -> Iterator[tuple[int, Compared, list[Piece]]]:
    """The commonest border errors of one kind: how often, in which document, and the place."""
    places: dict[tuple[str, str, str], list[tuple[Compared, Pair]]] = {}
    for (kind, how), rows in shifts(compared).items():
        for document, pair in rows if how == shift else ():
            if pair.gold and pair.found:
                places.setdefault((kind, pair.gold.text.lower(), pair.found.text.lower()), []).append((document, pair))
    for _, rows in sorted(places.items(), key=lambda item: (-len(item[1]), item[0]))[:MOST_EXAMPLES]:
        document, pair = rows[0]
        ends = [mention for mention in (pair.gold, pair.found) if mention]
        start, end = min(m.start for m in ends), max(m.end for m in ends)
        text = document.gold.document.text
        left, right = _word(text, start - CONTEXT), _word(text, end + CONTEXT)
        yield len(rows), document, list(pieces(text, [pair], min(left, start), max(right, end)))


def _word(text: str, at: int) -> int:
    """The next border of a word, at most a few characters away."""
    if not 0 < at < len(text):
        return min(max(at, 0), len(text))
    blank = text.find(" ", at, at + 15)
    return blank if blank >= 0 else at


def _shown(compared: Compared) -> Iterator[list[Piece]]:
    """A document's text in pieces, paragraph by paragraph: all of it, or of a long one the sentences with errors."""
    document = compared.gold.document
    spans: Sequence[Span] = document.sections or [Span(0, len(document.text))]
    if len(document.text) > WHOLE_TEXT:
        wrong = [m for p in compared.pairs if not p.right for m in (p.gold, p.found) if m]
        spans = [s for s in split(document).sentences if any(s.overlaps(m) for m in wrong)][:MOST_SENTENCES]
    for span in spans:
        inside = [p for p in compared.pairs if any(m.overlaps(span) for m in (p.gold, p.found) if m)]
        yield list(pieces(document.text, inside, span.start, span.end))


def _claims(wrong: Iterable[WrongRelation]) -> list[tuple[str, Counter[str]]]:
    """How often each relation was wrong in which way; by its gold name, or by that under which it was invented."""
    rows: dict[str, Counter[str]] = {}
    for relation in wrong:
        rows.setdefault(relation.gold or relation.found, Counter())[relation.kind] += 1
    return sorted(rows.items(), key=lambda row: (-row[1].total(), row[0]))


def _in_turn(wrong: Sequence[WrongRelation]) -> list[WrongRelation]:
    """The first of each kind, then the second of each, so that a cut list shows all kinds."""
    seen: Counter[tuple[str, str, str]] = Counter()
    keyed: list[tuple[int, int, WrongRelation]] = []
    for relation in wrong:
        key = (relation.kind, relation.gold, relation.found)
        keyed.append((seen[key], len(keyed), relation))
        seen[key] += 1
    return [relation for *_, relation in sorted(keyed, key=lambda row: row[:2])]


def _sentence(relation: WrongRelation) -> Iterator[tuple[str, str]]:
    """The sentences of a relation as pieces of text with their role: subject, object, or ""."""
    ends = sorted(((relation.subject, "subject"), (relation.object, "object")), key=lambda end: end[0])
    before = None
    for sentence in relation.sentences:
        if before is not None and relation.text[before : sentence.start].strip():
            yield " … ", ""
        at = sentence.start
        for mention, role in ends:
            if at <= mention.start and mention.end <= sentence.end:
                yield relation.text[at : mention.start], ""
                yield mention.of(relation.text), role
                at = mention.end
        yield relation.text[at : sentence.end] + " ", ""
        before = sentence.end
