"""What reading one PDF may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of address space, seconds of processor time and in all, and the PDF's own bytes, pages and characters."""

    memory: int = 1 << 30
    cpu: int = 60
    seconds: int = 120
    bytes: int = 200 << 20
    pages: int = 500
    characters: int = 4 << 20  # far more than any paper has
