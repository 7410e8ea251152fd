"""The command line: what each command prints, where, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows import tasks
from flows.cli import app
from flows.workspace import Workspace

HYPOGRAPH = Path(sys.executable).with_name("hypograph")


def run(*args: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def rows(*args: str | Path) -> Any:
    return json.loads(run(*args, "--format", "json").stdout)


COMMANDS = (
    "init ingest build extract text query neighbors paths evidence stats failures digest hypothesize export vocab"
)


def test_help_lists_every_command() -> None:
    done = subprocess.run([HYPOGRAPH, "--help"], capture_output=True, text=True, check=True)
    for command in COMMANDS.split():
        assert re.search(rf"^  {command}\b", done.stdout, re.MULTILINE), command


@pytest.mark.parametrize("command", ["init", "ingest", "build", "extract", "query", "hypothesize", "export"])
def test_every_command_has_help_and_takes_a_workspace(command: str) -> None:
    assert "--workspace" in run(command, "--help").stdout


def test_init_makes_a_workspace_once(tmp_path: Path) -> None:
    run("init", tmp_path / "new", "--domain", "astronomy")
    assert 'domain = "astronomy"' in (tmp_path / "new" / "hypograph.toml").read_text("utf-8")
    assert "exists already" in run("init", tmp_path / "new", code=2).stderr
    assert "no domain pack 'alchemy'" in run("init", tmp_path / "other", "--domain", "alchemy", code=2).stderr
    assert not (tmp_path / "other").exists()


def test_ingest_counts_what_is_new_changed_same_and_failed(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    one = papers / "one.txt"
    one.write_text("Id: one\nDate: 1985\n\nA title\n\nMagnesium prevents migraine.\n", "utf-8")
    (papers / "two.jsonl").write_text('{"id": "two", "title": "T", "abstract": "A."}\n{"id": 3,\n', "utf-8")
    (papers / "noise.bin").write_bytes(bytes(range(256)) * 8)
    space = tmp_path / "space"
    space.mkdir()
    first = run("ingest", papers, "--workspace", space, "--format", "json", code=1)
    assert json.loads(first.stdout) == {"new": 2, "changed": 0, "same": 0, "failed": 2, "removed": 0}
    one.write_text("Id: one\nDate: 1985\n\nA title\n\nMagnesium does not prevent migraine.\n", "utf-8")
    again = run("ingest", papers, "--workspace", space, "--format", "json", code=1)
    assert json.loads(again.stdout) == {"new": 0, "changed": 1, "same": 1, "failed": 2, "removed": 0}
    failures = rows("failures", "--workspace", space)
    assert sorted(Path(row["source"]).name for row in failures) == ["noise.bin", "two.jsonl"]
    assert all(row["reason"] for row in failures)


def test_ingest_of_a_table_by_its_own_headers(tmp_path: Path) -> None:
    table = tmp_path / "export.csv"
    table.write_text("Key,Paper Name,Summary\nk1,About magnesium,It prevents migraine.\n", "utf-8")
    pairs = ("--column", "id=Key", "--column", "title=Paper Name", "--column", "abstract=Summary")
    assert rows("ingest", table, *pairs, "--workspace", tmp_path) == {
        "new": 1,
        "changed": 0,
        "same": 0,
        "failed": 0,
        "removed": 0,
    }
    assert "KEY=VALUE" in run("ingest", table, "--column", "id", "--workspace", tmp_path, code=2).stderr


def test_a_path_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    run("ingest", tmp_path / "nothing.xml", "--workspace", tmp_path, code=1)
    assert rows("failures", "--workspace", tmp_path)[0]["source"].endswith("nothing.xml")


def test_text_shows_how_a_paper_was_read(root: Path) -> None:
    lines = run("text", root / "sample_corpus" / "biomed").stdout.splitlines()
    papers = [json.loads(line) for line in lines]
    assert len(papers) == 46
    for paper in papers:
        text = paper["text"]
        assert "".join("".join(text[a:b].split()) for a, b in paper["sentences"]) == "".join(text.split())
        for pair in paper["abbreviations"]:
            assert len(text[slice(*pair["short"])]) < len(text[slice(*pair["long"])])
        assert paper["sections"][0]["kind"] == "title"


def test_stats_are_one_object(sample: Path) -> None:
    found = rows("stats", "--workspace", sample)
    assert found["documents"] == 104
    assert found["failures"] == 0
    assert min(found[key] for key in ("mentions", "entities", "edges", "evidence", "contested")) > 0
    assert run("digest", "--workspace", sample).stdout.strip() == found["digest"]


def test_query_answers_rows(sample: Path) -> None:
    cypher = (
        "MATCH (a:Chemical)-[r:Negative_Correlation]->(b) WHERE r.support >= $n "
        "RETURN a.name AS a, b.name AS b ORDER BY a, b"
    )
    found = rows("query", cypher, "--param", "n=2", "--workspace", sample)
    assert found
    assert set(found[0]) == {"a", "b"}
    table = list(csv.DictReader(io.StringIO(run("query", cypher, "-p", "n=2", "-w", sample, "-f", "csv").stdout)))
    assert table == found
    limited = run("query", "MATCH (n:Entity) RETURN n.uid AS uid", "--limit", "3", "-w", sample, "-f", "json")
    assert len(json.loads(limited.stdout)) == 3
    assert "--limit" in limited.stderr


@pytest.mark.parametrize(
    "cypher",
    [
        "CREATE (n:Entity {uid: 'x'})",
        "MATCH (n) DETACH DELETE n",
        "LOAD CSV FROM 'file:///etc/passwd' AS r RETURN r",
        "MATCH (",
    ],
)
def test_queries_that_write_or_are_wrong_are_refused(sample: Path, cypher: str) -> None:
    before = run("digest", "--workspace", sample).stdout
    refused = run("query", cypher, "--workspace", sample, code=2)
    assert refused.stdout == ""
    assert refused.stderr.startswith("error: ")
    assert run("digest", "--workspace", sample).stdout == before


def test_ready_made_questions(sample: Path) -> None:
    around = rows("neighbors", "Raynaud's disease", "--workspace", sample)
    assert "Blood Viscosity" in {row["name"] for row in around}
    sentences = rows("evidence", around[0]["edge"], "--workspace", sample)
    assert all(row["text"] and row["document"] for row in sentences)
    ways = rows("paths", "fish oil", "platelet aggregation", "--workspace", sample)
    assert ways[0]["names"][0] == "Fish Oils"
    assert ways[0]["names"][-1] == "Platelet Aggregation"
    wrong = run("neighbors", "Reynaud Disease", "--workspace", sample, code=2)
    assert "Raynaud Disease" in wrong.stderr


def test_hypotheses_as_json_and_as_a_table(sample: Path) -> None:
    found = rows("hypothesize", "--source", "Raynaud Disease", "--as-of", "1985", "--top", "3", "--workspace", sample)
    assert [row["rank"] for row in found] == [1, 2, 3]
    assert {"rank", "source", "target", "relation", "score", "paths"} <= set(found[0])
    assert {"via", "evidence"} <= set(found[0]["paths"][0])
    table = run("hypothesize", "--source", "Raynaud Disease", "--as-of", "1985", "--workspace", sample).stdout
    assert found[0]["target"]["name"] in table
    assert "KNOWS" in run("hypothesize", "--relation", "KNOWS", "--workspace", sample, code=2).stderr


def test_exports_open_elsewhere_with_equal_counts(sample: Path, tmp_path: Path) -> None:
    stats = rows("stats", "--workspace", sample)
    run("export", "--format", "graphml", "-o", tmp_path / "g.graphml", "--workspace", sample)
    run("export", "--format", "gexf", "-o", tmp_path / "g.gexf", "--workspace", sample)
    for graph in (nx.read_graphml(tmp_path / "g.graphml"), nx.read_gexf(tmp_path / "g.gexf")):
        assert (graph.number_of_nodes(), graph.number_of_edges()) == (stats["entities"], stats["edges"])
    run("export", "--format", "csv", "-o", tmp_path / "tables", "--workspace", sample)
    with (tmp_path / "tables" / "edges.csv").open(encoding="utf-8", newline="") as stream:
        assert sum(1 for _ in csv.DictReader(stream)) == stats["edges"]
    out = run("export", "--format", "jsonl", "-o", "-", "--workspace", sample).stdout
    assert all(json.loads(line) for line in out.splitlines())


def test_a_report_answers_its_questions_on_one_page(sample: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    asked = ("--question", "Raynaud Disease@1985", "--question", "Transformer")
    run("report", "-o", page, *asked, "--workspace", sample)
    text = page.read_text("utf-8")
    assert "New links of Raynaud Disease as of 1985" in text
    assert "Fish Oils" in text
    assert "New links of Transformer" in text
    wrong = run("report", "-o", tmp_path / "no.html", "--question", "Raynaud Disease@soon", "-w", sample, code=2)
    assert "'soon'" in wrong.stderr
    assert not (tmp_path / "no.html").exists()
    run("report", "-o", page, "--top", "3", "--workspace", sample)
    assert "New links in the whole graph" in page.read_text("utf-8")


def test_extract_needs_no_workspace(root: Path, tmp_path: Path) -> None:
    run("vocab", "build", "ai", root / "sample_corpus/vocabulary/ai.tsv", "--workspace", tmp_path)
    papers = root / "sample_corpus" / "ai" / "papers.pubtator"
    common = ("--domain", "ai", "--workspace", tmp_path)
    run("extract", papers, "-o", tmp_path / "out.pubtator", *common)
    text = (tmp_path / "out.pubtator").read_text("utf-8")
    ids = re.findall(r"^([^|\n]+)\|t\|", text, re.MULTILINE)
    assert ids == re.findall(r"^([^|\n]+)\|t\|", papers.read_text("utf-8"), re.MULTILINE)
    assert "\tAI:transformer\n" in text
    assert "\tUSED-FOR\t" in text
    bioc = json.loads(run("extract", papers, "-o", "-", "--format", "bioc", *common).stdout)
    assert len(bioc["documents"]) == len(ids)
    for line in run("extract", papers, "-o", "-", "--format", "scierc", *common).stdout.splitlines():
        paper = json.loads(line)
        assert len(paper["sentences"]) == len(paper["ner"]) == len(paper["relations"])
    assert not list(tmp_path.glob("*.part"))


def test_extract_and_evaluate_follow_the_settings_of_a_workspace(root: Path, tmp_path: Path) -> None:
    run("vocab", "build", "ai", root / "sample_corpus/vocabulary/ai.tsv", "--workspace", tmp_path)
    papers = root / "sample_corpus" / "gold" / "ai.pubtator"
    settings = tmp_path / "hypograph.toml"
    links = {}
    for threshold in ("0", "1.0"):  # every name of the vocabulary, none that only it knows
        settings.write_text(f'domain = "ai"\nvocabulary_threshold = {threshold}\n', "utf-8")
        found = run("extract", papers, "-o", "-", "--workspace", tmp_path).stdout
        links[threshold] = found.count("\tAI:")
        row = run("evaluate", papers, "--format", "json", "--workspace", tmp_path).stdout
        assert json.loads(row)
    assert links["0"] > links["1.0"]
    settings.write_text('reader = "slow"', "utf-8")
    assert "reader" in run("extract", papers, "-o", "-", "--workspace", tmp_path, code=2).stderr


def test_gold_entities_are_kept(root: Path, tmp_path: Path) -> None:
    gold = root / "sample_corpus" / "gold" / "ai.pubtator"
    run("extract", gold, "-o", tmp_path / "out", "--domain", "ai", "--gold-entities", "--workspace", tmp_path)

    def mentions(path: Path) -> set[tuple[str, ...]]:
        cells = (line.split("\t") for line in path.read_text("utf-8").splitlines())
        return {tuple(row[:6]) for row in cells if len(row) == 6 and row[1].isdigit()}

    assert mentions(tmp_path / "out") == mentions(gold)
    jsonl = root / "sample_corpus" / "ai" / "papers.jsonl"
    refused = run("extract", jsonl, "-o", tmp_path / "no", "--domain", "ai", "--gold-entities", code=2)
    assert "carries no annotations" in refused.stderr
    assert not (tmp_path / "no").exists()


def test_wrong_use_is_told_on_stderr(tmp_path: Path, sample: Path) -> None:
    missing = run("stats", "--workspace", tmp_path / "missing", code=2)
    assert "no workspace" in missing.stderr
    assert missing.stdout == ""
    assert not (tmp_path / "missing").exists()
    run("stats", "--format", "xml", "--workspace", sample, code=2)
    run("vocab", "build", "../evil", sample / "hypograph.toml", "--workspace", tmp_path, code=2)
    (tmp_path / "hypograph.toml").write_text("colour = 3", "utf-8")
    assert "unknown setting 'colour'" in run("stats", "--workspace", tmp_path, code=2).stderr


def test_a_service_that_is_away(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    away = run("stats", "--store", "neo4j", "--workspace", sample, code=3)
    assert "bolt://127.0.0.1:1" in away.stderr


def test_an_empty_workspace_answers_with_nothing(tmp_path: Path) -> None:
    assert rows("failures", "--workspace", tmp_path) == []
    found = rows("stats", "--workspace", tmp_path)
    assert (found["documents"], found["edges"]) == (0, 0)
    assert rows("hypothesize", "--workspace", tmp_path) == []
    assert rows("query", "MATCH (n:Entity) RETURN n.uid AS uid", "--workspace", tmp_path) == []


def test_one_paper_from_three_formats_and_one_that_contradicts(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "a.ris").write_text(
        "TY  - JOUR\nTI  - Fish oil and blood\nDO  - 10.1000/oil\nPY  - 1985\nER  - \n", "utf-8"
    )
    (papers / "b.nbib").write_text(
        "PMID- 7\nSTAT- MEDLINE\nDP  - 1985\nTI  - Fish oil and blood\nAB  - It thins blood.\n"
        "AID - 10.1000/oil [doi]\nSO  - Blood. 1985.\n",
        "utf-8",
    )
    (papers / "c.bib").write_text(
        "@article{x,\n title = {Fish oil and blood},\n year = 1985,\n pmid = {7}\n}\n", "utf-8"
    )
    assert rows("ingest", papers, "--workspace", tmp_path)["failed"] == 0
    assert rows("stats", "--workspace", tmp_path)["documents"] == 1
    with Workspace.open(tmp_path) as opened:
        (paper,) = opened.ledger.documents(["doi:10.1000/oil"])
    assert (paper.id, paper.text) == ("7", "Fish oil and blood\nIt thins blood.")
    (papers / "d.ris").write_text(
        "TY  - JOUR\nTI  - Another\nDO  - 10.1000/other\nC2  - PMID: 7\nN1  - PMID: 7\nER  - \n", "utf-8"
    )
    run("ingest", papers, "--workspace", tmp_path, code=1)
    (failure,) = rows("failures", "--workspace", tmp_path)
    assert "10.1000/other" in failure["reason"]
    assert "10.1000/oil" in failure["reason"]
    assert rows("stats", "--workspace", tmp_path)["documents"] == 1


def test_files_are_taken_in_by_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "PORTION_FILES", 2)
    (tmp_path / "papers").mkdir()
    for n in range(5):
        (tmp_path / "papers" / f"{n}.txt").write_text(f"Id: own:{n}\n\nFish oil {n}\n\nIt thins blood.", "utf-8")
    first = rows("ingest", tmp_path / "papers", "--workspace", tmp_path)
    assert first == {"new": 5, "changed": 0, "same": 0, "failed": 0, "removed": 0}
    (tmp_path / "papers" / "3.txt").write_text("Id: own:3\n\nFish oil 3\n\nIt does not.", "utf-8")
    again = rows("ingest", tmp_path / "papers", "--workspace", tmp_path)
    assert again == {"new": 0, "changed": 1, "same": 4, "failed": 0, "removed": 0}
