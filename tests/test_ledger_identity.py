"""Who is who: identifiers and titles by hand, then that the order in which sources come has no say."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ledger.identity import Telling, contradict, curie, depth, merge, name, partition, title_key
from pipeline.ledger.papers import COMMON, Papers, Refused
from pipeline.types import Deleted, Document, Section

TITLE = "Fish oil in patients with Raynaud's disease"


def told(source: str, id_: str, *ids: str, turn: int = 0, text: str = TITLE, **more: Any) -> Telling:
    document = Document(id_, text, ids=ids, **more)
    return Telling(source, document, document.digest, turn)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("227508", "pmid:227508"),
        ("pmid:0227508", "pmid:227508"),
        ("PMID:227508", "pmid:227508"),
        ("0227508", "0227508"),
        ("215416146", "215416146"),
        ("PMC12", "pmcid:PMC12"),
        ("pmcid:pmc12", "pmcid:PMC12"),
        ("https://doi.org/10.1000/XYZ", "doi:10.1000/xyz"),
        ("doi:10.48550/arXiv.1711.04702v3", "arxiv:1711.04702"),
        ("arxiv:hep-th/9901001", "arxiv:hep-th/9901001"),
        ("pmid:", "pmid:"),
        ("sample:1", "sample:1"),
        ("", ""),
    ],
)
def test_identifiers_have_one_form(text: str, expected: str) -> None:
    assert curie(text) == expected
    assert curie(expected) == expected


def test_what_only_looks_like_an_identifier_joins_nothing() -> None:
    one, other = told("a", "x", "pmid:", "doi:", "issn:1", "5"), told("b", "y", "pmid:", "doi:", "issn:1", "5")
    assert one.curies == {"x"}
    assert other.curies == {"y"}


def test_a_number_beside_a_pmid_is_a_sources_own() -> None:
    assert told("a", "5", "pmid:7").curies == {"5", "pmid:7"}
    assert told("a", "5").curies == {"pmid:5"}


@pytest.mark.parametrize(
    ("title", "date", "same"),
    [
        ("FISH OIL in patients with Raynaud’s disease.", "1989-03", True),
        ("Fish oil in patients with Raynáud's disease", "1989", True),
        ("Fish oil in patients with Raynaud's disease II", "1989", False),
        (TITLE, "1990", False),
        (TITLE, "", False),
    ],
)
def test_titles_are_compared_by_their_letters_and_the_year(title: str, date: str, same: bool) -> None:
    known = title_key(Document("a", TITLE, date="1989"))
    assert (title_key(Document("b", title, date=date)) == known) is same


@pytest.mark.parametrize("title", ["Editorial", "In this issue", "???? ?? ? ? ?"])
def test_short_titles_tell_nothing(title: str) -> None:
    assert title_key(Document("a", title, date="1989")) == ""


def test_depth_is_told_by_what_there_is() -> None:
    def text(*parts: tuple[str, int]) -> Document:
        sections, at = [], 0
        for kind, length in parts:
            sections.append(Section(at, at + length, kind))
            at += length + 1
        return Document("a", "\n".join("x" * length for _, length in parts), tuple(sections))

    assert depth(text(("title", 90))) == 0
    assert depth(text(("title", 90), ("abstract", 500))) == 1
    assert depth(text(("title", 90), ("methods", 900), ("results", 900))) == 1
    assert depth(text(("title", 90), ("abstract", 500), ("body", 900))) == 2
    assert depth(text(("title", 90), ("methods", 4000), ("results", 4000))) == 2
    assert depth(Document("a", TITLE)) == 0


def test_papers_hang_together_by_identifiers_across_others() -> None:
    one, two, three = told("a", "1", "pmid:1"), told("b", "10.1/x", "doi:10.1/x"), told("c", "PMC3", "pmcid:PMC3")
    assert len(partition([one, two, three])) == 3
    assert len(partition([one, two, three, told("d", "1", "doi:10.1/X")])) == 2
    assert len(partition([one, two, three, told("d", "z", "pmid:1", "doi:10.1/x", "pmcid:PMC3")])) == 1


def test_titles_join_what_nothing_keeps_apart() -> None:
    date = "1989"
    pmid, doi = told("a", "1", "pmid:1", date=date), told("b", "10.1/x", "doi:10.1/x", date=date)
    assert len(partition([pmid, doi])) == 1
    assert len(partition([pmid, told("b", "2", "pmid:2", date=date)])) == 2
    assert len(partition([pmid, told("a", "10.1/x", "doi:10.1/x", date=date)])) == 2, "its source means two"
    assert len(partition([told("a", "text:0", date=date), told("b", "text:1", date=date)])) == 1
    assert len(partition([told("a", "sample:0", date=date), told("b", "sample:1", date=date)])) == 2
    assert len(partition([pmid, doi], common=[pmid.title])) == 2


def test_a_paper_is_called_by_the_best_of_its_identifiers() -> None:
    tellings = [told("a", "zeta:1"), told("b", "text:0"), told("c", "alpha:1")]
    for more, expected in [("arxiv:1711.04702", "1711.04702"), ("doi:10.1/X", "10.1/x"), ("pmcid:PMC9", "PMC9")]:
        assert name(tellings) == ("alpha:1" if len(tellings) == 3 else name(tellings))
        tellings.append(told("d", more))
        assert name(tellings) == expected
    assert name([*tellings, told("e", "x", "pmid:10", "pmid:9")]) == "9"


def test_the_holder_gives_the_text_and_all_give_what_they_know() -> None:
    abstract = told("a", "1", "pmid:1", text=TITLE + "\nAn abstract.", turn=1, journal="Lancet", status="retracted")
    title = told("b", "10.1/x", "pmid:1", "doi:10.1/x", turn=2, journal="The Lancet", language="en", date="1989")
    merged = merge([title, abstract])
    assert merged == merge([abstract, title])
    assert (merged.id, merged.text, merged.journal) == ("1", abstract.document.text, "Lancet")
    assert (merged.language, merged.date, merged.status) == ("en", "1989", "retracted")
    assert merged.ids == ("pmid:1", "doi:10.1/x")


@pytest.mark.parametrize(
    ("first", "second", "holds"),
    [("", "", "second"), ("2001", "2000", "first"), ("2000", "2001", "second"), ("2001", "", "second")],
)
def test_of_equal_depth_the_newer_holds_else_the_last(first: str, second: str, holds: str) -> None:
    tellings = [
        told("b", "1", text="first", revised=first, turn=1),
        told("a", "1", text="second", revised=second, turn=2),
    ]
    assert merge(tellings).text == holds


def test_ids_under_which_a_paper_was_told_are_kept() -> None:
    assert merge([told("a", "sample:1", "pmid:1")]).ids == ("pmid:1", "sample:1")
    assert merge([told("a", "text:0", "pmid:1")]).ids == ("pmid:1",)
    assert merge([told("a", "1", "pmid:1"), told("b", "PMC5", "pmid:1")]).ids == ("pmid:1", "pmcid:PMC5")


def test_contradictions_are_refused_and_leave_all_as_it_was() -> None:
    papers = Papers()
    papers.tell(told("a", "1", "pmid:1", "doi:10.1/x"))
    papers.tell(told("b", "2", "pmid:2", "doi:10.1/y"))
    with pytest.raises(Refused, match=r"doi:10.1/x makes one paper of pmid:3 in 'c' and pmid:1 in 'a'"):
        papers.tell(told("c", "3", "pmid:3", "doi:10.1/x"))
    with pytest.raises(Refused, match="nothing is merged"):
        papers.tell(told("c", "PMC3", "pmcid:PMC3", "doi:10.1/x", "doi:10.1/y"))
    assert [paper.document.ids for paper in papers.made] == [("pmid:1", "doi:10.1/x"), ("pmid:2", "doi:10.1/y")]


def test_a_source_may_correct_itself() -> None:
    papers = Papers()
    papers.tell(told("a", "1", "pmid:1", "doi:10.1/x"))
    papers.tell(told("b", "1", "pmid:1"))
    assert papers.tell(told("a", "2", "pmid:2", "doi:10.1/x")) == "new"
    assert sorted(paper.document.ids for paper in papers.made) == [("pmid:1",), ("pmid:2", "doi:10.1/x")]
    with pytest.raises(Refused):  # but not within one run
        papers.tell(told("a", "3", "pmid:3", "doi:10.1/x"), seen=[("a", "2")])


def test_what_held_papers_together_may_go() -> None:
    papers = Papers()
    papers.tell(told("a", "1", "pmid:1"))
    papers.tell(told("b", "10.1/x", "doi:10.1/x"))
    assert papers.tell(told("c", "1", "pmid:1", "doi:10.1/x")) == "changed"
    assert len(papers.made) == 1
    assert papers.take_back("c", Deleted("1")) == "changed"
    assert sorted(paper.document.id for paper in papers.made) == ["1", "10.1/x"]
    assert papers.take_back("c", Deleted("1")) == "removed", "a list of deletions means what others told"
    assert papers.take_back("c", Deleted("99")) == "same"


def test_a_title_of_many_papers_joins_nothing() -> None:
    papers = Papers()
    for number in range(COMMON + 1):
        papers.tell(told(f"s{number}", f"{number + 1}", date="1989"))
    assert papers.tell(told("t", "text:0", date="1989")) == "new"
    assert len(papers.made) == COMMON + 2


PAPERS = 4
_record = st.tuples(
    st.integers(0, PAPERS - 1),
    st.sets(st.sampled_from(["pmid", "pmcid", "doi", "arxiv"]), max_size=4),
    st.booleans(),
    st.sampled_from(["", "Lancet", "BMJ"]),
    st.sampled_from(["article", "erratum", "retracted"]),
)


def record(number: int, paper: int, schemes: set[str], dated: bool, journal: str, status: str) -> Telling:
    """One of the records of a paper; papers 2 and 3 have one title."""
    values = {
        "pmid": f"pmid:{paper + 1}",
        "pmcid": f"pmcid:PMC{paper + 1}",
        "doi": f"doi:10.1/{paper}",
        "arxiv": f"arxiv:1711.0470{paper}",
    }
    return told(
        f"source {number}",
        f"own{number}:{paper}",
        *sorted(values[scheme] for scheme in schemes),
        text=f"{TITLE} {min(paper, 2)}",
        date="1989" if dated else "",
        journal=journal,
        status=status,
        links=(("corrects", str(number)),),
        revised=f"2001-01-{number + 1:02}",
        turn=number,
    )


@given(st.lists(_record, max_size=9), st.randoms(use_true_random=False))
def test_the_order_of_sources_has_no_say(records: list[tuple[Any, ...]], rng: random.Random) -> None:
    tellings = [record(number, *given_) for number, given_ in enumerate(records)]

    def after(order: list[Telling]) -> set[Document]:
        papers = Papers()
        for telling in order:
            papers.tell(telling)
        assert sorted(t.key for p in papers.made for t in p.tellings.values()) == sorted(t.key for t in order)
        return {paper.document for paper in papers.made}

    first = after(tellings)
    for one in tellings:
        for other in tellings:
            assert not (contradict(one, other) and _together(first, one, other))
    rng.shuffle(tellings)
    assert after(tellings) == first


@given(st.lists(_record, min_size=1, max_size=9), st.data())
def test_what_is_taken_back_might_never_have_been_told(records: list[tuple[Any, ...]], data: st.DataObject) -> None:
    tellings = [record(number, *given_) for number, given_ in enumerate(records)]
    taken = data.draw(st.sampled_from(tellings))
    papers, without = Papers(), Papers()
    for telling in tellings:
        papers.tell(telling)
        if telling is not taken:
            without.tell(telling)
    papers.take_back(taken.source, Deleted(taken.document.id))
    assert {p.document for p in papers.made} == {p.document for p in without.made}


def _together(documents: set[Document], one: Telling, other: Telling) -> bool:
    """Whether two records made one document: each names its own link."""
    return any({*one.document.links, *other.document.links} <= {*document.links} for document in documents)
