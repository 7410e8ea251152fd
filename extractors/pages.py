"""Self-contained HTML pages: one template, one style sheet, no script, and a policy that forbids all else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

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
