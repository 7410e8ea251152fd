"""Self-contained pages of HTML: their templates, the hashes by which they allow their own code, and writing them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import os
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.errors import InputError

log = logging.getLogger(__name__)


def templates(package: str) -> Environment:
    """The templates of a package; what they are filled with is escaped, and what is missing raises an error."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def asset(package: str, name: str) -> str:
    """The text of a file of a package: a style sheet or a script."""
    return (resources.files(package) / name).read_text("utf-8")


def allowed(code: str) -> str:
    """What a content security policy allows a style sheet or a script by: its hash.

    >>> allowed("a{}")
    "'sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk='"
    """
    digest = hashlib.sha256(code.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def write_page(path: Path, page: str, *, name: str = "page") -> None:
    """Write a page; an older one is replaced at once or not at all.

    Raises InputError where the file cannot be written; ``name`` is what the error calls the page.
    """
    # Lone surrogates, which some PDF extractors leave behind, become references that browsers show as U+FFFD.
    content = page.encode("utf-8", "xmlcharrefreplace")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise InputError(f"the {name} cannot be written to {path}: {error.strerror}") from error
    log.info("wrote %s, %d bytes", path, len(content))
