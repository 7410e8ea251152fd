"""What the commands share: their options, how they open a workspace, and how they end."""

from __future__ import annotations

import json
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from flows.printing import Format
from flows.progress import say
from pipeline.errors import HypographError, InputError, UsageError

if TYPE_CHECKING:
    from flows.workspace import Workspace

FAILED = 1
"""Exit code of work that was done but for some documents."""


class Commands(TyperGroup):
    """Turns errors raised on purpose into one line on stderr and their exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except HypographError as error:
            say(f"error: {error}")
            raise typer.Exit(error.exit_code) from error

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 -- in the order of work, not of letters
        return list(self.commands)


class StoreName(StrEnum):
    memory = "memory"
    neo4j = "neo4j"


class ReaderName(StrEnum):
    best = "best"
    fast = "fast"


class GraphFormat(StrEnum):
    graphml = "graphml"
    gexf = "gexf"
    csv = "csv"
    jsonl = "jsonl"


class ReadingFormat(StrEnum):
    pubtator = "pubtator"
    bioc = "bioc"
    jsonl = "jsonl"
    scierc = "scierc"


Folder = Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")]
Store = Annotated[StoreName | None, typer.Option("--store", help="Where the graph is; default: as the workspace says.")]
Rows = Annotated[Format, typer.Option("--format", "-f", help="How rows are printed.")]
Domain = Annotated[str | None, typer.Option("--domain", help="Domain pack: a name, or a .toml file.")]
Reader = Annotated[ReaderName | None, typer.Option("--reader", help="Which models read.")]
Columns = Annotated[
    list[str] | None, typer.Option("--column", help="For tables: KEY=HEADER, such as title='Article Title'.")
]
HERE = Path()


def open_workspace(folder: Path, **flags: Any) -> Workspace:
    """Open a workspace that is there; its settings are checked, and nothing is read yet."""
    from flows.workspace import Workspace

    if not folder.is_dir():
        raise InputError(f"no workspace {folder}: make one with `hypograph init {folder}`")
    plain = {key: value.value if isinstance(value, Enum) else value for key, value in flags.items()}
    return Workspace.open(folder, **plain)


def flags_of(store: StoreName | None, reader: ReaderName | None, domain: str | None) -> dict[str, str | None]:
    return {"store": store and store.value, "reader": reader and reader.value, "domain": domain}


def finish(failed: int, *, listed: bool = True) -> None:
    """Tell that some documents failed, by a word and by the exit code."""
    if failed:
        say(f"{failed} could not be read" + (": see `hypograph failures`" if listed else ""))
        raise typer.Exit(FAILED)


def pairs(items: list[str], option: str) -> dict[str, str]:
    """``["k=v"]`` as a mapping."""
    for item in items:
        if "=" not in item.strip("="):
            raise UsageError(f"{option} {item!r}: expected KEY=VALUE")
    return dict(item.split("=", 1) for item in items)


def parameter(text_: str) -> Any:
    """A parameter: JSON where it is JSON (numbers, lists, true), else the text itself."""
    try:
        return json.loads(text_)
    except ValueError:
        return text_


def cron_line(text_: str) -> str:
    if len(text_.split()) not in (5, 6):
        raise UsageError(f"--cron {text_!r}: expected five fields, such as '0 3 * * *'")
    return text_
