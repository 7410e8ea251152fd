"""The ledger, by one battery on every database it may lie in; what only SQLite can suffer stands at the end."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, inspect, select, text

from pipeline.errors import LedgerError, ServiceError
from pipeline.ledger import IngestCounts, Ledger, LedgerCounts
from pipeline.ledger.engine import reader, writer
from pipeline.ledger.schema import HEAD, escape, metadata, unescape
from pipeline.types import Document, Failure, Grounding, Mention, Reading, Relation, Section

READER = {"biomed": "reader@1"}
FOLDER = Path(__file__).parent.parent


def paper(id_: str = "sample:1", text_: str = "Aspirin\nAspirin causes asthma.", **fields: Any) -> Document:
    return replace(Document(id_, text_, (Section(0, 7, "title"),), date="1985-04", domain="biomed"), **fields)


def read(document: Document) -> Reading:
    """Aspirin causes asthma; the first ``Aspirin`` is not linked."""

    def mention(start: int, end: int, type_: str, *groundings: Grounding) -> Mention:
        return Mention(start, end, document.id, document.text[start:end], type_, 0.9, "tagger@1", groundings)

    title = mention(0, 7, "Chemical")
    aspirin = mention(
        8,
        15,
        "Chemical",
        Grounding("MESH:D001241", "Aspirin", 0.75, "exact", "aspirin"),
        Grounding("MESH:D000001", "Aspirine", 0.5, "fuzzy", "aspirine"),
    )
    asthma = mention(23, 29, "Disease", Grounding("MESH:D001249", "Asthma", 1.0, "exact", "asthma"))
    claim = Relation(8, 30, document.id, "INDUCES", aspirin, asthma, 0.8, "relations@1", "negative", "speculative")
    return Reading(document, mentions=(title, aspirin, asthma), relations=(claim,))


def dump(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with ledger._engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
        }


# ingesting


def test_what_was_ingested_comes_back(ledger: Ledger) -> None:
    full = paper(
        "1",
        ids=("pmid:1", "doi:10.1/x"),
        authors=("Swanson DR",),
        journal="Perspect Biol Med",
        language="en",
        licence="CC0",
        status="retracted",
        links=(("corrects", "sample:0"),),
        references=("pmid:2", "Swanson DR. Fish oil. 1986."),
        revised="1999-01-01",
    )
    empty = Document("sample:0", "")
    assert ledger.ingest("a", [full, empty]) == IngestCounts(new=2)
    assert list(ledger.documents()) == [full, empty]
    assert [d.digest for d in ledger.documents()] == [full.digest, empty.digest]


def test_ingesting_twice_changes_nothing(ledger: Ledger) -> None:
    papers = [paper(f"sample:{n}") for n in range(7)]
    items: list[Document | Failure] = [*papers, Failure("a", "line 9", "no id")]
    assert ledger.ingest("a", items, batch_size=3) == IngestCounts(new=7, failed=1)
    ledger.save([read(papers[0])], "reader@1")
    before = dump(ledger)
    assert ledger.ingest("a", items, batch_size=3) == IngestCounts(same=7, failed=1)
    assert dump(ledger) == before


def test_a_changed_document_is_read_again(ledger: Ledger) -> None:
    old, other = paper(), paper("sample:2")
    ledger.ingest("a", [old, other])
    ledger.save([read(old), read(other)], "reader@1")
    ledger.fail([Failure(old.id, "sentence 1", "too long", "extract")])
    new = replace(old, text=old.text + " Perhaps.")
    assert ledger.ingest("a", [new, other]) == IngestCounts(changed=1, same=1)
    assert ledger.pending(READER) == [old.id]
    assert list(ledger.documents([old.id])) == [new]
    assert [reading.document.id for reading in ledger.readings()] == [other.id]
    assert ledger.counts() == LedgerCounts(documents=2, mentions=3, relations=1, failures=0)


def test_another_domain_is_a_change(ledger: Ledger) -> None:
    ledger.ingest("a", [paper()])
    assert ledger.ingest("a", [paper(domain="ai")]) == IngestCounts(changed=1)
    assert ledger.pending({"ai": "x"}) == ["sample:1"]
    assert ledger.pending(READER) == []


def test_sources_that_disagree_change_a_document_once_each(ledger: Ledger) -> None:
    one, two = paper(text_="as MEDLINE has it"), paper(text_="as PubTator has it")
    assert ledger.ingest("a", [one]) == IngestCounts(new=1)
    assert ledger.ingest("b", [two]) == IngestCounts(changed=1)
    assert ledger.ingest("a", [one]) + ledger.ingest("b", [two]) == IngestCounts(same=2)
    assert list(ledger.documents()) == [two]
    three = replace(one, text="as MEDLINE has it now")
    assert ledger.ingest("a", [three]) == IngestCounts(changed=1)
    assert list(ledger.documents()) == [three]


@pytest.mark.parametrize("batch_size", [1, 10])
def test_one_id_for_two_texts_in_a_source_is_a_failure(ledger: Ledger, batch_size: int) -> None:
    items = [paper(), paper(), paper(text_="another")]
    assert ledger.ingest("a", items, batch_size=batch_size) == IngestCounts(new=1, same=1, failed=1)
    assert ledger.ingest("a", items, batch_size=batch_size) == IngestCounts(same=2, failed=1)
    assert list(ledger.documents()) == [paper()]
    assert [(f.source, f.place) for f in ledger.failures()] == [("a", "sample:1")]


@pytest.mark.parametrize("document", [paper(""), paper("x" * 501), paper(date="spring")], ids=["no id", "long", "date"])
def test_a_document_that_cannot_be_kept_is_a_failure(ledger: Ledger, document: Document) -> None:
    assert ledger.ingest("a", [document, paper("sample:2")]) == IngestCounts(new=1, failed=1)
    assert len(ledger.failures()) == 1


def test_an_edited_file_replaces_its_old_version(ledger: Ledger) -> None:
    alone, shared, named = paper("text:alone"), paper("text:shared"), paper("sample:1")
    ledger.ingest("a", [alone, shared, named])
    ledger.ingest("b", [shared])
    ledger.save([read(alone), read(shared)], "reader@1")
    ledger.ingest("a", [paper("text:new")])
    assert [d.id for d in ledger.documents()] == ["sample:1", "text:new", "text:shared"]
    assert [r.document.id for r in ledger.readings()] == ["text:shared"]
    ledger.ingest("b", [])
    assert [d.id for d in ledger.documents()] == ["sample:1", "text:new"]


def test_a_file_that_cannot_be_read_loses_nothing(ledger: Ledger) -> None:
    ledger.ingest("a", [paper("text:1")])
    assert ledger.ingest("a", [Failure("a", "", "permission denied")]) == IngestCounts(failed=1)
    assert ledger.counts().documents == 1


def test_failures_that_do_not_happen_again_are_cleared(ledger: Ledger) -> None:
    ledger.ingest("a", [Failure("a", "line 1", "broken"), Failure("a", "line 2", "broken"), paper()])
    ledger.ingest("b", [Failure("b", "line 1", "broken")])
    ledger.fail([Failure("a", "line 1", "not of ingesting", "extract")])
    ledger.ingest("a", [Failure("a", "line 2", "still broken"), paper()])
    assert ledger.failures() == [
        Failure("a", "line 1", "not of ingesting", "extract"),
        Failure("a", "line 2", "still broken"),
        Failure("b", "line 1", "broken"),
    ]


@pytest.mark.parametrize("batch_size", [1, 10])
def test_of_two_failures_at_one_place_the_first_stays(ledger: Ledger, batch_size: int) -> None:
    failed = [Failure("a", "line 1", "broken"), Failure("a", "line 1", "beyond repair")]
    for _ in range(2):
        assert ledger.ingest("a", failed, batch_size=batch_size) == IngestCounts(failed=1)
        assert ledger.failures() == failed[:1]


def test_failures_in_parts_of_a_source_are_cleared_with_it(ledger: Ledger) -> None:
    ledger.ingest("a.zip", [Failure("a.zip!b.xml", "line 3", "broken", "parse"), paper()])
    assert ledger.failures() == [Failure("a.zip", "a.zip!b.xml line 3", "broken")]
    ledger.ingest("a.zip", [paper()])
    assert ledger.failures() == []


def test_items_are_taken_as_they_come_and_whole_batches_stay(ledger: Ledger) -> None:
    def items() -> Iterator[Document]:
        for n in range(7):
            assert ledger.counts().documents == n - n % 3, "no more than a batch is held"
            yield paper(f"text:{n}")
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        ledger.ingest("a", items(), batch_size=3)
    assert ledger.counts().documents == 6
    assert ledger.ingest("a", [paper("text:9")]) == IngestCounts(new=1, removed=6)
    assert ledger.counts().documents == 1


def test_many_ids_are_no_problem(ledger: Ledger) -> None:
    items = [paper(f"text:{n:05}") for n in range(2500)]
    assert ledger.ingest("a", items, batch_size=2000) == IngestCounts(new=2500)
    assert ledger.ingest("a", items, batch_size=2500) == IngestCounts(same=2500)
    ids = [d.id for d in items]
    assert [d.id for d in ledger.documents([*ids[::-1], "unknown"])] == ids
    assert ledger.pending(READER) == ids
    ledger.save(map(read, items), "reader@1")
    assert [r.document.id for r in ledger.readings(ids)] == ids
    assert len(list(ledger.relations())) == 2500
    ledger.ingest("a", [])
    assert ledger.counts() == LedgerCounts(0, 0, 0, 0)


# reading


def test_what_was_saved_comes_back(ledger: Ledger) -> None:
    readings = [read(paper(f"sample:{n}")) for n in range(3)]
    ledger.ingest("a", [r.document for r in readings])
    ledger.save(readings[::-1], "reader@1")
    assert list(ledger.readings()) == readings
    assert list(ledger.readings(["sample:2", "sample:0"])) == [readings[0], readings[2]]
    assert list(ledger.relations()) == [r.relations[0] for r in readings]
    before = dump(ledger)
    ledger.save(readings, "reader@1")
    assert dump(ledger) == before


def test_saving_again_replaces(ledger: Ledger) -> None:
    full = read(paper())
    ledger.ingest("a", [full.document])
    ledger.save([full], "reader@1")
    less = replace(full, mentions=full.mentions[:1], relations=())
    ledger.save([less], "reader@2")
    assert list(ledger.readings()) == [less]
    assert dump(ledger)["groundings"] == []


def test_nothing_found_is_a_reading_too(ledger: Ledger) -> None:
    ledger.ingest("a", [paper("sample:1"), paper("sample:2")])
    ledger.save([Reading(paper("sample:1"))], "reader@1")
    ledger.save([], "reader@1")
    assert list(ledger.readings()) == [Reading(paper("sample:1"))]
    assert ledger.pending(READER) == ["sample:2"]
    assert ledger.pending({"biomed": "reader@2"}) == ["sample:1", "sample:2"]
    assert ledger.pending({"biomed": "reader@1", "ai": "reader@9"}) == ["sample:2"]


def test_what_was_read_in_another_version_is_pending(ledger: Ledger) -> None:
    ledger.ingest("a", [paper()])
    ledger.save([read(paper())], "reader@1")
    with ledger._writing() as connection:
        connection.execute(text("UPDATE read_state SET digest = 'of an older text'"))
    assert ledger.pending(READER) == ["sample:1"]


def test_claims_that_differ_in_anything_survive(ledger: Ledger) -> None:
    reading = read(paper())
    claim = reading.relations[0]
    claims = {
        claim,
        replace(claim, predicate="TREATS"),
        replace(claim, extractor="patterns@1"),
        replace(claim, polarity="positive"),
        replace(claim, certainty="certain"),
        replace(claim, novel=True),
        replace(claim, novel=False),
        replace(claim, start=9),
        replace(claim, subject=claim.object, object=claim.subject),
    }
    ledger.ingest("a", [reading.document])
    ledger.save([replace(reading, relations=(*claims, claim))], "reader@1")
    assert set(ledger.relations()) == claims
    assert ledger.counts().relations == len(claims)
    starts = [relation.start for relation in ledger.relations()]
    assert starts == sorted(starts)


def test_mentions_that_only_a_relation_names_are_kept(ledger: Ledger) -> None:
    reading = read(paper())
    ledger.ingest("a", [reading.document])
    ledger.save([replace(reading, mentions=reading.mentions[:1])], "reader@1")
    assert list(ledger.readings()) == [reading]


def test_of_two_mentions_with_one_uid_the_first_stays(ledger: Ledger) -> None:
    reading = read(paper())
    ledger.ingest("a", [reading.document])
    twice = (*reading.mentions, replace(reading.mentions[0], extractor="dictionary@1"))
    ledger.save([replace(reading, mentions=twice)], "reader@1")
    assert list(ledger.readings()) == [reading]


def test_a_document_that_changed_while_it_was_read_stays_pending(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    old = paper()
    ledger.ingest("a", [replace(old, text="Quite another text."), paper("sample:2")])
    ledger.save([read(old), read(paper("sample:2")), read(paper("sample:removed"))], "reader@1")
    assert ledger.pending(READER) == [old.id]
    assert ledger.counts().mentions == 3
    assert "2 documents were changed" in caplog.text


def test_what_was_read_elsewhere_is_a_bug(ledger: Ledger) -> None:
    ledger.ingest("a", [paper("sample:1"), paper("sample:2")])
    wrong = replace(read(paper("sample:1")), document=paper("sample:2"))
    with pytest.raises(ValueError, match="sample:1"):
        ledger.save([wrong], "reader@1")


def test_a_save_clears_what_failed_before(ledger: Ledger) -> None:
    ledger.ingest("a", [paper("sample:1"), paper("sample:2")])
    failed = [Failure(f"sample:{n}", "", "out of memory", "extract") for n in (1, 2)]
    ledger.fail(failed)
    ledger.fail(replace(failure, reason="out of memory again") for failure in failed)
    ledger.save([read(paper("sample:1"))], "reader@1")
    assert ledger.failures() == [Failure("sample:2", "", "out of memory again", "extract")]


def test_concepts_are_counted_by_their_best_grounding(ledger: Ledger) -> None:
    first, second = read(paper("sample:1")), read(paper("sample:2"))
    again = Mention(16, 22, "sample:1", "Aspirin", "Chemical", 0.9, "tagger@1", first.mentions[1].groundings)
    ledger.ingest("a", [first.document, second.document])
    ledger.save([replace(first, mentions=(*first.mentions, again)), second], "reader@1")
    assert list(ledger.concept_counts()) == [
        ("MESH:D001241", "Chemical", "Aspirin", 2, 3),
        ("MESH:D001249", "Disease", "asthma", 2, 2),
    ]


def test_removing_a_document_removes_all_of_it(ledger: Ledger) -> None:
    ledger.ingest("a", [paper("sample:1"), paper("sample:2")])
    ledger.save([read(paper("sample:2"))], "reader@1")
    without = {name: rows for name, rows in dump(ledger).items() if name != "documents"}
    ledger.save([read(paper("sample:1"))], "reader@1")
    ledger.fail([Failure("sample:1", "", "odd", "link")])
    assert ledger.remove("sample:1")
    assert not ledger.remove("sample:1")
    after = dump(ledger)
    for name in ("document_sources", "document_ids"):
        without[name] = [row for row in without[name] if row[0] == "sample:2"]
    assert {name: rows for name, rows in after.items() if name != "documents"} == without
    assert ledger.ingest("a", [paper("sample:1")]) == IngestCounts(new=1)


def test_the_database_itself_cascades(ledger: Ledger) -> None:
    ledger.ingest("a", [paper()])
    ledger.save([read(paper())], "reader@1")
    with writer(ledger._engine).begin() as connection:
        connection.execute(text("DELETE FROM documents"))
    assert {name for name, rows in dump(ledger).items() if rows} == {"ledger_meta"}


def test_readers_see_one_moment_and_wait_for_nobody(ledger: Ledger) -> None:
    ledger.ingest("a", [paper(f"sample:{n:04}") for n in range(2500)])
    stream = ledger.documents()
    seen = [next(stream).id]
    with ledger._writing() as connection:
        connection.execute(text("DELETE FROM documents"))
        assert ledger.counts().documents == 2500
    seen += [document.id for document in stream]
    assert len(seen) == 2500
    assert ledger.counts().documents == 0


_TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)  # NUL and lone surrogates too


@given(_TEXTS)
@example("\x10d835 is what an escaped surrogate looks like")
def test_every_text_can_be_stored(value: str) -> None:
    stored = escape(value)
    stored.encode("utf-8")
    assert "\0" not in stored
    assert unescape(stored) == value


def test_text_that_no_database_takes_comes_back(ledger: Ledger) -> None:
    odd = "NUL \0 DLE \x10 0000 lone \udcff two that would join \ud835\udc00"
    document = paper(odd, odd, authors=(odd,), links=(("corrects", odd),), journal=odd)
    ledger.ingest(odd, [document, Failure(odd, odd, odd)])
    assert list(ledger.documents([odd])) == [document]
    assert ledger.failures() == [Failure(odd, odd, odd)]
    assert ledger.pending(READER) == [odd]


@st.composite
def _readings(draw: st.DrawFn) -> Reading:
    body = draw(_TEXTS)
    document = Document(
        id=draw(_TEXTS.filter(bool)),
        text=body,
        sections=tuple(draw(st.lists(st.builds(Section, st.integers(0, 9), st.integers(0, 9), _TEXTS), max_size=2))),
        date=draw(st.sampled_from(["", "1985", "2001-02", "2001-02-03"])),
        ids=tuple(draw(st.lists(_TEXTS, max_size=2))),
        authors=tuple(draw(st.lists(_TEXTS, max_size=2))),
        journal=draw(_TEXTS),
        status=draw(st.sampled_from(["article", "retracted"])),
        links=tuple(draw(st.lists(st.tuples(_TEXTS, _TEXTS), max_size=2))),
        domain=draw(_TEXTS),
    )
    score = st.floats(0, 1)
    offset = st.integers(0, len(body))
    grounding = st.builds(Grounding, _TEXTS, _TEXTS, score, _TEXTS, _TEXTS)
    ranked = st.lists(grounding, max_size=2).map(tuple)
    mention = st.builds(Mention, offset, offset, st.just(document.id), _TEXTS, _TEXTS, score, _TEXTS, ranked)
    mentions = draw(st.lists(mention, max_size=4, unique_by=lambda m: m.uid))
    claims: list[Relation] = []
    if mentions:
        one = st.sampled_from(mentions)
        signs = (
            st.sampled_from(["positive", "negative"]),
            st.sampled_from(["certain", "speculative"]),
            st.sampled_from([None, True, False]),
        )
        claim = st.builds(Relation, offset, offset, st.just(document.id), _TEXTS, one, one, score, _TEXTS, *signs)
        claims = draw(st.lists(claim, max_size=3, unique_by=lambda r: replace(r, score=0)))
    return Reading(document, mentions=tuple(mentions), relations=tuple(claims))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reading=_readings())
def test_any_reading_comes_back_as_it_was(ledger: Ledger, reading: Reading) -> None:
    ledger.ingest("source \udcff", [reading.document])
    ledger.save([reading], "reader@1")
    (back,) = ledger.readings([reading.document.id])
    assert back.document == reading.document
    assert back.document.digest == reading.document.digest
    assert set(back.mentions) == set(reading.mentions)
    assert len(back.mentions) == len(reading.mentions)
    assert set(back.relations) == set(reading.relations)
    assert list(back.mentions) == sorted(back.mentions, key=lambda m: (m.start, m.end, escape(m.type)))
    assert ledger.ingest("source \udcff", [reading.document]) == IngestCounts(same=1)
    assert ledger.remove(reading.document.id)


# other processes

_PRELUDE = """
import os, signal, sys
from dataclasses import replace
from sqlalchemy import Engine, event
from pipeline.ledger import Ledger
from pipeline.types import Document, Mention, Reading
url, name = sys.argv[1:]
def read(n):
    document = Document(f"{name}:{n:03}", "Aspirin " * 40, domain="biomed")
    return Reading(document, mentions=tuple(
        Mention(8 * i, 8 * i + 7, document.id, "Aspirin", "Chemical", 1.0, "x@1") for i in range(40)))
readings = [read(n) for n in range(100)]
"""
_KILLED = """
ledger = Ledger.open(url)
ledger.ingest("a", [reading.document for reading in readings])
ledger.save(readings[:30], "x@1")
def die(connection, cursor, statement, *rest):
    if statement.startswith("INSERT INTO mentions"):
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "after_cursor_execute", die)
if url.startswith("postgresql"):
    import psycopg
    left, write_row = iter(range(500)), psycopg.Copy.write_row
    def write_some(self, row):
        next(left, None) is None and os.kill(os.getpid(), signal.SIGKILL)
        write_row(self, row)
    psycopg.Copy.write_row = write_some
ledger.save(readings[20:60], "x@2")
"""
_WRITER = """
with Ledger.open(url, timeout=60) as ledger:
    ledger.ingest(name, [reading.document for reading in readings], batch_size=5)
    for n in range(0, 100, 10):
        ledger.save(readings[n:n + 10], "x@1")
"""


def start(script: str, url: str, name: str) -> subprocess.Popen[bytes]:
    code = dedent(_PRELUDE + script)
    return subprocess.Popen([sys.executable, "-c", code, url, name], cwd=FOLDER, stderr=subprocess.PIPE)


def test_a_killed_process_leaves_whole_batches(url: str) -> None:
    process = start(_KILLED, url, "a")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    with Ledger.open(url, timeout=10) as ledger:
        assert ledger.counts() == LedgerCounts(documents=100, mentions=30 * 40, relations=0, failures=0)
        assert len(ledger.pending({"biomed": "x@1"})) == 70
        ledger.save(ledger.readings(["a:000"]), "x@2")
        assert len(ledger.pending({"biomed": "x@1"})) == 71


def test_two_processes_write_at_once(url: str) -> None:
    processes = [start(_WRITER, url, name) for name in ("a", "b")]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    with Ledger.open(url) as ledger:
        assert ledger.counts() == LedgerCounts(documents=200, mentions=8000, relations=0, failures=0)
        assert ledger.pending({"biomed": "x@1"}) == []


def test_a_writer_that_waits_too_long_says_so(url: str, ledger: Ledger) -> None:
    with Ledger.open(url, timeout=0.2) as other, ledger._writing():
        with pytest.raises(LedgerError, match="locked"):
            other.ingest("a", [paper()])
        assert other.counts().documents == 0


# opening and migrating


def test_a_ledger_that_is_there_opens_fast(url: str) -> None:
    Ledger.open(url).close()
    code = """
    import sys
    from pipeline.ledger import Ledger
    Ledger.open(sys.argv[1]).close()
    assert "alembic" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", dedent(code), url], check=True, cwd=FOLDER)

    def seconds() -> float:
        began = time.perf_counter()
        Ledger.open(url, create=False).close()
        return time.perf_counter() - began

    assert min(seconds() for _ in range(5)) < 0.15


def test_head_is_the_newest_revision() -> None:
    from pipeline.ledger.migrations import known_revisions

    assert known_revisions()[0] == HEAD


def test_the_revisions_make_the_schema(ledger: Ledger) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    assert ledger.revision == HEAD
    with ledger._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "ledger_revision"})
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("filled", [False, True])
def test_migrations_go_down_and_up(url: str, filled: bool) -> None:
    from pipeline.ledger.migrations import downgrade

    with Ledger.open(url) as ledger:
        if filled:
            ledger.ingest("a", [paper(), Failure("a", "1", "broken")])
            ledger.save([read(paper())], "reader@1")
        with writer(ledger._engine).begin() as connection:
            downgrade(connection, "base")
        with reader(ledger._engine).begin() as connection:
            assert inspect(connection).get_table_names() == ["ledger_revision"]
    with pytest.raises(LedgerError, match="empty"):
        Ledger.open(url, create=False)
    with Ledger.open(url) as ledger:
        assert ledger.counts() == LedgerCounts(0, 0, 0, 0)
        assert ledger.ingest("a", [paper()]) == IngestCounts(new=1)


def test_a_migration_that_is_given_up_leaves_the_ledger_as_it_was(url: str) -> None:
    from pipeline.ledger.migrations import downgrade

    with Ledger.open(url) as ledger:
        ledger.ingest("a", [paper()])
        with writer(ledger._engine).connect() as connection:
            transaction = connection.begin()
            downgrade(connection, "base")
            transaction.rollback()
    with Ledger.open(url, create=False) as ledger:
        assert ledger.counts().documents == 1


def test_a_ledger_of_a_newer_program_is_refused(url: str) -> None:
    with Ledger.open(url) as ledger, writer(ledger._engine).begin() as connection:
        connection.execute(text("UPDATE ledger_revision SET version_num = '9001'"))
    with pytest.raises(LedgerError, match=r"9001.*0003.*upgrade hypograph"):
        Ledger.open(url)


def test_somebody_elses_database_is_refused_and_not_touched(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE bills (id INTEGER)"))
    engine.dispose()
    path = Path(engine.url.database or "")
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(LedgerError, match="bills"):
        Ledger.open(url)
    assert (path.read_bytes() if path.is_file() else b"") == before


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ledger.db", "sqlite:///PATH"),
        ("nosuch://host/name", "sqlite:///PATH"),
        ("mysql://host/name", "sqlite:///PATH"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ],
)
def test_an_address_that_is_no_ledger_is_refused(address: str, message: str) -> None:
    with pytest.raises(LedgerError, match=message):
        Ledger.open(address)


def test_a_server_that_is_not_there_is_a_service_error(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="psycopg is missing: pip install 'hypograph[postgresql]'")
    with pytest.raises(ServiceError, match="is the server running") as caught:
        Ledger.open(f"postgresql://me:secret@/name?host={tmp_path}")
    assert "secret" not in str(caught.value)


# what only a file can suffer


def test_a_missing_file_is_not_made_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger.open(f"sqlite:///{path}", create=False)
    assert not path.exists()
    path.touch()
    with pytest.raises(LedgerError, match="empty"):
        Ledger.open(f"sqlite:///{path}", create=False)


@pytest.mark.parametrize(
    "content", [b"Dear diary", b"Dear diary, " * 1000, b"\0" * 5000], ids=["short", "long", "zeros"]
)
def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="ledger"):
        Ledger.open(f"sqlite:///{path}")
    assert path.read_bytes() == content


@pytest.mark.parametrize("where", ["missing/ledger.db", "."])
def test_a_path_that_cannot_be_opened(tmp_path: Path, where: str) -> None:
    with pytest.raises(LedgerError, match="folder"):
        Ledger.open(f"sqlite:///{tmp_path / where}")


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_corrupt_file_says_so(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.ingest("a", [paper(f"sample:{n}", "text " * 200) for n in range(500)])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)] + b"\xff" * 5000)

    def use() -> None:
        with Ledger.open(f"sqlite:///{path}") as ledger:
            list(ledger.documents())
            ledger.pending(READER)

    with pytest.raises(LedgerError, match="damaged"):
        use()


def test_ingesting_twice_does_not_write_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    items: list[Document | Failure] = [paper("text:1"), paper("text:2"), Failure("a", "line 9", "no id")]
    with Ledger.open(f"sqlite:///{path}") as ledger, closing(sqlite3.connect(path)) as witness:
        versions = []
        for _ in range(3):
            ledger.ingest("a", items, batch_size=2)
            versions.append(witness.execute("PRAGMA data_version").fetchone())
    assert versions[0] == versions[1] == versions[2]


def test_the_file_is_in_write_ahead_mode_with_foreign_keys(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(f"sqlite:///{path}").close()
    with Ledger.open(f"sqlite:///{path}") as ledger:
        with ledger._reading() as connection:
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("foreign_keys", "synchronous")]
        assert found == [1, 1]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
