from __future__ import annotations

import pytest

from pipeline.sources.shared import xml
from pipeline.sources.shared.stream import Unreadable


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("<article>", True),
        ('\ufeff<?xml version="1.0"?>\n<!-- <p> --><article lang="en">', True),
        ("<!DOCTYPE article PUBLIC '-//NLM//DTD' \"a>b.dtd\" [<!ENTITY x '<p>'>]><j:article>", True),
        ("<!DOCTYPE article><?pi <p>?><p><article>", False),
        ("<articles>", False),
        ("text <article>", False),
        ("<!-- <article>", False),
        ("<!DOCTYPE " * 10_000, False),
        ("<?xml" * 10_000, False),
    ],
)
def test_the_first_element(head: str, found: bool) -> None:
    assert xml.opens(head, "article", "book") is found


def test_entities_become_characters_but_are_never_expanded() -> None:
    named = b"<p>&alpha;&nbsp;&amp;amp; &strange; &#x3b2;</p>"
    for data in (named, b'<?xml version="1.0"?>' + named, b'<!DOCTYPE p SYSTEM "p.dtd">' + named):
        assert xml.flat(xml.parse(data)) == "α\xa0&amp; &strange; β"
    bomb = b"<!DOCTYPE p [<!ENTITY a 'lol'>" + b"".join(
        b"<!ENTITY %c '%s'>" % (97 + n, b"&%c;" % (96 + n) * 10) for n in range(1, 12)
    )
    with pytest.raises(Unreadable, match="amplification"):
        xml.parse(bomb + b"]><p>&l;</p>")
    outside = b"<!DOCTYPE p [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><p>&f;</p>"
    assert xml.flat(xml.parse(outside)) == "&f;"


def test_flat_keeps_all_but_what_is_skipped() -> None:
    tree = xml.parse(b"<p>a<!-- no -->b <x:math xmlns:x='m'>x<sup>2</sup></x:math>\n<?pi no?>c<tex>\\x</tex> d</p>")
    assert xml.flat(tree) == "ab x2 c\\x d"
    assert xml.flat(tree, skip=frozenset({"tex", "math"})) == "ab c d"
    assert xml.flat(None) == ""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"<a><b></a>",
        b"<a>",
        b"<a>" * 100_000,
        b'<?xml version="1.0" encoding="utf-8"?><a>\xff</a>',
        b"<a>\0</a>",
        b"\xff\xfe<\0a",
        b"<a " + b"b='1' " * 3 + b"/>",
    ],
)
def test_what_is_not_well_formed(data: bytes) -> None:
    with pytest.raises(Unreadable, match="is no"):
        xml.parse(data)


def test_encodings() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1", "windows-1252"):
        declared = "" if encoding.startswith("utf") else f"<?xml version='1.0' encoding='{encoding}'?>"
        assert xml.flat(xml.parse(f"{declared}<p>Öl</p>".encode(encoding))) == "Öl"
