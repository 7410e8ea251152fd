"""What the processor can do that decides how fast which precision is, told without loading torch."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Processor:
    """The instructions that matter: vectors of floats, products of int8 or bf16 numbers, and matrix units.

    ``vnni`` and, on ARM, ``dotprod`` and ``i8mm`` multiply int8 numbers; ``bf16`` is true on either kind.

    >>> print(Processor("AMD EPYC", avx2=True, avx512=True, vnni=True))
    AMD EPYC: avx2, avx512, vnni
    >>> print(Processor("POWER9"))
    POWER9: no vector instructions known
    """

    name: str = "unknown processor"
    avx2: bool = False
    avx512: bool = False
    vnni: bool = False
    bf16: bool = False
    amx: bool = False
    neon: bool = False
    dotprod: bool = False
    i8mm: bool = False

    def __str__(self) -> str:
        has = [field.name for field in fields(self)[1:] if getattr(self, field.name)]
        return f"{self.name}: {', '.join(has) or 'no vector instructions known'}"


@cache
def processor() -> Processor:
    """This machine's processor; where nothing tells what it can do, it is taken to be a plain one."""
    if CPUINFO.is_file():
        return parse_cpuinfo(CPUINFO.read_text("utf-8", errors="replace"))
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return Processor("Apple silicon", neon=True, dotprod=True)  # every one of them, whatever its year
    return Processor(platform.processor() or platform.machine() or "unknown processor")


def parse_cpuinfo(text: str) -> Processor:
    """Read Linux' ``/proc/cpuinfo``; where cores differ, only what all of them can do counts.

    >>> parse_cpuinfo("model name: A\\nflags: avx2 avx_vnni").vnni
    True
    """
    lists = re.findall(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    has = set.intersection(*(set(line.split()) for line in lists)) if lists else set()
    name = re.search(r"^(?:model name|Model|Hardware|cpu)\s*:\s*(\S.*)$", text, re.MULTILINE)
    return Processor(
        name=name[1].strip() if name else "unknown processor",
        avx2="avx2" in has,
        avx512={"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= has,
        vnni=bool(has & {"avx512_vnni", "avx_vnni"}),
        bf16=bool(has & {"avx512_bf16", "amx_bf16", "bf16"}),
        amx={"amx_tile", "amx_int8"} <= has,
        neon=bool(has & {"asimd", "neon"}),
        dotprod="asimddp" in has,
        i8mm="i8mm" in has,
    )
