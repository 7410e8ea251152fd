"""The installer, its lock, and the Makefile that a newcomer meets first."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

HASHED = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@pytest.fixture(scope="module")
def install(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", root / "tools" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lock(root: Path) -> str:
    return (root / "requirements.lock").read_text("utf-8")


@pytest.fixture(scope="module")
def locked(install: ModuleType, lock: str) -> list[Requirement]:
    return [Requirement(block.split(" \\")[0]) for _, block in install.read_lock(lock)]


def project(root: Path) -> dict[str, list[str]]:
    """What pyproject.toml asks for, by group."""
    table = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    return {
        "dependencies": table["project"]["dependencies"],
        "postgresql": table["project"]["optional-dependencies"]["postgresql"],
        "dev": table["dependency-groups"]["dev"],
    }


def exact(requirement: Requirement) -> str:
    return next(iter(requirement.specifier)).version


def test_the_lock_names_no_index(lock: str) -> None:
    assert "://" not in lock
    assert not [line for line in lock.splitlines() if line.startswith("-")]


def test_every_requirement_is_exact_and_hashed(install: ModuleType, lock: str, locked: list[Requirement]) -> None:
    blocks = install.read_lock(lock)
    assert "".join(block for _, block in blocks) == lock, "lines that belong to no requirement"
    assert [name for name, block in blocks if not HASHED.search(block)] == []
    assert [str(r) for r in locked if [s.operator for s in r.specifier] != ["=="]] == []


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("group", ["dependencies", "postgresql", "dev"])
def test_the_lock_satisfies_the_project(root: Path, locked: list[Requirement], group: str, python: str) -> None:
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    versions = {r.name: exact(r) for r in locked if r.marker is None or r.marker.evaluate(here)}
    for text in project(root)[group]:
        wanted = Requirement(text)
        assert versions[wanted.name.lower()] in wanted.specifier, f"{wanted} is not what is locked: run `make lock`"


def test_the_lock_keeps_the_torch_that_was_measured(locked: list[Requirement]) -> None:
    assert [exact(r) for r in locked if r.name == "torch"] == ["2.13.0"]


def test_without_cuda_only_cuda_is_left_out(install: ModuleType, locked: list[Requirement]) -> None:
    left_out = {r.name: str(r.marker) for r in locked if install.CUDA.match(r.name)}
    assert {"torch", "triton", "nvidia-cublas", "cuda-toolkit"} <= set(left_out)
    assert [name for name, marker in left_out.items() if "linux" not in marker] == ["torch"]


def test_a_lock_is_split_into_whole_blocks(install: ModuleType) -> None:
    text = (
        "psycopg[binary]==3.3.9 \\\n    --hash=sha256:aa\n    # via hypograph\n"
        "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
        "numpy==2.5.1 ; python_full_version >= '3.12' \\\n    --hash=sha256:dd\n"
    )
    blocks = install.read_lock(text)
    assert [name for name, _ in blocks] == ["psycopg", "numpy", "numpy"]
    assert "".join(block for _, block in blocks) == text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("sys.version_info = (3, 10, 4)", r"Python 3\.10\.4.* 3\.11 or newer.*\n.*make PYTHON=python3"),
        ("sys.modules['ensurepip'] = None", r"no venv and ensurepip.*\n.*apt-get install python3-venv"),
    ],
)
def test_an_unfit_python_is_told_what_to_do(root: Path, tmp_path: Path, change: str, told: str) -> None:
    script = root / "tools" / "install.py"
    code = f"import runpy, sys\n{change}\nrunpy.run_path({str(script)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.search(told, done.stderr), done.stderr


def test_no_index_ends_in_advice(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "project"
    (copy / "tools").mkdir(parents=True)
    for name in ("requirements.lock", "pyproject.toml", "tools/install.py"):
        (copy / name).write_bytes((root / name).read_bytes())
    away = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}

    done = subprocess.run(
        [sys.executable, str(copy / "tools" / "install.py")],
        env={**os.environ, **away},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 1
    assert "uv could not be had" in done.stderr
    assert "PIP_INDEX_URL" in done.stderr
    assert not (copy / ".venv" / ".installed").exists(), "a failed installation must not look like a whole one"


def test_a_second_installation_has_nothing_to_do(root: Path) -> None:
    if not (root / ".venv" / ".installed").exists():
        pytest.skip("this project was not installed by `make install`")
    done = subprocess.run(
        [sys.executable, "tools/install.py"], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_make_alone_lists_the_targets(root: Path) -> None:
    done = subprocess.run(["make", "-s"], cwd=root, capture_output=True, text=True, check=True, timeout=60)
    makefile = (root / "Makefile").read_text("utf-8")
    listed = re.findall(r"^  make (\S+)", done.stdout, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert sorted(listed) == sorted(phony[1].split())


def test_make_test_runs_every_check_before_the_tests(root: Path) -> None:
    done = subprocess.run(["make", "-n", "test"], cwd=root, capture_output=True, text=True, check=True, timeout=60)
    order = ["ruff check", "ruff format --check", "mypy", "lint-imports", "pytest"]
    assert [step for line in done.stdout.splitlines() for step in order if step in line] == order
