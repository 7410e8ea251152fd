"""What a processor can do, read from /proc/cpuinfo."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from extractors.processor import Processor, parse_cpuinfo, processor

AVX512 = "fpu sse2 avx avx2 avx512f avx512dq avx512bw avx512vl"


def cpuinfo(*flags: str, name: str = "Some CPU @ 2.0GHz") -> str:
    return "\n\n".join(
        f"processor\t: {at}\nmodel\t\t: 17\nmodel name\t: {name}\nflags\t\t: {line}\nbugs\t\t: avx_vnni"
        for at, line in enumerate(flags)
    )


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu sse2", Processor("Some CPU @ 2.0GHz")),
        ("avx avx2", Processor("Some CPU @ 2.0GHz", avx2=True)),
        ("avx2 avx_vnni", Processor("Some CPU @ 2.0GHz", avx2=True, vnni=True)),
        ("avx2 avx512f", Processor("Some CPU @ 2.0GHz", avx2=True)),
        (AVX512, Processor("Some CPU @ 2.0GHz", avx2=True, avx512=True)),
        (f"{AVX512} avx512_vnni", Processor("Some CPU @ 2.0GHz", avx2=True, avx512=True, vnni=True)),
        (
            f"{AVX512} avx512_vnni avx512_bf16 amx_tile amx_int8 amx_bf16",
            Processor("Some CPU @ 2.0GHz", avx2=True, avx512=True, vnni=True, bf16=True, amx=True),
        ),
    ],
)
def test_instructions_of_x86(flags: str, expected: Processor) -> None:
    assert parse_cpuinfo(cpuinfo(flags)) == expected


def test_instructions_of_arm() -> None:
    text = "processor\t: 0\nBogoMIPS\t: 50.0\nFeatures\t: fp asimd asimddp sve i8mm bf16\nCPU part\t: 0xd40\n"
    assert parse_cpuinfo(text) == Processor(neon=True, dotprod=True, i8mm=True, bf16=True)


def test_only_what_all_cores_can_do_counts() -> None:
    assert not parse_cpuinfo(cpuinfo("avx2 avx_vnni", "avx2")).vnni


@pytest.mark.parametrize("text", ["", "flags\t\t:\n", "\x00\xff", "cpu\t\t: POWER9, altivec supported\n"])
def test_a_text_that_tells_nothing_is_a_plain_processor(text: str) -> None:
    found = parse_cpuinfo(text)
    assert str(found).endswith("no vector instructions known")
    assert found == Processor(found.name)


def test_this_processor_is_what_torch_takes_it_for() -> None:
    able = torch.cpu.get_capabilities()
    if able.get("architecture") == "x86_64":
        assert processor().avx2 == able["avx2"]
        assert processor().vnni == (able["avx512_vnni"] or able["avx_vnni"])
        assert processor().bf16 == (able["avx512_bf16"] or able["amx_bf16"])


def test_it_is_told_without_torch() -> None:
    code = "import sys, extractors.processor as p; p.processor(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
