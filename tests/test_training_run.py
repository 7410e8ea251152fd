"""Runs in processes of their own: killed and gone on with, several at once, and from the command line."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from subprocess import Popen
from subprocess import run as finished
from typing import Any

import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file
from tiny_readers import QUICK, STUDIES, tiny_encoder, write_pubtator
from typer.testing import CliRunner

from extractors.adapters import CONFIG, WEIGHTS
from extractors.training.run import CHECKPOINTS
from flows.training import train

TESTS = Path(__file__).parent
SETTINGS: dict[str, Any] = {
    "epochs": 3, "rank": 4, "batch_tokens": 128, "rate": 1e-2, "average": 0.9, "masked": 0.2, "dropout": 0.3,
    "replaced": 0.5, "recased": 0.2, "device": "cpu",
}  # fmt: skip

CHILD = """
import os, sys, time
from pathlib import Path
import torch
from extractors.encoder import load_encoder
from extractors.training.ner import TagTask
from extractors.training.plan import Plan
from extractors.training.run import fit
from tiny_readers import NER, TYPES

folder, out, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

class Task(TagTask):
    def score(self, classifier):
        rank = os.environ.get("RANK")
        if rank:
            torch.save(classifier.state_dict(), folder / f"rank-{rank}.pt")
        return super().score(classifier)

    def collate(self, items):  # leaves time to be killed in behind the first checkpoint
        if any(out.glob("checkpoints/checkpoint-*/trainer_state.json")):
            time.sleep(pause)
        return super().collate(items)

fit(Task(load_encoder(folder / "encoder"), [NER], [], TYPES), Plan(**eval(sys.argv[4])), out)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    tiny_encoder(folder / "encoder")
    write_pubtator(folder / "train.txt", STUDIES)
    (folder / "child.py").write_text(CHILD, "utf-8")
    return folder


def start(folder: Path, out: Path, settings: dict[str, Any], *, pause: float = 0, ranks: int = 1) -> Popen[str]:
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)] if ranks > 1 else []
    arguments = [str(folder / "child.py"), str(folder), str(out), str(pause), repr(settings)]
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}", "OMP_NUM_THREADS": "1"}
    return Popen([sys.executable, *several, *arguments], env=environment, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"accumulate": 2}, {"tuning": "adalora", "replaced": 0.0}])
def test_a_run_that_was_killed_ends_with_the_same_weights(folder: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    settings = {**SETTINGS, **more}
    whole = start(folder, tmp_path / "whole", settings)
    killed = start(folder, tmp_path / "killed", settings, pause=0.5)
    while not list((tmp_path / "killed" / CHECKPOINTS).glob("checkpoint-*/trainer_state.json")):
        assert killed.poll() is None
        time.sleep(0.05)
    time.sleep(1)  # in the midst of the next epoch
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert (tmp_path / "killed" / CHECKPOINTS).is_dir()
    assert start(folder, tmp_path / "killed", settings).wait() == 0
    assert whole.wait() == 0
    one, other = (load_file(tmp_path / name / WEIGHTS) for name in ("whole", "killed"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_two_processes_keep_equal_weights(folder: Path, tmp_path: Path) -> None:
    assert start(folder, tmp_path / "out", {**SETTINGS, "epochs": 1}, ranks=2).wait() == 0
    one, other = (torch.load(folder / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_two_processes_at_the_command_line_write_one_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "hypograph.py").write_text("from flows.cli import app\napp()\n", "utf-8")
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(tmp_path / "hypograph.py")]
    words = ["train", "ner", *arguments(folder, tmp_path / "out", epochs=12), "--format", "json"]
    done = finished(
        [sys.executable, "-m", *torchrun, *words],
        env={**os.environ, "PYTHONPATH": str(TESTS.parent)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["f1"] > 30  # told by one process alone
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


FILES = {"adapter.json", "adapter.safetensors", "README.md", "curves.png", "tensorboard"}
LEARNS = {
    name: getattr(QUICK, name) for name in ("rank", "batch_tokens", "rate", "head_rate", "average", "dropout", "device")
}


def arguments(folder: Path, out: Path, data: str = "train.txt", **settings: Any) -> list[str]:
    told = [f"--set={name}={value}" for name, value in {**LEARNS, **settings}.items()]
    return ["--data", str(folder / data), "-o", str(out), "--encoder", str(folder / "encoder"), *told]


def run(*words: str) -> Result:
    return CliRunner().invoke(train, words)


def test_a_tagger_is_trained_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    done = run("ner", *arguments(folder, tmp_path, epochs=QUICK.epochs), "--format", "json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["f1"] > 90
    assert "no development set: a tenth of the papers is held out for it" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert list((tmp_path / "tensorboard").iterdir())
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "| 43 | Chemical, Disease |" in card
    told = json.loads((tmp_path / CONFIG).read_text("utf-8"))
    assert (told["types"], told["plan"]["epochs"]) == (["Chemical", "Disease"], QUICK.epochs)


def test_a_relation_tagger_is_trained_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    done = run("re", *arguments(folder, tmp_path, epochs=2, tuning="full"), "--format", "json")
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {
        *FILES, "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    told = json.loads((tmp_path / CONFIG).read_text("utf-8"))
    assert (told["encoder"], told["groups"]) == (".", [["INDUCES"]])
    assert told["pairs"] == {"INDUCES": [["Chemical", "Disease"]]}


def test_papers_and_labels_can_be_left_out(folder: Path, tmp_path: Path) -> None:
    write_pubtator(tmp_path / "dev.txt", STUDIES[:4])
    (tmp_path / "ids").write_text("0\n1\n2\n3\n", "utf-8")
    more = ["--dev", str(tmp_path / "dev.txt"), "--exclude", str(tmp_path / "ids"), "--ignore", "Disease"]
    done = run("ner", *arguments(folder, tmp_path / "out", epochs=1), *more)
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "out" / CONFIG).read_text("utf-8"))["types"] == ["Chemical"]
    assert "| 44 | Chemical |" in (tmp_path / "out" / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("task", "more", "told"),
    [
        ("ner", ["--set", "tuning=lorra"], "tuning 'lorra': use one of full, lora"),
        ("ner", ["--set", "epochs"], "--set 'epochs': expected KEY=VALUE"),
        ("ner", ["--set", "speed=9"], "no setting speed: use epochs"),
        ("ner", ["--encoder", "/no/such/folder"], "no such folder"),
        ("ner", ["--data", "/no/such/file.txt"], "/no/such/file.txt"),
        ("ner", ["--dev", "{folder}/train.txt"], "train.txt"),
        ("ner", ["--domain", "alchemy"], "alchemy"),
        ("ner", ["--start", "/no/such/model"], "no adapter.json in /no/such/model"),
        ("ner", ["--exclude", "/no/such/ids"], "/no/such/ids: cannot be read as a list of ids"),
        ("ner", ["-o", "{folder}/train.txt"], "is a file: name a folder"),
        ("re", ["--exclusive", "INDUCES,Bind"], "--exclusive: no relation Bind in the data: it has INDUCES"),
        ("re", ["--slots", "0"], "--slots"),
        ("re", ["--ignore", "CID"], "no relations to learn"),
    ],
)
def test_wrong_use_and_bad_data_are_told_in_a_line(
    folder: Path, tmp_path: Path, task: str, more: list[str], told: str
) -> None:
    done = run(task, *arguments(folder, tmp_path / "out"), *(word.format(folder=folder) for word in more))
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out" / CONFIG).exists()
