"""Files that a folder of papers may hold by accident or malice, each with what the reader should say of it."""

from __future__ import annotations

import gzip
import io
import os
import random
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
MEDLINE = '<?xml version="1.0"?><PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>{0}</PMID><Article>{1}'
END = "</Article></MedlineCitation></PubmedArticle></PubmedArticleSet>"
JSON_LINE = '{{"id": "{0}", "title": "Fish oil {0}", "abstract": "It thins blood."}}\n'

GOOD: dict[str, str] = {
    "good.txt": "Id: good:1\n\nFish oil\n\nIt thins blood.",
    "good.jsonl": "".join(JSON_LINE.format(f"good:{n}") for n in (2, 3)),
    "odd \u202ename; $(rm) 'q\".txt": "Id: good:4\n\nMagnesium\n\nIt calms.",
}


def medline(pmid: str, inside: str, prolog: str = "") -> bytes:
    return (prolog + MEDLINE.format(pmid, inside) + END).encode()


def entities() -> bytes:
    """A billion laughs."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE PubmedArticleSet [<!ENTITY e0 "lol">{levels}]>'
    return f"{bomb}{MEDLINE.format('1', '<ArticleTitle>&e11;</ArticleTitle>')}{END}".replace(
        '<?xml version="1.0"?>', "", 1
    ).encode()


def zip_bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("paper.txt", "w") as member:
        for _ in range(600):
            member.write(b"a" * MIB)
    return made.getvalue()


def gzip_bomb() -> bytes:
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb") as file:
        for _ in range(600):
            file.write(b"a" * MIB)
    return made.getvalue()


def pdf(*objects: bytes) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    made, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    trailer = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, len(made))
    return made + b"xref\n0 %d\n0000000000 65535 f \n" % count + table + trailer


def page(content: bytes, packed: bool = False, resources: bytes = b"") -> bytes:
    filter_ = b"/Filter/FlateDecode" if packed else b""
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<<" + resources + b">>>>",
        b"<</Length %d%b>>stream\n%b\nendstream" % (len(content), filter_, content),
        b"<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 1>>"
        b"stream\n\x80\nendstream",
    )


def pdf_bomb() -> bytes:
    packer = zlib.compressobj(9)
    content = b"".join(packer.compress(b"q Q " * (MIB // 4)) for _ in range(2_000)) + packer.flush()
    return page(content, packed=True)


def pdf_of_pictures() -> bytes:
    return page(b"q 600 0 0 800 0 0 cm /Im1 Do Q", resources=b"/XObject<</Im1 5 0 R>>")


def encrypted_pdf() -> bytes:
    key = b"<</Filter/Standard/V 1/R 2/P -4/O<" + b"41" * 32 + b">/U<" + b"42" * 32 + b">>>"
    plain = page(b"BT (secret) Tj ET")
    return plain.replace(b"/Root 1 0 R", b"/Root 1 0 R/ID[<00><00>]/Encrypt " + key)


# name: content, and a word of the reason
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "cut.jsonl.gz": (lambda: gzip.compress(os.urandom(90_000).hex().encode())[:60_000], "cut off"),
    "entities.xml": (entities, "looks like a bomb"),
    "bomb.gz": (gzip_bomb, "longer than"),
    "bomb.zip": (zip_bomb, "longer than"),
    "bomb.pdf": (pdf_bomb, "PDF"),
    "latin1.txt": (lambda: "Fish oil\n\nIt tastes of crème.".encode("latin-1"), "not UTF-8"),
    "mixed.jsonl": (
        lambda: JSON_LINE.format("good:5").encode() + b'{"id": "6", "text": "cr\xe8me \xc3\xa8"}\n',
        "0xe8",
    ),
    "wrong.xml": (lambda: medline("1", "<ArticleTitle>\xe8</ArticleTitle>").decode().encode("latin-1"), "0xe8"),
    "utf16_without_mark.txt": (lambda: "Fish oil".encode("utf-16-le"), "UTF-16 without a byte order mark"),
    "nul.txt": (lambda: b"Fish oil\n\nIt thins\0 blood.", "NUL"),
    "deep.xml": (lambda: medline("1", "<a>" * 100_000 + "</a>" * 100_000), "well-formed"),
    "deep.json": (lambda: b'{"id": "1", "text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    "deep.tex": (lambda: b"\\documentclass{article}\\begin{document}" + b"{" * 100_000 + b"x", "nested too deeply"),
    "empty.xml": (lambda: b"", "is empty"),
    "blanks.txt": (lambda: b" \n" * 100, "is empty"),
    "noise.bin": (lambda: random.Random(1).randbytes(100_000), "NUL"),
    "line.txt": (lambda: b"a" * (50 * MIB), "longer than"),
    "line.jsonl": (
        lambda: b'{"text": "' + b"a" * (50 * MIB) + b'"}\n' + JSON_LINE.format("good:7").encode(),
        "longer than",
    ),
    "columns.csv": (lambda: b"name,price,stock\noil,1,2\nsalt,2,3\npepper,3,4\n", "has no column for title"),
    "cells.csv": (lambda: b"id,title,abstract\ngood:8,Oil,It thins.\n9,Oil,It,thins\n", "more cells than the header"),
    "keys.json": (lambda: b'{"id": "1", "title": "Oil", "title": "Salt"}', "title"),
    "encrypted.pdf": (encrypted_pdf, "encrypted"),
    "pictures.pdf": (pdf_of_pictures, "picture"),
    "cut.pdf": (lambda: page(b"BT (x) Tj ET")[:200], "damaged PDF"),
    "web.html": (lambda: b"<html><body><nav>Home</nav></body></html>", "without a main text"),
}
SURVIVORS = ("good:1", "good:2", "good:3", "good:4", "good:5", "good:7", "good:8")


def fill(folder: Path) -> None:
    """Write all of it, with a loop of links, a pipe and a device among them."""
    for name, text in GOOD.items():
        (folder / name).write_text(text, "utf-8")
    for name, (content, _) in BAD.items():
        (folder / name).write_bytes(content())
    (folder / "loop").mkdir()
    (folder / "loop" / "again").symlink_to(folder)
    (folder / "dangling.txt").symlink_to(folder / "missing.txt")
    (folder / "device").symlink_to("/dev/zero")
    os.mkfifo(folder / "fifo")
