"""Fine-tuning a tagger on a CPU, against transformers' Trainer as its examples set it up.

Both tune all weights of the same encoder but ours leaves out the word embeddings; both see the same sentences once.
Ours is timed with all that ``hypograph train`` does beside it: cutting, curves, and writing the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from measure import ROOT, Figure, Missing, race
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)

from extractors.encoder import load_encoder
from extractors.encoders import find
from extractors.training.corpora import Corpus, read_corpus
from extractors.training.lessons import TagExample
from extractors.training.ner import TagTask
from extractors.training.plan import Plan
from extractors.training.run import fit
from pipeline.domains import load_domain

CORPUS = ROOT.parent / "shared" / "data" / "bc5cdr" / "CDR_TrainingSet.PubTator.txt"
ENCODER = "minilm"
TYPES = ("Chemical", "Disease")
PAPERS = 60
PLAN = Plan(epochs=1, tuning="full", device="cpu")


def figures() -> Iterator[Figure]:
    if not CORPUS.is_file():
        raise Missing(f"no {CORPUS}: the training set of BC5CDR belongs there")
    whole = read_corpus(CORPUS, load_domain("biomed"), task="ner", problems=[])
    some = replace(whole, readings=whole.readings[:PAPERS])
    (examples,) = task(some).items([some])
    with TemporaryDirectory() as place:
        yield race(
            "training: a tagger vs the stock Trainer",
            lambda: ours(some),
            lambda: stock(examples, Path(place)),
            n=sum(len(example.ids) for example in examples),
            unit="sub-words",
        )


def task(corpus: Corpus) -> TagTask:
    return TagTask(load_encoder(ENCODER), [corpus], [], TYPES)


def ours(corpus: Corpus) -> None:
    with TemporaryDirectory() as out:
        fit(task(corpus), PLAN, Path(out))


def stock(examples: list[TagExample], place: Path) -> None:
    """One epoch at the defaults of TrainingArguments, but for its batches of 8, which are tripled."""
    found = find(ENCODER)
    assert found is not None
    tokenizer = AutoTokenizer.from_pretrained(found.folder)
    model = AutoModelForTokenClassification.from_pretrained(found.folder, num_labels=2 * len(TYPES) + 1)
    arguments = TrainingArguments(
        output_dir=str(place),
        num_train_epochs=1,
        per_device_train_batch_size=24,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    rows: Any = [labelled(example, tokenizer) for example in examples]
    trainer = Trainer(model, arguments, train_dataset=rows, data_collator=DataCollatorForTokenClassification(tokenizer))
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def labelled(example: TagExample, tokenizer: Any) -> dict[str, list[int]]:
    """A sentence with a label at the first piece of each word, as the library's examples have it."""
    labels = [-100] * len(example.ids)
    for head, tag in zip(example.heads, example.tags, strict=True):
        labels[head] = tag
    ids = [tokenizer.cls_token_id, *example.ids, tokenizer.sep_token_id]
    return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": [-100, *labels, -100]}
