"""Writing a page of HTML, whole or not at all."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from pipeline.errors import InputError

log = logging.getLogger(__name__)


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
