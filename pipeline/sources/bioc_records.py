"""BioC's objects: XML made the mappings that BioC's JSON is, and their values, whatever shape they have."""

from __future__ import annotations

import re
from typing import TypeAlias

from lxml import etree

from pipeline.sources.shared import fields, xml
from pipeline.sources.shared.stream import Unreadable

Record: TypeAlias = dict[str, object]

_LISTED = frozenset({"passage", "sentence", "annotation", "relation", "location", "node"})


def from_xml(element: etree._Element) -> Record:
    """
    >>> from_xml(xml.parse(b'<document><id>1</id><infon key="a">b</infon><passage id="p"/></document>'))
    {'id': '1', 'infons': {'a': 'b'}, 'passages': [{'id': 'p'}]}
    """
    found: Record = dict(element.attrib)
    infons: dict[str, str] = {}
    lists: dict[str, list[Record]] = {}
    for child in element:
        name = xml.local(child)
        if name == "infon":
            infons[child.get("key", "")] = "".join(xml.pieces(child))
        elif name in _LISTED:
            lists.setdefault(f"{name}s", []).append(from_xml(child))
        elif name:
            found[name] = "".join(xml.pieces(child))
    return found | ({"infons": infons} if infons else {}) | lists


def infons_of(record: Record) -> Record:
    found = record.get("infons") or {}
    if not isinstance(found, dict):
        raise Unreadable(f"has infons that are no mapping: {found!r:.80}")
    return found


def records_of(record: Record, key: str) -> tuple[Record, ...]:
    found = record.get(key) or ()
    if not isinstance(found, list | tuple) or not all(isinstance(item, dict) for item in found):
        raise Unreadable(f"has {key} that are no list of objects: {found!r:.80}")
    return tuple(found)


def number_of(record: Record, key: str) -> int:
    found = record.get(key)
    if isinstance(found, str) and re.fullmatch(r"\s*\d{1,12}\s*", found):
        return int(found)
    if type(found) is not int or found < 0:
        raise Unreadable(f"has {'an' if key[0] in 'aeiou' else 'a'} {key} that is no number: {found!r:.40}")
    return found


def value_of(record: Record, *keys: str) -> str:
    """The first of these values that says anything."""
    return next((said for key in keys if (said := plain(record.get(key)).strip())), "")


def plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ";".join(map(plain, value))
    return fields.storable(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
