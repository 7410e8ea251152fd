"""Readers of vocabulary files: each turns one file into parts of concepts, with the place that each came from.

The format is told by the content, never by the file's name, and gzip is seen through:

- tables with a header line: Hypograph's own (``id name type synonyms parents definition``, lists parted by ``|``;
  ``id`` and ``name`` suffice), MeSH descriptor terms and trees, MeSH supplementary records, MEDIC, HGNC, NCBI Gene:
  a new one is a line in ``TABLES``;
- OBO; SKOS in RDF/XML (such as the Unified Astronomy Thesaurus); the thesaurus' CSV of levels.

A concept may come in many parts, over many lines and files: :func:`pipeline.vocabulary.build` joins them by id.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lxml import etree

from pipeline.errors import VocabularyError
from pipeline.types import content_id


@dataclass(frozen=True, slots=True)
class Part:
    """What one place of a file says of a concept; ``unfit`` says why the concept is no entity, where it is none."""

    place: str
    id: str
    name: str
    type: str = ""
    synonyms: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    definition: str = ""
    unfit: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that was left out, and why."""

    place: str
    reason: str


Rows: TypeAlias = Iterator[Part | Skipped]


@dataclass(frozen=True, slots=True)
class Table:
    """Which columns of a tab-separated file hold what; ``prefix`` makes bare ids CURIEs."""

    id: str
    name: str
    synonyms: tuple[str, ...] = ("synonyms",)
    type: str = "type"
    parents: str = "parents"
    definition: str = "definition"
    default_type: str = ""
    prefix: str = ""


# The first table whose id and name columns a header has is taken.
TABLES = (
    Table("id", "name"),
    Table("DescriptorUI", "DescriptorName", synonyms=("TermName",), prefix="MESH:"),
    Table("mesh_scr_id", "mesh_scr_name", synonyms=("xref_name",), prefix="MESH:", default_type="Chemical"),
    Table("MESH_SCR_ID", "MESH_SCR_NAME", parents="MESH_ID", prefix="MESH:", default_type="Disease"),
    Table(
        "DiseaseID",
        "DiseaseName",
        synonyms=("Synonyms",),
        parents="ParentIDs",
        definition="Definition",
        default_type="Disease",
    ),
    Table(
        "hgnc_id",
        "symbol",
        synonyms=("name", "alias_symbol", "alias_name", "prev_symbol", "prev_name"),
        default_type="Gene",
    ),
    Table(
        "GeneID",
        "Symbol",
        synonyms=("Synonyms", "description", "Full_name_from_nomenclature_authority", "Other_designations"),
        prefix="NCBIGene:",
        default_type="Gene",
    ),
)

# What an ontology is about, for files that do not say it themselves.
TYPE_OF_PREFIX = {
    "DOID": "Disease",
    "MONDO": "Disease",
    "HP": "Disease",
    "CHEBI": "Chemical",
    "NCBITaxon": "Species",
    "CVCL": "CellLine",
}
_PROTEIN_TREES = ("D05.500", "D08.811", "D12.644.276", "D12.776", "D23")


def read_vocabulary(path: Path) -> Rows:
    """Read one vocabulary file, whatever its format.

    Raises VocabularyError for a file that is missing, not text, broken, or of no known format.
    """
    text = _text(path)
    first = text.lstrip()[:500]
    if first.startswith("format-version:") or "\n[Term]\n" in text[:100_000]:
        return _obo(path, text)
    if first.startswith("<") and "rdf" in first.lower():
        return _skos(path, text)
    if first.startswith("level 1,"):
        return _levels(path, text)
    return _table(path, text)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise VocabularyError(f"{path}:{line}: not UTF-8 text: convert the file to UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise VocabularyError(f"{path}: cannot be read: {error}") from error
    if not text.strip():
        raise VocabularyError(f"{path}: the file is empty")
    return text


def _table(path: Path, text: str) -> Rows:
    lines = enumerate(text.splitlines(), 1)
    header = _header(path, lines)
    if "DescriptorUI" in header and "tree_location" in header:
        return _mesh_trees(path, header, lines)
    for table in TABLES:
        if table.id in header and table.name in header:
            return _rows(path, table, header, lines)
    raise VocabularyError(
        f"{path}: unknown format, its header is {' '.join(header)[:120]!r}: give a tab-separated table with at least "
        "the columns id and name, or MeSH, MEDIC, HGNC, NCBI Gene, OBO, SKOS or UAT files"
    )


def _header(path: Path, lines: Iterator[tuple[int, str]]) -> list[str]:
    """The first line that is no comment, or the comment that names the columns, as MEDIC and NCBI have it."""
    for _, line in lines:
        if not line.strip():
            continue
        cells = line.removeprefix("#").strip().split("\t")
        if line.startswith("#Format: "):
            return line.removeprefix("#Format: ").split(" (")[0].split()
        if not line.startswith("#") or len(cells) > 2:
            return [cell.strip() for cell in cells]
    raise VocabularyError(f"{path}: nothing but comments: the file is cut short")


def _cells(
    path: Path, header: list[str], lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[str, dict[str, str] | None]]:
    """Each row as a mapping, or None where it has more cells than the header; missing last cells are empty."""
    for number, line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        row = dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=False))
        yield f"{path}:{number}", row if len(cells) <= len(header) else None


def _rows(path: Path, table: Table, header: list[str], lines: Iterator[tuple[int, str]]) -> Rows:
    for place, row in _cells(path, header, lines):
        if row is None:
            yield Skipped(place, "more cells than the header has")
            continue
        id_, name = row[table.id], _unquoted(row[table.name])
        if not id_ or not name or re.search(r"\s", id_):
            yield Skipped(place, "no id or no name" if not id_ or not name else "white space in the id")
            continue
        yield Part(
            place,
            table.prefix + id_,
            name,
            type=row.get(table.type, "") or table.default_type,
            synonyms=tuple(name for column in table.synonyms for name in _list(row.get(column, ""))),
            parents=tuple(_curie(parent, table.prefix) for parent in _list(row.get(table.parents, ""))),
            definition=_unquoted(row.get(table.definition, "")),
        )


def _curie(id_: str, prefix: str) -> str:
    return id_ if ":" in id_ else prefix + id_


def _unquoted(cell: str) -> str:
    return cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _list(cell: str) -> list[str]:
    return [part.strip() for part in _unquoted(cell).split("|") if part.strip() not in ("", "-")]


def _mesh_trees(path: Path, header: list[str], lines: Iterator[tuple[int, str]]) -> Rows:
    """Types and parents of MeSH descriptors from their places in the trees."""
    trees: dict[str, list[str]] = {}
    seen: dict[str, tuple[str, str]] = {}
    for place, row in _cells(path, header, lines):
        if row is None or not row["DescriptorUI"] or not row["tree_location"]:
            yield Skipped(place, "no descriptor or no tree location")
            continue
        trees.setdefault(row["DescriptorUI"], []).append(row["tree_location"])
        seen.setdefault(row["DescriptorUI"], (place, row.get("DescriptorName", "")))
    owner = {location: id_ for id_, locations in trees.items() for location in locations}
    for id_, locations in trees.items():
        above = {owner.get(location.rpartition(".")[0]) for location in locations} - {None}
        type_ = _mesh_type(locations)
        place, name = seen[id_]
        unfit = "" if type_ else f"MeSH tree {min(locations)[0]} holds no entities"
        yield Part(place, f"MESH:{id_}", name, type_, parents=tuple(sorted(f"MESH:{p}" for p in above)), unfit=unfit)


def _mesh_type(locations: list[str]) -> str:
    """The entity type of a descriptor; proteins, which MeSH keeps among the chemicals, are gene products.

    >>> _mesh_type(["C14.907.617.812"]), _mesh_type(["D12.776.124.125"]), _mesh_type(["D03.383", "D12.776.1"])
    ('Disease', 'Gene', 'Chemical')
    """
    if any(location.startswith(("C", "F03")) for location in locations):
        return "Disease"
    chemical = [location for location in locations if location.startswith("D")]
    if chemical:
        return "Gene" if all(location.startswith(_PROTEIN_TREES) for location in chemical) else "Chemical"
    return "Species" if any(location.startswith("B") for location in locations) else ""


_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(\w*)')


def _obo(path: Path, text: str) -> Rows:
    """Terms of an OBO file; only exact synonyms are names of the same thing."""
    number = 1
    for stanza in re.split(r"\n(?=\[)", text):
        place = f"{path}:{number}"
        number += stanza.count("\n") + 1
        kind, *lines = stanza.splitlines()
        if kind.strip() != "[Term]":
            continue
        tags: dict[str, list[str]] = {}
        for line in lines:
            key, _, value = line.partition(": ")
            tags.setdefault(key, []).append(value.strip())
        if not tags.get("id") or not tags.get("name"):
            yield Skipped(place, "no id or no name")
            continue
        if "true" in tags.get("is_obsolete", ()):
            yield Skipped(place, "obsolete term")
            continue
        id_ = tags["id"][0].split(" ")[0]
        scoped = [match.groups() for value in tags.get("synonym", ()) if (match := _QUOTED.match(value))]
        yield from (Skipped(place, f"synonym of scope {scope}") for _, scope in scoped if scope not in ("EXACT", ""))
        definition = _QUOTED.match(tags.get("def", [""])[0])
        yield Part(
            place,
            id_,
            tags["name"][0],
            type=TYPE_OF_PREFIX.get(id_.split(":")[0], ""),
            synonyms=tuple(_unescaped(name) for name, scope in scoped if scope in ("EXACT", "")),
            parents=tuple(value.split(" ")[0] for value in tags.get("is_a", ())),
            definition=_unescaped(definition[1]) if definition else "",
        )


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_SKOS = "{http://www.w3.org/2004/02/skos/core#}"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def _skos(path: Path, text: str) -> Rows:
    """Concepts of a SKOS file in RDF/XML: preferred and other labels in English, and what is broader."""
    try:
        root = etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise VocabularyError(f"{path}: broken RDF/XML: {error}") from error
    labels: dict[str, dict[str, list[str]]] = {}
    places: dict[str, str] = {}
    for node in root:
        about = node.get(f"{_RDF}about", "")
        places.setdefault(about, f"{path}:{node.sourceline}")
        found = labels.setdefault(about, {})
        for child in node.iterchildren(f"{_SKOS}*"):
            value = child.get(f"{_RDF}resource") or (child.text or "").strip()
            if value and child.get(_LANG, "en").startswith("en"):
                found.setdefault(child.tag.removeprefix(_SKOS), []).append(value)
    for about, found in labels.items():
        if "prefLabel" in found and about:
            yield Part(
                places[about],
                _from_uri(about),
                found["prefLabel"][0],
                synonyms=tuple(found.get("altLabel", ())),
                parents=tuple(_from_uri(uri) for uri in found.get("broader", ())),
                definition=found.get("definition", [""])[0],
            )


def _from_uri(uri: str) -> str:
    """A CURIE for the address of a concept.

    >>> _from_uri("http://astrothesaurus.org/uat/104")
    'UAT:104'
    """
    head, _, local = re.sub(r"[/#]+$", "", uri).rpartition("#" if "#" in uri else "/")
    return f"{head.rpartition('/')[2].upper()}:{local}"


def _levels(path: Path, text: str) -> Rows:
    """The thesaurus as a CSV of levels, which has no ids: a hash of the name stands in.

    The SKOS file of the same thesaurus keeps its official ids.
    """
    reader = csv.reader(io.StringIO(text))
    next(reader)
    for row in reader:
        names = [cell.strip() for cell in row if cell.strip()]
        place = f"{path}:{reader.line_num}"
        if not names:
            yield Skipped(place, "empty row")
            continue
        ids = [f"UAT:{content_id(name.casefold(), length=8)}" for name in names[-2:]]
        yield Part(place, ids[-1], names[-1], parents=tuple(ids[:-1]))
