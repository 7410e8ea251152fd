"""One paper from many sources in the ledger: merged, taken back, stamped, migrated; on every database."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, text

from pipeline.errors import LedgerError
from pipeline.ledger import IngestCounts, Ledger, LedgerCounts
from pipeline.ledger.engine import connect, reader, writer
from pipeline.types import Deleted, Document, Failure, Mention, Reading, Section

READER = {"biomed": "reader@1"}
FOLDER = Path(__file__).parent.parent
TITLE = "Fish oil in patients with Raynaud's disease"


def paper(id_: str, *ids: str, abstract: str = "Fish oil thins blood.", **more: Any) -> Document:
    sections = (Section(0, len(TITLE), "title"), Section(len(TITLE) + 1, len(TITLE) + 1 + len(abstract), "abstract"))
    text_ = f"{TITLE}\n{abstract}" if abstract else TITLE
    return Document(id_, text_, sections[: 2 if abstract else 1], ids=ids, **{"domain": "biomed", **more})


def read(document: Document) -> Reading:
    return Reading(document, mentions=(Mention(0, 8, document.id, document.text[:8], "Chemical", 1.0, "x@1"),))


def names(ledger: Ledger) -> list[str]:
    return [document.id for document in ledger.documents()]


def failures(ledger: Ledger) -> list[tuple[str, str]]:
    return [(failure.source, failure.place) for failure in ledger.failures()]


def test_two_formats_of_one_paper_are_one_document(ledger: Ledger) -> None:
    full = paper("PMC7", "pmcid:PMC7", "pmid:1", abstract="x" * 7000, language="en")
    short = paper("1", "pmid:1", "doi:10.1000/x", journal="Lancet", date="1989")
    assert ledger.ingest("jats", [full]) == IngestCounts(new=1)
    assert ledger.ingest("medline", [short]) == IngestCounts(changed=1)
    (merged,) = ledger.documents()
    assert (merged.id, merged.text, merged.journal, merged.language) == ("1", full.text, "Lancet", "en")
    assert set(merged.ids) == {"pmid:1", "pmcid:PMC7", "doi:10.1000/x"}
    assert ledger.ingest("jats", [full]) + ledger.ingest("medline", [short]) == IngestCounts(same=2)
    assert list(ledger.documents()) == [merged]


def test_a_document_is_found_by_all_that_it_is_known_by(ledger: Ledger) -> None:
    ledger.ingest("a", [paper("sample:1", "doi:10.1000/X"), paper("2", "pmid:2", abstract="Another.")])
    ledger.ingest("b", [paper("1", "pmid:1", "pmcid:PMC7", "doi:10.1000/x")])
    for alias in ("1", "pmid:1", "PMC7", "10.1000/x", "doi:10.1000/X", "sample:1"):
        assert [document.id for document in ledger.documents([alias])] == ["1"], alias
    assert [document.id for document in ledger.documents(["sample:1", "PMC7", "2", "nobody"])] == ["1", "2"]
    assert ledger.remove("10.1000/x")
    assert not ledger.remove("sample:1")
    assert names(ledger) == ["2"]


def test_the_same_title_and_year_is_the_same_paper(ledger: Ledger) -> None:
    ledger.ingest("a.ris", [paper("text:0", date="1989-03")])
    ledger.ingest("b.bib", [paper("10.1000/x", "doi:10.1000/x", date="1989")])
    assert names(ledger) == ["10.1000/x"]
    ledger.ingest("c.csv", [paper("10.1000/y", "doi:10.1000/y", date="1989")])
    assert names(ledger) == ["10.1000/x", "10.1000/y"]


@pytest.mark.parametrize("together", [False, True])
def test_ids_that_contradict_are_a_failure_and_nothing_is_merged(ledger: Ledger, together: bool) -> None:
    told = [
        ("a", [paper("1", "pmid:1", "doi:10.1000/x")]),
        ("b", [paper("2", "pmid:2", "doi:10.1000/x"), paper("3", "pmid:3", abstract="Sound.")]),
        ("c", [paper("10.1000/y", "doi:10.1000/y")]),
        ("d", [paper("PMC4", "doi:10.1000/y", "doi:10.1000/x", "pmcid:PMC4")]),
    ]
    for _ in range(2):
        batch_size = 100 if together else 1
        counts = dict(ledger.ingest_many([(source, "", items) for source, items in told], batch_size=batch_size))
        assert [count.failed for count in counts.values()] == [0, 1, 0, 1]
        assert names(ledger) == ["1", "10.1000/y", "3"]
        assert failures(ledger) == [("b", "2"), ("d", "PMC4")]
    reason = ledger.failures()[0].reason
    assert all(word in reason for word in ("pmid:1", "pmid:2", "'a'", "'b'", "doi:10.1000/x"))
    ledger.ingest("b", [paper("1", "pmid:1", "doi:10.1000/x"), paper("3", "pmid:3", abstract="Sound.")])
    assert failures(ledger) == [("d", "PMC4")]


def test_a_source_corrects_itself(ledger: Ledger) -> None:
    ledger.ingest("a", [paper("1", "pmid:1", "doi:10.1000/x")])
    ledger.ingest("a", [paper("2", "pmid:2", "doi:10.1000/x")])
    assert names(ledger) == ["2"]
    assert ledger.counts().failures == 0


def test_a_new_name_or_text_drops_the_reading_and_metadata_does_not(ledger: Ledger) -> None:
    first = paper("10.1000/x", "doi:10.1000/x")
    ledger.ingest("a", [first])
    ledger.save([read(first)], "reader@1")
    assert ledger.ingest("a", [replace(first, journal="Lancet", status="retracted")]) == IngestCounts(changed=1)
    assert ledger.ingest("b", [replace(first, language="en")]) == IngestCounts(changed=1)
    assert ledger.pending(READER) == []
    assert [(r.document.journal, r.document.status, len(r.mentions)) for r in ledger.readings()] == [
        ("Lancet", "retracted", 1)
    ]
    ledger.ingest("c", [paper("1", "pmid:1", "doi:10.1000/x", abstract="")])
    assert ledger.pending(READER) == ["1"]
    assert ledger.counts().mentions == 0
    (renamed,) = ledger.documents()
    ledger.save([read(renamed)], "reader@1")
    assert ledger.pending(READER) == []
    ledger.ingest("c", [paper("1", "pmid:1", "doi:10.1000/x", abstract="Quite another.")])
    assert ledger.pending(READER) == ["1"]


def test_the_newer_record_holds_within_a_source(ledger: Ledger) -> None:
    old, new = paper("1", abstract="old", revised="2001-02-03"), paper("1", abstract="new", revised="2001-02-04")
    for order in ([old, new], [new, old]):
        counts = ledger.ingest("a", order)
        assert counts.failed == 0
        assert list(ledger.documents()) == [new]
    assert counts == IngestCounts(same=2)


def test_a_deleted_record_goes_unless_others_tell_it(ledger: Ledger) -> None:
    one, two = paper("1", "pmid:1", language="en"), paper("2", "pmid:2", abstract="Another.")
    other = paper("PMC1", "pmid:1", "pmcid:PMC1", abstract="Longer. " * 1000)
    assert ledger.ingest("a", [one, two, Deleted("2"), Deleted("99")]) == IngestCounts(new=2, removed=1)
    assert ledger.ingest("a", [one, two, Deleted("2"), Deleted("99")]) == IngestCounts(same=2)
    assert names(ledger) == ["1"]
    ledger.ingest("b", [other])
    assert ledger.ingest("b", [other, Deleted("1", ("pmid:1",))]) == IngestCounts(same=1, changed=1)
    assert list(ledger.documents()) == [one]
    assert ledger.ingest("b", [replace(other, journal="Lancet")]) == IngestCounts(changed=1)
    assert [document.text for document in ledger.documents()] == [other.text]
    assert ledger.ingest("a", [Deleted("1")]) == IngestCounts(changed=1)
    assert [document.language for document in ledger.documents(["1"])] == [""]


def test_a_list_of_deletions_means_what_other_files_told(ledger: Ledger) -> None:
    ledger.ingest("baseline", [paper("1", "pmid:1"), paper("2", "pmid:2", abstract="Another.")])
    assert ledger.ingest("update", [Deleted("1", ("pmid:1",))]) == IngestCounts(removed=1)
    assert names(ledger) == ["2"]
    assert ledger.ingest("baseline", [paper("1", "pmid:1"), paper("2", "pmid:2", abstract="Another.")]).new == 0
    assert names(ledger) == ["2"]


def test_stamps_tell_what_need_not_be_read(ledger: Ledger) -> None:
    items: list[Document | Failure] = [paper("1"), paper("2", abstract="Another."), Failure("a", "line 3", "broken")]
    ledger.ingest("a", items, stamp="1")
    ledger.ingest("b", [paper("3", abstract="Third.")])
    stamps = {"a": "1", "b": "", "c": "1"}
    assert ledger.unchanged(stamps) == {"a": IngestCounts(same=2, failed=1)}
    assert ledger.unchanged({"a": "2"}) == {}
    assert ledger.failed_sources() == ["a"]
    ledger.ingest("a", items[:2])
    assert ledger.unchanged(stamps) == {}, "what was read without a stamp is not known again"
    assert ledger.failed_sources() == []


def test_a_source_that_was_read_in_part_has_no_stamp(ledger: Ledger) -> None:
    def broken() -> Iterator[Document]:
        yield from (paper(str(n), abstract=str(n)) for n in range(1, 4))
        raise OSError("the disk is gone")

    ledger.ingest("a", [paper("1", abstract="1")], stamp="1")
    with pytest.raises(OSError, match="the disk is gone"):
        ledger.ingest("a", broken(), stamp="2", batch_size=2)
    assert ledger.unchanged({"a": "1"}) == {}
    assert ledger.unchanged({"a": "2"}) == {}
    assert names(ledger) == ["1", "2"]


def test_many_stamps_are_told_at_once(ledger: Ledger) -> None:
    list(ledger.ingest_many((f"file {n}", str(n), [paper(f"own:{n}")]) for n in range(1200)))
    stamps = {f"file {n}": str(n) for n in range(0, 100_000, 2)}
    assert ledger.unchanged(stamps) == {f"file {n}": IngestCounts(same=1) for n in range(0, 1200, 2)}


@pytest.mark.parametrize("batch_size", [1, 2, 3, 500])
def test_many_sources_are_as_one_after_another(ledger: Ledger, batch_size: int) -> None:
    told = [
        ("a", "1", [paper("text:0"), paper("text:1", abstract="Another."), Failure("a", "line 1", "broken")]),
        ("empty", "1", []),
        ("b", "1", [paper("text:0"), Failure("b", "line 1", "broken")]),
        ("a", "2", [paper("text:0"), paper("text:2", abstract="Third.")]),
        ("unreadable", "1", [Failure("unreadable", "", "permission denied")]),
    ]
    assert list(ledger.ingest_many(told, batch_size=batch_size)) == [
        ("a", IngestCounts(new=2, failed=1)),
        ("empty", IngestCounts()),
        ("b", IngestCounts(same=1, failed=1)),
        ("a", IngestCounts(new=1, same=1, removed=1)),
        ("unreadable", IngestCounts(failed=1)),
    ]
    assert names(ledger) == ["text:0", "text:2"]
    assert failures(ledger) == [("b", "line 1"), ("unreadable", "")]
    assert set(ledger.unchanged({"a": "2", "b": "1", "empty": "1", "unreadable": "1"})) == {
        "a",
        "b",
        "empty",
        "unreadable",
    }


def test_copies_of_a_text_in_many_files_are_one_document(ledger: Ledger) -> None:
    copies = [(f"file {n}", "", [paper("text:0", date="1989")]) for n in range(700)]
    counts = [counts for _, counts in ledger.ingest_many(copies)]
    assert counts == [IngestCounts(new=1), *[IngestCounts(same=1)] * 699]
    assert [counts for _, counts in ledger.ingest_many(copies)] == [IngestCounts(same=1)] * 700
    list(ledger.ingest_many((source, "", []) for source, _, _ in copies[:-1]))
    assert names(ledger) == ["text:0"]
    assert ledger.ingest("file 699", []) == IngestCounts(removed=1)


_KILLED = """
import os, signal, sys
from pipeline.ledger import Ledger
from pipeline.types import Document
def told():
    for n in range(1000):
        if n == 250:
            os.kill(os.getpid(), signal.SIGKILL)
        yield f"file {n}", "1", [Document(f"own:{n}", "Aspirin", domain="biomed")]
with Ledger.open(sys.argv[1]) as ledger:
    list(ledger.ingest_many(told(), batch_size=100))
"""


def test_kill_9_loses_the_batch_in_hand_and_no_more(url: str) -> None:
    process = subprocess.run([sys.executable, "-c", _KILLED, url], cwd=FOLDER, check=False)
    assert process.returncode == -signal.SIGKILL
    with Ledger.open(url, timeout=10) as ledger:
        kept = ledger.counts().documents
        assert 150 <= kept < 250
        assert len(ledger.unchanged({f"file {n}": "1" for n in range(1000)})) == kept


_WRITER = """
import sys
from pipeline.ledger import Ledger
from pipeline.types import Document
url, name = sys.argv[1:]
with Ledger.open(url, timeout=60) as ledger:
    for n in range(60):
        ids = (f"doi:10.1000/{n}", f"pmid:{n + 1}" if name == "a" else f"pmcid:PMC{n + 1}")
        ledger.ingest(f"{name}{n}", [Document(f"{name}:{n}", "Aspirin", ids=ids, domain="biomed")])
"""


def test_two_processes_tell_the_same_papers_at_once(url: str) -> None:
    Ledger.open(url).close()
    processes = [subprocess.Popen([sys.executable, "-c", _WRITER, url, name], cwd=FOLDER) for name in ("a", "b")]
    assert [process.wait(120) for process in processes] == [0, 0]
    with Ledger.open(url) as ledger:
        found = {document.id: set(document.ids) for document in ledger.documents()}
    assert found == {
        str(n + 1): {f"doi:10.1000/{n}", f"pmid:{n + 1}", f"pmcid:PMC{n + 1}", f"a:{n}", f"b:{n}"} for n in range(60)
    }


_CURIES = ["pmid:1", "pmid:2", "doi:10.1000/x", "doi:10.1000/y", "pmcid:PMC1", "arxiv:1711.04702"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sets(st.sampled_from(_CURIES), max_size=3), max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_sources_has_no_say_in_a_ledger(
    ledger: Ledger, records: list[set[str]], rng: random.Random
) -> None:
    told = [
        (f"s{n}", "", [paper(f"own{n}:1", *sorted(ids), revised=f"2001-01-0{n + 1}", date="1989", journal=f"J{n}")])
        for n, ids in enumerate(records)
    ]
    results = []
    for batch_size in (500, 1):
        list(ledger.ingest_many(told, batch_size=batch_size))
        results.append((list(ledger.documents()), ledger.counts().failures))
        for document in results[-1][0]:
            assert ledger.remove(document.id)
        list(ledger.ingest_many((source, "", []) for source, _, _ in told))
        assert ledger.counts() == LedgerCounts(0, 0, 0, 0)
        if not results[0][1]:  # of records that contradict each other the first is kept
            rng.shuffle(told)
    assert results[0] == results[1]


# migrating from the first revision


def digest_1(document: Document) -> str:
    """The digest as the first revision had it."""
    content = asdict(document)
    for name in ("domain", "references", "revised"):
        del content[name]
    return hashlib.sha256(json.dumps([content], separators=(",", ":")).encode()).hexdigest()[:32]


def first_revision(url: str, tellings: list[tuple[str, Document]]) -> None:
    """A ledger as the program of the first revision wrote it; each document was read."""
    from pipeline.ledger.migrations import upgrade

    engine = connect(url, timeout=10)
    with writer(engine).begin() as connection:
        upgrade(connection, "0001")
        for source, d in tellings:
            details = {name: getattr(d, name) for name in ("ids", "authors", "journal", "language", "licence", "links")}
            details["sections"] = [(s.start, s.end, s.kind) for s in d.sections]
            values = {
                **{"id": d.id, "digest": digest_1(d), "domain": d.domain, "date": d.date, "year": d.year},
                **{"status": d.status, "text": d.text, "details": json.dumps(details), "source": source},
            }
            for statement in (
                "INSERT INTO documents VALUES (:id, :digest, :domain, :date, :year, :status, :text, :details) "
                "ON CONFLICT DO NOTHING",
                "INSERT INTO document_sources VALUES (:id, :source, NULL, :digest, :domain)",
                "INSERT INTO read_state VALUES (:id, 'reader@1', :digest) ON CONFLICT DO NOTHING",
                "INSERT INTO mentions VALUES (:id, :id, 0, 8, 'Fish oil', 'Drug', 1.0, 'x@1') ON CONFLICT DO NOTHING",
            ):
                connection.execute(text(statement), values)
    engine.dispose()


def test_a_ledger_of_the_first_revision_goes_on(url: str) -> None:
    one, two = paper("1", "pmid:1", "doi:10.1000/X", date="1989"), paper("PMC2", "pmcid:PMC2", abstract="Another.")
    first_revision(url, [("a", one), ("b", one), ("a", two)])
    with Ledger.open(url, timeout=10) as ledger:
        assert list(ledger.documents()) == [one, two]
        assert ledger.pending(READER) == []
        assert [document.id for document in ledger.documents(["doi:10.1000/x", "pmcid:PMC2"])] == ["1", "PMC2"]
        assert ledger.ingest("a", [one, two]) + ledger.ingest("b", [one]) == IngestCounts(same=3)
        assert ledger.ingest("c", [paper("2", "pmid:2", "pmcid:PMC2")]) == IngestCounts(changed=1)
        assert names(ledger) == ["1", "2"]
        assert ledger.pending(READER) == ["2"]


def test_papers_that_the_first_revision_had_twice_are_joined_when_told_again(url: str) -> None:
    one, two = paper("1", "pmid:1", "doi:10.1000/x"), paper("10.1000/x", "doi:10.1000/x", language="en")
    first_revision(url, [("a", one), ("b", two)])
    with Ledger.open(url, timeout=10) as ledger:
        assert names(ledger) == ["1", "10.1000/x"]
        ledger.ingest("a", [one])
        ledger.ingest("b", [two])
        assert [(document.id, document.language) for document in ledger.documents()] == [("1", "en")]


def test_the_second_revision_goes_back_to_the_first(url: str) -> None:
    from pipeline.ledger.migrations import downgrade, upgrade

    papers = [paper("1", "pmid:1"), paper("2", "pmid:2", abstract="A \0 and \ud835 more.")]
    with Ledger.open(url, timeout=10) as ledger:
        ledger.ingest("a", [*papers, Failure("a", "3", "broken")], stamp="1")
        ledger.ingest("b", [replace(papers[0], language="en"), Deleted("1")])
        ledger.save(map(read, papers), "reader@1")
        with writer(ledger._engine).begin() as connection:
            downgrade(connection, "0001")
        with reader(ledger._engine).begin() as connection:
            assert not {"sources", "document_ids"} & set(inspect(connection).get_table_names())
            rows = connection.execute(text("SELECT id, digest FROM documents ORDER BY id")).tuples().all()
            assert rows == [(document.id, digest_1(document)) for document in papers]
            read_ = connection.execute(text("SELECT document_id, digest FROM read_state ORDER BY 1")).tuples().all()
            assert read_ == rows
            told = connection.execute(text("SELECT document_id, source, digest FROM document_sources ORDER BY 1"))
            assert [tuple(row) for row in told] == [(id_, "a", digest) for id_, digest in rows]
        with writer(ledger._engine).begin() as connection:
            upgrade(connection)
    with Ledger.open(url, timeout=10) as ledger:
        assert list(ledger.documents()) == papers
        assert ledger.pending(READER) == []
        assert ledger.counts() == LedgerCounts(2, 2, 0, 1)
        assert ledger.ingest("a", papers) == IngestCounts(same=2)


def test_a_writer_waits_for_the_one_before_it(url: str, ledger: Ledger) -> None:
    with Ledger.open(url, timeout=0.2) as other, ledger._writing(), pytest.raises(LedgerError, match="locked"):
        list(other.ingest_many([("a", "", [paper("1")])]))
