"""From lines in reading order to a paper: title, sections by their headings, captions, notes and references.

Sentences run on over the end of a column or page and past whatever floats between: a caption, a footnote, a table, a
displayed formula. Captions and notes are kept apart; the cells of tables, the labels inside figures and displayed
formulas are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile
from typing import Literal, TypeAlias

from pipeline.pdf.layout import Line
from pipeline.pdf.words import Words, join, vocabulary

Block: TypeAlias = list[Line]
Label: TypeAlias = Literal["text", "heading", "caption", "footnote", "loose"]

_CAPTION = re.compile(
    r"(?:supplementary |extended data )?(?:figure|fig|table|scheme|algorithm|box)\b\.?\s*[A-Z]?\d+[a-z]?\s*[.:|—–-]",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3}|[IVX]{1,5}|[A-Z](?:\.\d{1,2}){0,3})\.?\s+(?=[^\W\d_])")
_KNOWN = re.compile(
    r"""abstract|summary|(?:general[ ])?introduction|background|related[ ]works?|limitations|evaluation|future[ ]work
    |(?:materials?[ ]and[ ])?methods?(?:[ ]and[ ]materials?)?|experiment(?:s|al(?:[ ](?:section|setup|results))?)
    |results?(?:[ ]and[ ]discussion)?|discussions?(?:[ ]and[ ]conclusions?)?
    |(?:summary[ ]and[ ])?conclusions?(?:[ ]and[ ](?:future[ ]work|outlook))?
    |acknowledge?ments?|funding|author[ ]contributions|competing[ ]interests|conflicts?[ ]of[ ]interest
    |data[ ]availability|appendix|supplementary[ ]materials?
    |references(?:[ ]and[ ]notes)?|bibliography|literature[ ]cited|works[ ]cited""",
    re.IGNORECASE | re.VERBOSE,
)
_REFERENCES = re.compile(r"references(?: and notes)?|bibliography|literature cited|works cited", re.IGNORECASE)
_RUN_IN = re.compile(r"(?:abstract|summary)\s*[.:—–-]+\s*(?=[^\W_])", re.IGNORECASE)
_NOTE = re.compile(r"[\d*∗†‡§¶]")
_ENDED = re.compile(r"[.!?:][\"'”’)\]]*[\d,*∗†‡]*$")
_SENTENCE = re.compile(r"[^\W\d_]{2}[)\]”\"]*[.?!][\d)\]”\"]*(?:\s|$)")
_WORD = re.compile(r"[^\W\d_]{3,}")
_ITEM = re.compile(r"\[\w{1,20}\]\s|\d{1,3}\.\s")


@dataclass(frozen=True, slots=True)
class Part:
    """A section: the number and the words of its heading, and its paragraphs.

    What stands before the first heading has neither number nor heading; captions and notes have their kind for a
    heading. A heading that is no usual name of a section is its first paragraph too, for it may be none.
    """

    number: str
    heading: str
    paragraphs: tuple[str, ...]


@dataclass(slots=True)
class _Open:
    """A part whose paragraphs are still being put together, and what floats among them."""

    number: str
    heading: str
    shown: str = ""  # the heading as a paragraph
    paragraphs: list[Block] = field(default_factory=list)
    floats: list[tuple[Label, Block]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Paper:
    """What the layout says about a paper; ``front`` is what stands between its title and its text."""

    title: str
    front: str
    parts: list[Part]
    references: list[str]


def paper(lines: Sequence[Line], claimed: str = "") -> Paper:
    """Tell the parts of a paper from each other; ``claimed`` is the title that the file gives itself."""
    words = vocabulary(line.text for line in lines)
    body, all_bold = _body(lines)
    if all_bold:  # where all is bold, bold says nothing
        lines = [replace(line, bold=False) for line in lines]
    title, blocks = _title(list(_blocks(lines)), claimed, body, words)
    labels = _labels(blocks, body)
    front, blocks, labels = _front(blocks, labels)
    parts, references = _sections(blocks, labels, words)
    return Paper(title, front, parts, references)


def _body(lines: Sequence[Line]) -> tuple[float, bool]:
    """The size of most letters, and whether most of them are bold."""
    sizes: Counter[float] = Counter()
    bold = 0
    for line in lines:
        sizes[line.size] += len(line.text)
        bold += len(line.text) if line.bold else 0
    return (sizes.most_common(1)[0][0] if sizes else 0.0), bold * 2 > sizes.total()


def _blocks(lines: Sequence[Line]) -> Iterator[Block]:
    """Lines that belong together: of one column, size and weight, without a gap or an indented line between."""
    block: Block = []
    for line in lines:
        if block and _begins(block, line):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _begins(block: Block, line: Line) -> bool:
    """Whether the line begins a new block."""
    last = block[-1]
    size = max(last.size, line.size)
    if line.column != last.column or not 0 < line.y - last.y < 1.45 * size:
        return True
    if abs(line.size - last.size) > 0.07 * size or line.bold != last.bold or _is_formula(line) != _is_formula(last):
        return True
    margin = min(other.x0 for other in block)
    indented = line.x0 - margin > 0.7 * size and last.x0 - margin < 0.7 * size
    return indented and (last.x1 < line.right - 2 * size or bool(_ENDED.search(last.text)))


def _is_formula(line: Line) -> bool:
    return line.x0 > line.left + line.size and line.x1 < line.right - line.size / 2 and _worded(line.text) < 0.4


def _worded(text: str) -> float:
    """The share of the characters that belong to words of three letters or more."""
    return sum(map(len, _WORD.findall(text))) / max(len(text.replace(" ", "")), 1)


def _title(blocks: list[Block], claimed: str, body: float, words: Words) -> tuple[str, list[Block]]:
    """The title, and the blocks without it: the claimed one if the first page shows it, else its largest print."""
    page = blocks[0][0].page if blocks else 0
    first = [block for block in blocks[:40] if block[0].page == page]
    shown = _bare(" ".join(line.text for block in first for line in block))
    if len(_bare(claimed)) > 7 and _bare(claimed) in shown:
        chosen = [block for block in first if _bare(_flat(block)) in _bare(claimed)]
        return claimed, [block for block in blocks if not any(block is other for other in chosen)]
    sizes = {at: block[0].size for at, block in enumerate(first) if len(_bare(_flat(block))) > 7}
    largest = max(sizes.values(), default=0.0)
    if largest < 1.1 * body or not largest:
        return "", blocks
    at = next(at for at, size in sizes.items() if size == largest)
    more = list(takewhile(lambda block: block[0].size == largest and block[0].bold == first[at][0].bold, first[at:]))
    rest = blocks[:at] + blocks[at + len(more) :]
    return (_text([line for block in more for line in block], words), rest) if rest else ("", blocks)


def _flat(block: Block) -> str:
    return " ".join(line.text for line in block)


def _text(lines: Sequence[Line], words: Words) -> str:
    return join([line.text for line in lines], words)


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _labels(blocks: Sequence[Block], body: float) -> list[Label]:
    labels: list[Label] = [_label(block, body) for block in blocks]
    for at in range(len(blocks) - 1, -1, -1):  # footnotes: the small print with marks at the foot of a column
        small = labels[at] in ("text", "loose") and blocks[at][0].size <= 0.9 * body
        last = at + 1 == len(blocks) or blocks[at + 1][0].column != blocks[at][0].column
        if small and (last or labels[at + 1] == "footnote") and _has_note(blocks, at):
            labels[at] = "footnote"
    kept = sum(len(_flat(block)) for block, label in zip(blocks, labels, strict=True) if label == "text")
    loose = sum(len(_flat(block)) for block, label in zip(blocks, labels, strict=True) if label == "loose")
    if loose > 2 * kept:  # no paper, so that what a paper looks like says nothing
        return ["text" if label == "loose" else label for label in labels]
    return labels


def _has_note(blocks: Sequence[Block], at: int) -> bool:
    """Whether this block, or one right above it in the same small print, begins with the mark of a footnote."""
    column, size = blocks[at][0].column, blocks[at][0].size
    above = takewhile(lambda block: (block[0].column, block[0].size) == (column, size), reversed(blocks[: at + 1]))
    return any(_NOTE.match(block[0].text) for block in above)


def _label(block: Block, body: float) -> Label:
    text = _flat(block)
    if _CAPTION.match(text) and (len(block) > 1 or len(text) > 15):
        return "caption"
    if _is_heading(block, text, body):
        return "heading"
    return "loose" if _is_loose(block, text, body) else "text"


def _is_heading(block: Block, text: str, body: float) -> bool:
    size = block[0].size
    if len(block) > 3 or len(text) > 150 or size < 0.9 * body or block[0].gaps > 1 or _worded(text) < 0.5:
        return False
    words = _NUMBER.sub("", text, count=1) if _NUMBER.match(text) else text
    if _KNOWN.fullmatch(words.rstrip(" .:")):
        return True
    if not words[:1].isupper() or text.endswith((",", ";", "-")) or size < 0.97 * body:
        return False
    if text.endswith(".") and not (block[0].bold and len(block) == 1):
        return False
    return block[0].bold or size > 1.08 * body or (words != text and words.isupper())


def _is_loose(block: Block, text: str, body: float) -> bool:
    """Whether this is a table, what is written in a figure, or a formula, and no running text."""
    size, sentence = block[0].size, bool(_SENTENCE.search(text))
    filled = max(line.x1 - line.x0 for line in block) / max(block[0].right - block[0].left, 1)
    gaps = sum(line.gaps > 0 for line in block) / len(block)
    return (
        size < 0.78 * body
        or _worded(text) < 0.35
        or (gaps >= 0.5 and (len(block) > 1 or not sentence))
        or (size < 0.93 * body and not sentence)
        or (filled < 0.5 and len(block) < 4 and not sentence and block[0].x0 > block[0].left + 2 * size)
    )


def _front(blocks: list[Block], labels: list[Label]) -> tuple[str, list[Block], list[Label]]:
    """Take authors and addresses away: what stands on the first page before its first heading and is no paragraph."""
    if not blocks:
        return "", [], []
    page = blocks[0][0].page
    heads = (
        at
        for at, (block, label) in enumerate(zip(blocks, labels, strict=True))
        if block[0].page == page and (_opens_text(block) if label != "heading" else _is_known(block))
    )
    end = next(heads, 0)
    front = [at for at in range(end) if not (labels[at] == "text" and len(blocks[at]) > 2 and _is_prose(blocks[at]))]
    text = "\n".join(line.text for at in front for line in blocks[at])
    kept = [at for at in range(len(blocks)) if at not in set(front)]
    return text, [blocks[at] for at in kept], [labels[at] for at in kept]


def _opens_text(block: Block) -> bool:
    return bool(_RUN_IN.match(block[0].text))


def _is_known(block: Block) -> bool:
    text = _flat(block)
    return bool(_NUMBER.match(text) or _KNOWN.fullmatch(text.rstrip(" .:")))


def _is_prose(block: Block) -> bool:
    return len(_SENTENCE.findall(_flat(block))) > 1


def _sections(blocks: Sequence[Block], labels: Sequence[Label], words: Words) -> tuple[list[Part], list[str]]:
    """Sections in reading order, each followed by the captions and notes that stand among its text."""
    found = [_Open("", "")]
    cited = list[Line]()
    references = False
    for block, label in zip(blocks, labels, strict=True):
        if label == "heading":
            number, heading = _heading(_text(block, words))
            references = bool(_REFERENCES.fullmatch(heading))
            if not references:
                found.append(_Open(number, heading, shown="" if _KNOWN.fullmatch(heading) else _text(block, words)))
        elif label in ("caption", "footnote"):
            found[-1].floats.append((label, block))
        elif references:
            cited += block
        else:
            found += _add(found[-1], block, label)
    return [part for opened in found for part in _closed(opened, words)], list(_references(cited, words))


def _closed(part: _Open, words: Words) -> Iterator[Part]:
    paragraphs = (_text(lines, words) for lines in part.paragraphs)
    yield Part(part.number, part.heading, tuple(text for text in (part.shown, *paragraphs) if text))
    for label, block in part.floats:
        yield Part("", label, (_text(block, words),))


def _add(part: _Open, block: Block, label: Label) -> list[_Open]:
    """Add running text to a part; a part of its own where it says that it is the abstract."""
    if label == "text" and (run_in := _RUN_IN.match(block[0].text)):
        first = replace(block[0], text=block[0].text[run_in.end() :])
        return [_Open("", "abstract", paragraphs=[[first, *block[1:]]])]
    if part.paragraphs and _goes_on(part.paragraphs[-1][-1], block[0], label):
        part.paragraphs[-1] += block
    elif label == "text":
        part.paragraphs.append(list(block))
    return []


def _goes_on(last: Line, first: Line, label: Label) -> bool:
    """Whether a paragraph that broke off after ``last`` goes on with ``first``, in the next column or past a float."""
    moved = first.column != last.column
    if label == "loose":  # the last words of a paragraph at the head of a column look like a label in a figure
        return moved and not _ENDED.search(last.text) and first.size == last.size and first.text[:1].islower()
    if abs(first.size - last.size) > 0.07 * last.size:
        return False
    if first.text[:1].islower():
        return True
    full = last.x1 > last.right - 2 * last.size
    return not _ENDED.search(last.text) and full and (moved or first.y - last.y > 0)


def _heading(text: str) -> tuple[str, str]:
    """
    >>> _heading("2.1 Study design"), _heading("Abstract.")
    (('2.1', 'Study design'), ('', 'Abstract'))
    """
    number = _NUMBER.match(text)
    return (number[1] if number else ""), text[number.end() if number else 0 :].rstrip(" .:")


def _references(lines: Sequence[Line], words: Words) -> Iterator[str]:
    """Cut a list of references at the marks of its items, else where a line hangs out to the left."""
    marked = sum(bool(_ITEM.match(line.text)) for line in lines) > max(len(lines) / 8, 1)
    margin: dict[int, float] = {}
    for line in lines:
        margin[line.column] = min(line.x0, margin.get(line.column, line.x0))
    hanging = any(line.x0 > margin[line.column] + 0.5 * line.size for line in lines)
    entry: list[str] = []
    for last, line in pairwise([*lines[:1], *lines]):
        if marked:
            begins = bool(_ITEM.match(line.text))
        elif hanging:
            begins = line.x0 < margin[line.column] + 0.5 * line.size
        else:
            begins = line.column != last.column or line.y - last.y > 1.4 * line.size
        if begins and entry:
            yield join(entry, words)
            entry = []
        entry.append(line.text)
    if entry:
        yield join(entry, words)
