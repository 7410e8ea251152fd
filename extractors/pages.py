"""Self-contained HTML pages: one template, one style sheet, no script, and a policy that forbids all else."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.errors import InputError

log = logging.getLogger(__name__)
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
PLAIN = "#888888"


def render(template: str, colours: Mapping[str, str], **values: Any) -> str:
    """Fill ``templates/TEMPLATE.html.j2``; all values are escaped.

    The style sheet is ``pages.css`` and, for the types in ``colours``, one class a type (:func:`type_classes`).
    """
    classes = type_classes(colours)
    sheet = (resources.files("extractors") / "templates" / "pages.css").read_text("utf-8")
    style = sheet + "".join(f".{classes[kind]}{{--c:{safe(colour)}}}\n" for kind, colour in colours.items())
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    environment = Environment(
        loader=PackageLoader("extractors"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(f"{template}.html.j2").render(
        style=Markup(style),  # noqa: S704 -- our own file, and colours that were checked
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        kind_class=lambda kind: classes.get(kind, ""),
        **values,
    )


def type_classes(colours: Mapping[str, str]) -> dict[str, str]:
    """The CSS class of each type: numbered, so that no name of a type has to be a word of CSS.

    >>> type_classes({"Gene": "#3d9a50", "a { b": "#888888"})
    {'Gene': 't0', 'a { b': 't1'}
    """
    return {kind: f"t{number}" for number, kind in enumerate(colours)}


def safe(colour: str) -> str:
    """The colour where it is one, else grey.

    >>> safe("#3d9a50"), safe("red;} body { display: none")
    ('#3d9a50', '#888888')
    """
    return colour if COLOUR.fullmatch(colour) else PLAIN


def write(path: Path, page: str) -> None:
    """Write a page; an older one is replaced at once or not at all.

    Raises InputError where the file cannot be written.
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
        raise InputError(f"the page cannot be written to {path}: {error.strerror}") from error
    log.info("wrote %s, %d bytes", path, len(content))
