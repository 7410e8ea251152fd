"""The graph as files for other tools: GraphML, GEXF, CSV, JSON Lines.

Ids are the graph's own, so that an export can be joined with another or with the store; equal graphs give equal
files. Every file is written beside its place and moved there when it is whole.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

import networkx as nx

from graph.rows import from_rows, rows
from pipeline.errors import UsageError
from pipeline.types import Concept, Document, Edge, Evidence, Graph

SEPARATOR = "|"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# What a record of each kind has: the fields of the type, but for those that are records of their own.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "entity": tuple(f.name for f in fields(Concept)),
    "document": ("title", *(f.name for f in fields(Document) if f.name not in ("text", "sections"))),
    "edge": tuple(f.name for f in fields(Edge) if f.name != "evidence"),
    "evidence": tuple(f.name for f in fields(Evidence)),
}
_SOMETIMES = frozenset({"novel"})  # columns of values that few graphs have: left out where all are None
_FILES = {"entity": "entities.csv", "document": "documents.csv", "edge": "edges.csv", "evidence": "evidence.csv"}


def export(graph: Graph, form: str, target: Path | BinaryIO) -> None:
    """Write the graph in one of ``FORMATS`` to a path or an open binary file; ``csv`` makes a folder of four files.

    Lists are joined by ``|`` where a format has none, and characters that XML forbids become U+FFFD. Raises
    UsageError for an unknown format, a folder where a file is to be or the other way round, and for ``csv`` to a
    stream.
    """
    if form not in FORMATS:
        raise UsageError(f"unknown export format {form!r}: use one of {', '.join(sorted(FORMATS))}")
    stored = from_rows(rows(graph))
    if form == "csv":
        if not isinstance(target, Path):
            raise UsageError("csv makes several files: name a folder with -o")
        _csv(stored, target)
    elif isinstance(target, Path):
        with _whole(target) as file:
            FORMATS[form](stored, file)
    else:
        FORMATS[form](stored, target)


def flatten(graph: Graph) -> nx.MultiDiGraph:
    """The graph with nothing but strings and numbers on it, which is what XML formats can carry.

    Edges have the ids of their papers in ``documents`` and what these say in ``sentences``.
    """
    flat = nx.MultiDiGraph()
    for concept in graph.entities:
        flat.add_node(_xml(concept.id), **_attributes("entity", concept, without=("id", "parents")))
    for edge in graph.edges:
        attributes = _attributes("edge", edge, without=("uid", "subject", "object"))
        attributes["documents"] = _xml(SEPARATOR.join(sorted({item.document_id for item in edge.evidence})))
        attributes["sentences"] = _xml(f" {SEPARATOR} ".join(item.text for item in edge.evidence))
        flat.add_edge(_xml(edge.subject), _xml(edge.object), key=edge.uid, **attributes)
    return flat


def _graphml(graph: Graph, file: BinaryIO) -> None:
    nx.write_graphml_lxml(flatten(graph), file, named_key_ids=True)


def _gexf(graph: Graph, file: BinaryIO) -> None:
    flat = flatten(graph)
    for _, attributes in flat.nodes(data=True):
        attributes["label"] = attributes.pop("name", "")
    for _, _, uid, attributes in flat.edges(keys=True, data=True):
        attributes.update(id=uid, label=attributes["predicate"], weight=attributes["belief"])
    made = io.BytesIO()
    nx.write_gexf(flat, made)
    file.write(re.sub(rb' lastmodifieddate="[^"]*"', b"", made.getvalue(), count=1))


def _jsonl(graph: Graph, file: BinaryIO) -> None:
    for kind, record in _records(graph):
        file.write(json.dumps({"kind": kind, **record}, ensure_ascii=False).encode() + b"\n")


def _csv(graph: Graph, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: csv makes several files, so name a folder")
    for kind, name in _FILES.items():
        with _whole(folder / name) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            members = _members(graph)[kind]
            columns = _columns(kind, members)
            writer.writerow(columns)
            writer.writerows([_joined(getattr(member, column)) for column in columns] for member in members)


FORMATS: Mapping[str, Callable[[Graph, Any], None]] = {
    "csv": _csv,
    "gexf": _gexf,
    "graphml": _graphml,
    "jsonl": _jsonl,
}


def _records(graph: Graph) -> Iterator[tuple[str, dict[str, Any]]]:
    """All that the graph holds as flat records, each with the columns of its kind."""
    for kind, members in _members(graph).items():
        columns = _columns(kind, members)
        for member in members:
            yield kind, {column: getattr(member, column) for column in columns}


def _members(graph: Graph) -> Mapping[str, tuple[Any, ...]]:
    return {
        "entity": graph.entities,
        "document": graph.documents,
        "edge": graph.edges,
        "evidence": tuple(evidence for edge in graph.edges for evidence in edge.evidence),
    }


def _columns(kind: str, members: Iterable[Any]) -> list[str]:
    def told(column: str) -> bool:
        return any(getattr(member, column) is not None for member in members)

    return [column for column in _COLUMNS[kind] if column not in _SOMETIMES or told(column)]


def _attributes(kind: str, member: Any, *, without: tuple[str, ...]) -> dict[str, Any]:
    """A record as attributes of a node or edge: what is unknown is left out."""
    joined = {name: _joined(getattr(member, name)) for name in _COLUMNS[kind] if name not in without}
    return {name: _xml(value) for name, value in joined.items() if value not in (None, "")}


def _joined(value: Any) -> Any:
    """A list as one string.

    >>> _joined((("corrects", "sample:1"), "b"))
    'corrects sample:1|b'
    """
    if not isinstance(value, tuple | list):
        return value
    return SEPARATOR.join(item if isinstance(item, str) else " ".join(item) for item in value)


def _xml(value: Any) -> Any:
    return _NOT_XML.sub("\ufffd", value) if isinstance(value, str) else value


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears at its place only when all of it is written."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file")
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = partial.open("wb")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    try:
        with file:
            yield file
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
