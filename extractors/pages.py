"""Self-contained HTML pages: one template, one style sheet, no script, and a policy that forbids all else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from pipeline.pages import allowed, asset, templates

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
PLAIN = "#888888"


def render(template: str, colours: Mapping[str, str], **values: Any) -> str:
    """Fill ``templates/TEMPLATE.html.j2``; all values are escaped.

    The style sheet is ``pages.css`` and, for the types in ``colours``, one class a type (:func:`type_classes`).
    """
    classes = type_classes(colours)
    sheet = asset("extractors", "templates/pages.css")
    style = sheet + "".join(f".{classes[kind]}{{--c:{safe(colour)}}}\n" for kind, colour in colours.items())
    page = templates("extractors").get_template(f"{template}.html.j2")
    return page.render(
        style=Markup(style),  # noqa: S704 -- our own file, and colours that were checked
        policy=f"default-src 'none'; style-src {allowed(style)}; base-uri 'none'; form-action 'none'",
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
