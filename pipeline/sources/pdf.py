"""PDF: one paper a file, laid out by :mod:`pipeline.pdf` in a process of its own, one for each file.

A PDF says where each letter stands and little else: title, headings, paragraphs and references are told by their
looks. What is encrypted, damaged, drawn without letters or more than the limits allow is a Failure.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import pipeline
from pipeline.pdf.limits import Limits
from pipeline.sources.shared import fields
from pipeline.sources.shared.outline import sections
from pipeline.sources.shared.stream import Stream, Unreadable
from pipeline.text.headings import section_kind
from pipeline.types import Document, Failure

LIMITS = Limits()

_HEADER = 1024  # bytes in which the mark must stand
_DOI = re.compile(r"10\.\d{4,9}/[^\s,;]+[^\s,;.)\]]")
_FIRST_VERSION = re.compile(r"arXiv:\S+?v1\b.*?(\d{1,2} [A-Z][a-z]{2} (?:19|20)\d\d)")
_COPYRIGHT = re.compile(r"(?:©|\bc|\bCopyright)\s*(?:\(c\)\s*)?((?:19|20)\d\d)\b")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_COPIED = 1 << 20  # bytes at a time


def sniff(head: str) -> bool:
    return "%PDF-" in head[:_HEADER]


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return fields.each([("", stream)], _parse, name)


def _parse(stream: Stream) -> Document:
    with _file(stream) as file:
        return fields.document(_fields(_laid_out(file)))


@contextmanager
def _file(stream: Stream) -> Iterator[IO[bytes]]:
    """The bytes as a file that a process can be given: the file itself, or a copy that has no name and vanishes."""
    if stream.path:
        with stream.path.open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as copy:
        while copy.tell() <= LIMITS.bytes and (data := stream.binary.read(_COPIED)):
            copy.write(data)
        copy.seek(0)
        yield copy


def _laid_out(file: IO[bytes]) -> dict[str, Any]:
    """What the worker says about a PDF; Unreadable with the reason where it cannot."""
    command = [sys.executable, "-m", "pipeline.pdf.worker", json.dumps(asdict(LIMITS))]
    home = Path(pipeline.__file__).parent.parent  # where the worker finds this very package
    try:
        done = subprocess.run(command, stdin=file, capture_output=True, cwd=home, timeout=LIMITS.seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unreadable(f"takes more than {LIMITS.seconds} seconds to read") from error
    if done.returncode:
        raise Unreadable(_death(done.returncode, done.stderr.decode("utf-8", "replace")))
    answer: dict[str, Any] = json.loads(done.stdout)
    if "failure" in answer:
        raise Unreadable(answer["failure"])
    return answer


def _death(code: int, errors: str) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"takes more than {LIMITS.cpu} seconds of processor time to read, or too much memory"
    if code < 0:
        return f"is a damaged PDF: it crashes the library that reads it ({signal.Signals(-code).name})"
    return f"is a damaged PDF: {(errors.strip().splitlines() or ['no reason is given'])[-1][:200]}"


def _fields(found: dict[str, Any]) -> dict[str, object]:
    first_page = f"{found['imprint']}\n{found['front']}\n{found['aside']}"
    dois = {doi.lower() for doi in _DOI.findall(first_page)}
    return {
        "title": found["title"],
        "sections": [part for part in sections(_parts(found["parts"])) if part["text"]],
        "references": found["references"],
        "authors": _authors(found["authors"], found["front"]),
        "doi": dois.pop() if len(dois) == 1 else "",
        "arxiv": found["aside"] if "arXiv:" in found["aside"] else "",
        "date": _date(found["aside"], found["imprint"]),
    }


def _parts(parts: list[dict[str, Any]]) -> Iterator[tuple[int, str, str]]:
    """Levels come from the numbers; a heading without one stands below the last that has one, if any has."""
    level = 0
    for part in parts:
        level = part["number"].count(".") + 1 if part["number"] else level
        usual = section_kind(part["heading"]) != part["heading"].lower()
        own = level if part["number"] else 1 if usual or not level else level + 1
        yield own, part["heading"], "\n\n".join(part["paragraphs"])


def _authors(named: list[str], front: str) -> list[str]:
    """The authors whom the file's own data name, if the first page shows all parts of their names."""
    shown = front.casefold()
    return named if all(part in shown for name in named for part in name.casefold().split()) else []


def _date(aside: str, imprint: str) -> str:
    """That of the first version on arXiv, else the year of the imprint; when the file was made says nothing."""
    if version := _FIRST_VERSION.search(aside):
        return version[1]
    found = _COPYRIGHT.search(imprint)
    return found[1] if found and set(_YEAR.findall(imprint)) == {found[1]} else ""
