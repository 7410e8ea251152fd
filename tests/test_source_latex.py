"""LaTeX source: text as a reader sees it, macros, parts of papers, and source that is hostile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.sources import latex
from pipeline.sources.latex_macros import expand
from pipeline.sources.latex_text import argument, cut, plain, uncommented
from pipeline.sources.shared.stream import Stream
from pipeline.sources.shared.unpack import BROKEN, reason, streams
from pipeline.types import Document, Failure

Write = Callable[[str | bytes], Path]

PAPER = r"""% a draft
\documentclass[12pt]{article} % and more
\newcommand{\nf}[1]{NF-$\kappa$#1}
\def\oil{fish oil}
\DeclareMathOperator{\loss}{loss}
\title[Oil]{On \oil{} and \emph{blood}\thanks{Paid by none}}
\author{Ann Dyer\thanks{ann@example.org} \and Bo M\"uller \\ University of Oil}
\date{2 April 1985}
\begin{document}
\maketitle
\begin{abstract}
We show that \oil\ thins
blood by 5\,\%. % not shown
\end{abstract}
\section{Introduction}\label{sec:i}
H$_2$O and \nf{B} were seen~\cite[see][p.~2]{dyer,moss} in Fig.~\ref{fig:a}.
More follows\footnote{A note, {\it here}.} and 10$^{-5}$ is $\alpha \leq \beta$.

It holds that
\begin{equation} E = m c^2 \label{eq:e} \end{equation}
where $E$ is energy.
\begin{figure}\includegraphics{x.pdf}\caption[s]{The blood of \emph{mice}.}\label{fig:a}\end{figure}
\begin{itemize}\item First \item[Two] Second\end{itemize}
\begin{tabular}{ll} 1 & 2 \\ \end{tabular}
\begin{verbatim} 5 % not \a {comment \end{verbatim}
\input{results}
\section*{Materials and Methods}
\subsection{Mice} Ten.
\begin{thebibliography}{9}
\bibitem{dyer} Dyer A. \emph{Oil}. 1980.
\bibitem[M{\"u}]{moss} M\"uller B. Fish.
\end{thebibliography}
\end{document}
Never printed.
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "paper.tex"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def item(path: Path) -> Document | Failure:
    try:
        (found,) = [found for stream in streams(path) for found in _read(stream)]
    except BROKEN as error:  # noise may begin as a packed file does
        return Failure("paper.tex", "", reason(error))
    return found


def _read(stream: Stream | Failure) -> Iterator[Document | Failure]:
    assert isinstance(stream, Stream)
    return latex.read(stream, "paper.tex")


def paper(path: Path) -> Document:
    found = item(path)
    assert isinstance(found, Document), found
    return found


def refused(path: Path) -> str:
    found = item(path)
    assert isinstance(found, Failure), found
    return found.reason


def test_a_paper(write: Write) -> None:
    found = paper(write(PAPER))
    assert (found.title, found.date, found.authors) == (
        "On fish oil and blood",
        "1985-04-02",
        ("Ann Dyer", "Bo Müller"),
    )
    assert found.references == ("Dyer A. Oil. 1980.", "Müller B. Fish.")
    assert [(section.kind, section.of(found.text)) for section in found.sections][1:] == [
        ("abstract", "We show that fish oil thins blood by 5 %."),
        (
            "background",
            "H2O and NF-κB were seen [dyer, moss] in Fig. [fig:a]. More follows and 10-5 is α≤β.\n\n"
            "It holds that E = m c^2 where E is energy.\n\nFirst\n\nTwo Second",
        ),
        ("caption", "The blood of mice."),
        ("footnote", "A note, here."),
        ("methods", "Ten."),
    ]


def test_line_ends_do_not_matter(write: Write) -> None:
    assert paper(write(PAPER.replace("\n", "\r\n"))) == paper(write(PAPER))


def test_a_part_of_a_paper_is_read_by_itself(write: Write) -> None:
    found = paper(write("\\section{Results}\nIt thins.\n\\subsection{Mice}\nThey bled."))
    assert [(section.kind, section.of(found.text)) for section in found.sections] == [
        ("results", "It thins."),
        ("results", "They bled."),
    ]


def test_a_paper_that_only_puts_files_together_says_which(write: Write) -> None:
    reason = refused(write("\\documentclass{article}\\begin{document}\\input{intro}\\include{end}\\end{document}"))
    assert reason == "holds no text, but puts in other files, which are read by themselves: intro, end"
    assert "neither title nor text" in refused(write("\\documentclass{article}\\begin{document}\\end{document}"))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"\'Etienne, Erd\H{o}s, \v{R}eh\r{u}\v{r}ek and {\O}re \ss", "Étienne, Erdős, Řehůřek and Øre ß"),
        (r"``quoted'' -- \& 5\% \textbf{bold} {\it old}", "“quoted” – & 5% bold old"),
        (r"TNF-$\alpha$, Ca$^{2+}$ and \(p < 0.05\)", "TNF-α, Ca2+ and p < 0.05"),
        (r"as \citet{a} and \citep[p.~3]{b, c} say in \eqref{e}", "as [a] and [b, c] say in [e]"),
        (r"one\par two", "one\n\ntwo"),
        (r"\unknown{kept} \label{gone}", "kept"),
    ],
)
def test_plain(source: str, text: str) -> None:
    assert plain(source) == text


def test_comments_and_listings() -> None:
    assert uncommented("a\\% b % c\n  d\\\\% e\nf") == "a\\% b d\\\\f"
    assert uncommented("a % c\n\nb") == "a \n\nb"  # a paragraph ends all the same
    assert uncommented("a\\begin{verbatim}%\\end{verbatim}b % \\begin{comment}\nc") == "ab c"


def test_arguments_and_environments() -> None:
    assert argument(r" [a]{b {c} \} d} e", 0) == (r"b {c} \} d", 16)
    assert argument("{never closed", 0) == ("", 0)
    names = ["figure"]
    assert cut(r"\begin{figure}a\begin{figure}b\end{figure}\end{figure}c", names)[0] == "c"
    assert cut(r"a\begin{figure}b", names) == ("ab", [])


def test_macros() -> None:
    assert expand(r"\newcommand*{\a}[2]{#2 of #1}\a{x}y \a xy") == "y of x y of x"
    assert expand(r"\newcommand{\a}{\b}\newcommand\b{deep}\a\ab") == r"deep\ab"
    assert expand(r"\newcommand{\a}{\a\a}\a") == r"\a"  # one that stands for itself is left alone
    assert expand(r"\newcommand{\a}[1][x]{opt #1}\a") == r"\a"


def test_sniff() -> None:
    for head in ("% x\n\n\\documentclass{a}", "\\section{One}", "x\n  \\documentclass{a}", "\\begin{document}"):
        assert latex.sniff(head), head
    for head in (
        "{\\rtf1 x",
        "% only a comment",
        "text \\emph{a}",
        "@article{a, title={\\'e}}",
        "\\ no",
        "%\\documentclass",
    ):
        assert not latex.sniff(head), head


HOSTILE = {
    "macros": "".join(f"\\def\\{a}{{{f'{chr(92)}{b}' * 10}}}" for a, b in zip("abcdefg", "bcdefgh", strict=True))
    + r"\a",
    "loop": r"\def\a{\b}\def\b{\a}\section{x}\a text",
    "braces": "\\section{x}" + "{" * 100_000 + "x" + "}" * 100_000,
    "open": "\\section{x}" + "\\title{" * 50_000,
    "options": "\\section{x}" + "\\title[" * 50_000,
    "environments": "\\section{x}" + "\\begin{figure}" * 50_000,
    "listings": "\\section{x}" + "\\begin{verbatim}" * 50_000,
    "dollars": "\\section{x}" + "$a" * 25_001,
    "formulas": "\\section{x}" + "\\(" * 50_000,
    "comments": "\\section{x}" + "%\n" * 100_000 + "text",
    "blanks": "\\section{x}" + "\n \n" * 50_000 + "text",
    "line": "\\section{x}" + "x" * (3 << 20),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_source_ends_soon(name: str, write: Write) -> None:
    begun = time.perf_counter()
    item(write(HOSTILE[name]))
    assert time.perf_counter() - begun < 20


def test_reasons(write: Write) -> None:
    assert "macros that grow to more than" in refused(write(HOSTILE["macros"]))
    assert refused(write(HOSTILE["braces"])) == "is nested too deeply"
    assert "more than 2,097,152 characters" in refused(write(HOSTILE["line"]))
    assert "0xe4, which is not UTF-8" in refused(write(PAPER.encode().replace(b"blood", b"bl\xe4d")))
    assert paper(write(r"\title{Open {brace} \section{A} text $x and \emph{more")).text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_noise(write: Write, data: st.DataObject) -> None:
    noisy = bytearray(PAPER.encode())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(noisy)))
        noisy[at : at + data.draw(st.integers(0, 60))] = data.draw(st.binary(max_size=9))
    str(item(write(bytes(noisy)))).encode()
