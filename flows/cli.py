"""The command line: each command parses, makes one call and prints.

Heavy parts are imported by the command that needs them, so that help comes at once.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.encoders import encoders
from flows.evaluate import evaluate
from flows.options import (
    HERE,
    Columns,
    Commands,
    Domain,
    Folder,
    GraphFormat,
    Reader,
    ReadingFormat,
    Rows,
    Store,
    cron_line,
    finish,
    flags_of,
    open_workspace,
    pairs,
    parameter,
)
from flows.printing import Format, print_object, print_rows, reading_row, to_json
from flows.progress import say, track_of
from flows.training import train
from pipeline.errors import UsageError

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From papers to a graph of claims with their evidence, and from the graph to new hypotheses.",
)
vocab = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Concept indexes that mentions are linked to.")
app.add_typer(vocab, name="vocab")
app.add_typer(train, name="train")
app.add_typer(encoders, name="encoders")


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make a workspace.")] = HERE,
    domain: Annotated[str, typer.Option("--domain", help="Domain pack: a name, or a .toml file.")] = "biomed",
    workspace: Folder = HERE,
) -> None:
    """Make a folder a workspace."""
    from flows.workspace import create

    say(f"wrote {create(workspace / folder, domain)}")


@app.command()
def ingest(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files, folders or globs of papers.")] = None,
    workspace: Folder = HERE,
    domain: Domain = None,
    column: Columns = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Read again what failed: of these paths, or without a path of all.")
    ] = False,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="Files to read at once; default: as many as pay.")
    ] = None,
    format_: Rows = Format.table,
) -> None:
    """Read papers into the ledger; formats are told by content."""
    from flows import tasks
    from pipeline.ledger import IngestCounts

    if not paths and not retry:
        raise UsageError("nothing to ingest: give files, folders or globs, or --retry")
    columns = pairs(column or [], "--column")
    with open_workspace(workspace, domain=domain) as opened:
        by_domain, total = tasks.corpora(opened, paths) if paths else (tasks.failed(opened), IngestCounts())
        for field, files in by_domain.items():
            each = tasks.ingest_each(opened, files, field, columns=columns, retry=retry, processes=processes)
            for _, counts in track_of(each, len(files), "ingesting", "files"):
                total += counts
    print_object(asdict(total), format_)
    finish(total.failed)


@app.command()
def build(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Papers to ingest first; default: the corpora of the workspace.")
    ] = None,
    workspace: Folder = HERE,
    store: Store = None,
    reader: Reader = None,
    domain: Domain = None,
    format_: Rows = Format.table,
) -> None:
    """Ingest, extract, link, assemble and load: papers to graph."""
    from flows.quiet import at_home

    flags = flags_of(store, reader, domain)
    with open_workspace(workspace, **flags) as opened:
        opened.check_store()
    at_home(os.environ)
    from flows.build import run

    folder = str(workspace.resolve())
    result = run(folder, [str(path.absolute()) for path in paths or []], flags)
    if not result["new"] and not result["changed"] and not result["failed"]:
        say("nothing changed")
    print_object(result, format_)
    finish(result["failed"])


@app.command()
def extract(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders or globs of papers.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write; - is stdout.")],
    format_: Annotated[ReadingFormat, typer.Option("--format", "-f")] = ReadingFormat.pubtator,
    domain: Domain = None,
    reader: Reader = None,
    gold_entities: Annotated[
        bool, typer.Option("--gold-entities", help="Keep the mentions of the input, predict relations only.")
    ] = False,
    vocabulary: Annotated[list[Path] | None, typer.Option("--vocabulary", help="Concept index to link to.")] = None,
    explain: Annotated[
        Path | None, typer.Option("--explain", help="HTML page to write: which words made the tagger mark a mention.")
    ] = None,
    explain_steps: Annotated[int, typer.Option("--explain-steps", min=1, help="More are slower and more exact.")] = 32,
    explain_most: Annotated[int, typer.Option("--explain-most", min=1, help="Mentions a document to explain.")] = 10,
    workspace: Folder = HERE,
) -> None:
    """Read papers to a file: mentions, links and relations. A workspace gives its settings, if there is one."""
    from flows.extract import Explain, extract_to, open_reader
    from pipeline.settings import load_settings

    settings = load_settings(workspace, domain=domain, reader=reader.value if reader else None)
    opened = open_reader(settings, vocabulary or [])
    page = Explain(explain, explain_steps, explain_most) if explain else None
    failed = extract_to(output, format_.value, paths, reader=opened, gold_entities=gold_entities, explain=page)
    finish(failed, listed=False)


app.command()(evaluate)


@app.command()
def text(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders or globs of papers.")],
    workspace: Folder = HERE,
) -> None:
    """Show how papers were read: one JSON line a document, with all offsets."""
    from pipeline import sources
    from pipeline.text import split
    from pipeline.types import Document, Failure

    failed = 0
    for item in sources.read_all(paths):
        if isinstance(item, Failure):
            failed += 1
            say(f"failed: {item.source}: {item.place}: {item.reason}")
        elif isinstance(item, Document):
            sys.stdout.write(to_json(reading_row(split(item))) + "\n")
    finish(failed, listed=False)


@app.command()
def query(
    cypher: Annotated[str, typer.Argument(help="A read-only Cypher query.")],
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="A parameter as KEY=VALUE.")] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds after which it is given up.")] = 30.0,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows at the most.")] = 1000,
    workspace: Folder = HERE,
    store: Store = None,
    format_: Rows = Format.table,
) -> None:
    """Ask the graph in Cypher."""
    params = {key: parameter(value) for key, value in pairs(param or [], "--param").items()}
    with open_workspace(workspace, store=store) as opened:
        table = opened.store.query(cypher, params, timeout=timeout, limit=limit)
    print_rows(table.dicts(), format_, columns=table.columns)
    if table.truncated:
        say(f"only the first {limit} rows: raise --limit, or add LIMIT to the query")


@app.command()
def neighbors(
    name: Annotated[str, typer.Argument(help="Name or id of an entity.")],
    top: Annotated[int, typer.Option("--top", min=1)] = 50,
    workspace: Folder = HERE,
    store: Store = None,
    format_: Rows = Format.table,
) -> None:
    """What an entity is joined with."""
    from graph import query as questions

    with open_workspace(workspace, store=store) as opened:
        rows = questions.neighbors(opened.store, name, limit=top)
    print_rows(rows, format_, columns=("direction", "predicate", "uid", "name", "belief", "state", "edge"))


@app.command()
def paths(
    a: Annotated[str, typer.Argument(help="Name or id of an entity.")],
    b: Annotated[str, typer.Argument(help="Name or id of another.")],
    top: Annotated[int, typer.Option("--top", min=1)] = 10,
    workspace: Folder = HERE,
    store: Store = None,
    format_: Rows = Format.table,
) -> None:
    """Ways from one entity to another, the surest first."""
    from graph import query as questions

    with open_workspace(workspace, store=store) as opened:
        rows = questions.paths(opened.store, a, b, top=top)
    if format_ is not Format.json:
        rows = [{"belief": row["belief"], "path": " – ".join(row["names"])} for row in rows]
    print_rows(rows, format_, columns=("belief", "path"))


@app.command()
def evidence(
    edge: Annotated[str, typer.Argument(help="Id of an edge, or its beginning.")],
    workspace: Folder = HERE,
    store: Store = None,
    format_: Rows = Format.table,
) -> None:
    """The sentences behind an edge."""
    from graph import query as questions

    with open_workspace(workspace, store=store) as opened:
        rows = questions.evidence(opened.store, edge)
    print_rows(rows, format_)


@app.command()
def stats(workspace: Folder = HERE, store: Store = None, format_: Rows = Format.table) -> None:
    """Counts of what the workspace holds."""
    from flows import tasks

    with open_workspace(workspace, store=store) as opened:
        print_object(tasks.statistics(opened), format_)


@app.command()
def failures(workspace: Folder = HERE, format_: Rows = Format.table) -> None:
    """What could not be read, where, and why."""
    with open_workspace(workspace) as opened:
        rows = [
            {"source": row.source, "place": row.place, "reason": row.reason, "stage": row.stage}
            for row in opened.ledger.failures()
        ]
    print_rows(rows, format_, columns=("source", "place", "reason", "stage"))


@app.command()
def digest(workspace: Folder = HERE, store: Store = None) -> None:
    """One hash of the whole graph, equal wherever the same graph is."""
    with open_workspace(workspace, store=store) as opened:
        sys.stdout.write(opened.store.digest() + "\n")


@app.command()
def hypothesize(
    source: Annotated[str | None, typer.Option("--source", help="From this entity.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="To this entity.")] = None,
    relation: Annotated[str | None, typer.Option("--relation", help="Only links that this predicate may be.")] = None,
    top: Annotated[int, typer.Option("--top", min=1)] = 10,
    as_of: Annotated[int | None, typer.Option("--as-of", help="As if nothing after this year were known.")] = None,
    workspace: Folder = HERE,
    store: Store = None,
    format_: Rows = Format.table,
) -> None:
    """Suggest links that no paper states, with the paths and sentences that lead to them."""
    from flows.hypothesize import hypothesize as suggest
    from flows.hypothesize import summary

    with open_workspace(workspace, store=store) as opened:
        rows = suggest(opened, source=source, target=target, relation=relation, top=top, as_of=as_of)
    print_rows(rows if format_ is Format.json else [summary(row) for row in rows], format_)
    if not rows:
        say("no hypothesis: no two entities share a neighbour without being joined already")


@app.command()
def export(
    format_: Annotated[GraphFormat, typer.Option("--format", "-f")],
    output: Annotated[str, typer.Option("-o", "--output", help="File to write; for csv a folder; - is stdout.")],
    workspace: Folder = HERE,
    store: Store = None,
) -> None:
    """Write the graph for other tools."""
    from graph.export import export as write

    with open_workspace(workspace, store=store) as opened:
        write(opened.store.load(), format_.value, sys.stdout.buffer if output == "-" else Path(output))
    if output != "-":
        say(f"wrote {output}")


@app.command()
def report(
    output: Annotated[Path, typer.Option("-o", "--output", help="The HTML file to write.")] = Path("report.html"),
    question: Annotated[
        list[str] | None, typer.Option("--question", help="NAME or NAME@YEAR: new links of it, as of that year.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1)] = 10,
    workspace: Folder = HERE,
    store: Store = None,
) -> None:
    """Write one self-contained page: numbers, hypotheses, and a picture of the graph to explore."""
    from flows.report import report_to

    with open_workspace(workspace, store=store) as opened:
        report_to(output, opened, questions=question or [], top=top)
    say(f"wrote {output}")


@app.command()
def schedule(
    cron: Annotated[str, typer.Option("--cron", help="When, as in crontab: '0 3 * * *'.")],
    workspace: Folder = HERE,
    store: Store = None,
    reader: Reader = None,
) -> None:
    """Serve the build of the workspace's corpora on a schedule, until stopped."""
    from flows.quiet import at_home

    with open_workspace(workspace, store=store) as opened:
        opened.check_store()
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO")
    at_home(os.environ)
    from flows.build import build as flow

    flow.serve(
        name=f"hypograph-{workspace.resolve().name}",
        cron=cron_line(cron),
        limit=1,  # a build that outlasts the pause is not overtaken by the next one
        parameters={"workspace": str(workspace.resolve()), "paths": [], "flags": flags_of(store, reader, None)},
    )


@vocab.command("build")
def vocab_build(
    name: Annotated[str, typer.Argument(help="Name of the index.")],
    files: Annotated[
        list[Path], typer.Argument(help="MeSH, OBO, MEDIC, HGNC, UAT or TSV files, gz or not; annotated papers.")
    ],
    type_: Annotated[str | None, typer.Option("--type", help="Entity type of concepts that have none.")] = None,
    workspace: Folder = HERE,
    format_: Rows = Format.table,
) -> None:
    """Turn vocabulary files into a concept index of the workspace."""
    from pipeline.vocabulary import build as make

    if Path(name).name != name or name.startswith("."):
        raise UsageError(f"{name!r} is no name for an index: use letters, digits, '-' and '_'")
    out = workspace / "vocab" / f"{name}.vocab"
    out.parent.mkdir(parents=True, exist_ok=True)
    print_object(asdict(make(name, files, out, type=type_)), format_)


if __name__ == "__main__":
    app()
