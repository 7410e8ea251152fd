"""Make ``.venv`` and install Hypograph into it, exactly as ``requirements.lock`` says.

Needs a Python from 3.11 on and a package index, nothing else: ``python3 tools/install.py``. What is in place stays,
so a second run takes no time. ``uv`` is fetched first and does the work; ``pip`` does where uv cannot be had.

The lock names torch's default build, which on Linux brings 4 GB of CUDA. A machine without an NVIDIA GPU takes the
small CPU build of the same version where PyTorch's own index can be reached. That one build is trusted to that index;
everything else is checked against the hashes of the lock.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".installed"
LOCK = ROOT / "requirements.lock"
CUDA = re.compile(r"(torch|triton|nvidia-|cuda-)")
FIT = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
QUIETLY = [] if sys.stderr.isatty() else ["--quiet"]  # a person sees uv's bars, a log only what goes wrong
ADVICE = """If no package index was reached: check the network, or name your own mirror in PIP_INDEX_URL.
Then run the same again; what is already installed is kept."""


def main() -> int:
    """Install what is missing; exit code 1 and a message that says what to do where that fails."""
    lacking = unfit()
    if lacking:
        say(lacking)
        return 1
    wanted = fingerprint()
    if not (STAMP.exists() and STAMP.read_text("ascii") == wanted and works(PYTHON, "-c", FIT)):
        try:
            install()
        except subprocess.CalledProcessError as error:
            say(f"this command failed, its own words are above:\n  {' '.join(map(str, error.cmd))}\n{ADVICE}")
            return 1
        STAMP.write_text(wanted, "ascii")
    STAMP.touch()  # make compares times
    return 0


def unfit() -> str:
    """Say what this Python lacks, or ``""``."""
    seen = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - the point is to be run by an older one
        return (
            f"{sys.executable} is Python {seen}, and Hypograph needs 3.11 or newer.\n"
            "Install one and name it, for example: make PYTHON=python3.12 demo"
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return (
            f"{sys.executable} (Python {seen}) has no venv and ensurepip, which Debian and Ubuntu package apart.\n"
            "Install them: apt-get install python3-venv"
        )
    return ""


def fingerprint() -> str:
    """Hash of all that decides what is installed; the place counts, because scripts in ``.venv`` name it."""
    parts = [LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(ROOT).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def install() -> None:
    """Bring ``.venv`` to the state of the lock."""
    if not works(PYTHON, "-c", FIT):
        say(f"making {VENV} with {sys.executable}")
        run(sys.executable, "-m", "venv", "--clear", VENV)
    for name, value in pip_settings().items():
        os.environ.setdefault(name, value)
    blocks = read_lock(LOCK.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(dict(blocks)["uv"], "utf-8")
        installer: list[str | Path] = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        uv = works(*installer, "--retries", "1", "--require-hashes", "-r", wanted)
        if uv:
            installer = [PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON, *QUIETLY]
        else:
            say("uv could not be had: pip installs instead, which takes some minutes")
        if uv and cpu_build(dict(blocks)["torch"]):
            blocks = [(name, block) for name, block in blocks if not CUDA.match(name)]
        wanted.write_text("".join(block for _, block in blocks), "utf-8")
        say(f"installing the {len(blocks)} requirements of {LOCK.name} (torch and its libraries are large)")
        run(*installer, "--no-deps", "--require-hashes", "-r", wanted)
        run(*installer, "--no-deps", "--no-build-isolation", "-e", ROOT)
    say(f"installed into {VENV}")


def read_lock(text: str) -> list[tuple[str, str]]:
    r"""The name and the lines, hashes included, of each requirement; a name may come twice, for different Pythons.

    >>> read_lock("torch==2.13.0 \\\n    --hash=sha256:00\nuv==0.13.9\n")
    [('torch', 'torch==2.13.0 \\\n    --hash=sha256:00\n'), ('uv', 'uv==0.13.9\n')]
    """
    blocks = re.findall(r"^[a-z0-9].*\n(?:[ \t].*\n)*", text, re.MULTILINE)
    return [(re.split(r"[=\[ ]", block)[0], block) for block in blocks]


def cpu_build(torch: str) -> bool:
    """Whether torch's CPU build is in place; tries to put it there where no NVIDIA GPU is seen."""
    version = torch.split(maxsplit=1)[0].removeprefix("torch==")
    present = {path.name for path in VENV.glob(f"lib/python*/site-packages/torch-{version}*.dist-info")}
    if present:
        return f"torch-{version}+cpu.dist-info" in present
    if sys.platform != "linux" or any(Path("/dev").glob("nvidia*")) or works("nvidia-smi", "-L"):
        return False
    say(f"no NVIDIA GPU here: trying the CPU build of torch {version}")
    impatient = {"UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "1"}
    command = (PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON, "--no-deps", "--torch-backend", "cpu")
    if works(*command, f"torch=={version}", **impatient):
        return True
    say("its index cannot be reached: taking torch's default build, 4 GB larger")
    return False


def pip_settings() -> dict[str, str]:
    """The index and certificates that pip is set up for, in the words of uv, which reads no settings of pip."""
    listed = subprocess.run([PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    found = re.findall(r"^\S+\.(index-url|extra-index-url|cert)='(.*)'$", listed.stdout, re.MULTILINE)
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
    return {names[key]: value for key, value in found}


def works(*command: str | Path, **environ: str) -> bool:
    """Whether a command exists and ends well; what it says is dropped."""
    try:
        run(*command, quiet=True, **environ)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def run(*command: str | Path, quiet: bool = False, **environ: str) -> None:
    """Run a command with its output on stderr. Raises CalledProcessError."""
    output = subprocess.DEVNULL if quiet else sys.stderr
    environ = {**os.environ, **environ}
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ)


def say(text: str) -> None:
    sys.stderr.write(f"install: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
